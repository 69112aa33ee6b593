"""Letters and digits as pen strokes: a font of the suite's own, so that nothing is copied.

A glyph is a few polylines in a box of width and height 1, y downwards.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

#: Characters of a plate. Pairs that a stroke font makes alike (0 O, 1 I, 5 S, 8 B, 2 Z) are left
#: out, as some countries do on their plates.
ALPHABET = "ACEFHKLNPRTUXY34679"


def arc(
    centre: tuple[float, float],
    radii: tuple[float, float],
    start: float,
    end: float,
    *,
    steps: int = 10,
) -> Points:
    """Points on an ellipse, ``[steps, 2]``.

    Args:
        centre: (x, y).
        radii: along x and y.
        start: angle in degrees, clockwise from the right as y points downwards.
        end: last angle; smaller than ``start`` goes the other way.
        steps: number of points.
    """
    angle = np.radians(np.linspace(start, end, steps))
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)
    result: Points = np.array(centre) + np.array(radii) * unit
    return result


def line(*points: tuple[float, float]) -> Points:
    """The polyline through ``points``, ``[N, 2]``."""
    return np.array(points, dtype=np.float64)


_P_BOW = np.concatenate([line((0, 0)), arc((0.55, 0.27), (0.45, 0.27), -90, 90), line((0, 0.54))])
_LEFT, _RIGHT = line((0, 0), (0, 1)), line((1, 0), (1, 1))

#: Strokes of every character that signs and plates use.
GLYPHS: Mapping[str, tuple[Points, ...]] = {
    "A": (line((0, 1), (0.5, 0), (1, 1)), line((0.2, 0.66), (0.8, 0.66))),
    "C": (arc((0.55, 0.5), (0.55, 0.5), -50, -310, steps=14),),
    "E": (line((1, 0), (0, 0), (0, 1), (1, 1)), line((0, 0.5), (0.8, 0.5))),
    "F": (line((1, 0), (0, 0), (0, 1)), line((0, 0.48), (0.8, 0.48))),
    "H": (_LEFT, _RIGHT, line((0, 0.5), (1, 0.5))),
    "K": (_LEFT, line((1, 0), (0, 0.62)), line((0.3, 0.43), (1, 1))),
    "L": (line((0, 0), (0, 1), (1, 1)),),
    "N": (line((0, 1), (0, 0), (1, 1), (1, 0)),),
    "O": (arc((0.5, 0.5), (0.5, 0.5), -90, 270, steps=18),),
    "P": (_LEFT, _P_BOW),
    "R": (_LEFT, _P_BOW, line((0.45, 0.54), (1, 1))),
    "S": (
        np.concatenate(
            [arc((0.5, 0.26), (0.48, 0.26), -35, -260), arc((0.5, 0.74), (0.5, 0.26), -80, 150)]
        ),
    ),
    "T": (line((0, 0), (1, 0)), line((0.5, 0), (0.5, 1))),
    "U": (np.concatenate([line((0, 0)), arc((0.5, 0.62), (0.5, 0.38), 180, 0), line((1, 0))]),),
    "X": (line((0, 0), (1, 1)), line((1, 0), (0, 1))),
    "Y": (line((0, 0), (0.5, 0.5), (1, 0)), line((0.5, 0.5), (0.5, 1))),
    "0": (arc((0.5, 0.5), (0.48, 0.5), -90, 270, steps=18),),
    "3": (
        arc((0.48, 0.25), (0.46, 0.25), -150, 90),
        arc((0.48, 0.74), (0.52, 0.26), -90, 150),
    ),
    "4": (line((0.75, 1), (0.75, 0), (0, 0.7), (1, 0.7)),),
    "5": (
        np.concatenate(
            [line((0.95, 0), (0.1, 0), (0.06, 0.45)), arc((0.5, 0.68), (0.5, 0.32), -140, 150)]
        ),
    ),
    "6": (
        np.concatenate([line((0.8, 0)), arc((0.5, 0.69), (0.5, 0.31), 190, 190 - 360, steps=16)]),
    ),
    "7": (line((0, 0), (1, 0), (0.35, 1)),),
    "8": (
        arc((0.5, 0.25), (0.44, 0.25), -90, 270, steps=14),
        arc((0.5, 0.75), (0.5, 0.25), -90, 270, steps=14),
    ),
    "9": (np.concatenate([arc((0.5, 0.31), (0.5, 0.31), 10, 370, steps=16), line((0.2, 1))]),),
}


def text_strokes(
    text: str, *, left: float, top: float, right: float, bottom: float, gap: float = 0.45
) -> tuple[list[list[Points]], Points]:
    """Strokes of a text that fills a box.

    Args:
        text: of characters in :data:`GLYPHS`.
        left: of the box, as ``top``, ``right`` and ``bottom``.
        top: upper edge.
        right: right edge.
        bottom: lower edge.
        gap: space between characters in widths of a character.

    Returns:
        The polylines of every character, and the centres of the characters ``[len(text), 2]``.
    """
    width = (right - left) / (len(text) + gap * (len(text) - 1))
    size = np.array([width, bottom - top])
    strokes, centres = [], np.empty((len(text), 2))
    for place, character in enumerate(text):
        corner = np.array([left + place * width * (1 + gap), top])
        strokes.append([corner + size * stroke for stroke in GLYPHS[character]])
        centres[place] = corner + size / 2
    return strokes, centres
