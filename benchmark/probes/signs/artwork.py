"""Signs and plates as flat areas and pen strokes, drawn from scratch in the unit square.

A sign lies within [-1, 1] x [-1, 1], y downwards. Shapes and meanings are those that travellers
know (octagons stop, triangles warn, discs order); the drawings are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.probes.signs.strokes import Points, arc, line, text_strokes

#: Reflectance of the paints in linear RGB under white light.
PAINTS: Mapping[str, tuple[float, float, float]] = {
    "white": (0.80, 0.80, 0.78),
    "black": (0.025, 0.025, 0.025),
    "red": (0.48, 0.022, 0.025),
    "blue": (0.012, 0.065, 0.34),
    "yellow": (0.74, 0.42, 0.012),
    "green": (0.010, 0.20, 0.075),
    "steel": (0.30, 0.31, 0.32),
}


@dataclass(frozen=True)
class Mark:
    """One thing that is painted.

    Attributes:
        paint: name in :data:`PAINTS`.
        points: ``[N, 2]``: outline of an area, or the line that the pen follows.
        pen: width of the pen; None fills the outline.
    """

    paint: str
    points: Points
    pen: float | None = None


Artwork = tuple[Mark, ...]


def _disc(paint: str, radius: float, centre: tuple[float, float] = (0, 0)) -> Mark:
    return Mark(paint, arc(centre, (radius, radius), 0, 360, steps=40))


def _box(paint: str, left: float, top: float, right: float, bottom: float) -> Mark:
    return Mark(paint, line((left, top), (right, top), (right, bottom), (left, bottom)))


def _regular(paint: str, corners: int, radius: float, first: float) -> Mark:
    turned = arc((0, 0), (radius, radius), first, first + 360, steps=corners + 1)
    return Mark(paint, turned[:-1])


def _area(paint: str, *points: tuple[float, float]) -> Mark:
    return Mark(paint, line(*points))


def _pen(paint: str, width: float, *points: tuple[float, float]) -> Mark:
    return Mark(paint, line(*points), width)


def _text(paint: str, text: str, box: tuple[float, float, float, float], pen: float) -> Artwork:
    left, top, right, bottom = box
    strokes, _ = text_strokes(text, left=left, top=top, right=right, bottom=bottom)
    return tuple(Mark(paint, stroke, pen) for glyph in strokes for stroke in glyph)


def _turned(marks: Artwork, degrees: float) -> Artwork:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return tuple(Mark(mark.paint, mark.points @ turn, mark.pen) for mark in marks)


def _arrow(paint: str) -> Artwork:
    """Upwards."""
    head = _area(paint, (0, -0.72), (0.42, -0.18), (-0.42, -0.18))
    return (head, _box(paint, -0.15, -0.2, 0.15, 0.66))


def _figure(paint: str, x: float, scale: float) -> Artwork:
    """Somebody who walks to the right."""

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + scale * a, scale * b) for a, b in points]

    pen = 0.17 * scale
    return (
        _disc(paint, 0.15 * scale, at((0.06, -0.62))[0]),
        _pen(paint, 1.5 * pen, *at((0.02, -0.36), (-0.02, 0.12))),
        _pen(paint, pen, *at((0.0, 0.05), (0.2, 0.36), (0.3, 0.74))),
        _pen(paint, pen, *at((-0.02, 0.08), (-0.16, 0.42), (-0.36, 0.7))),
        _pen(paint, 0.8 * pen, *at((0.02, -0.34), (0.24, -0.1), (0.4, -0.12))),
        _pen(paint, 0.8 * pen, *at((0.02, -0.34), (-0.22, -0.16), (-0.3, 0.08))),
    )


def _order(paint: str, *marks: Mark) -> Artwork:
    """A round sign with a thin white rim."""
    return (_disc("white", 1.0), _disc(paint, 0.94), *marks)


def _limit(speed: str) -> Artwork:
    text = _text("black", speed, (-0.46, -0.36, 0.46, 0.36), 0.15)
    return (_disc("red", 1.0), _disc("white", 0.76), *text)


def _warning(*marks: Mark) -> Artwork:
    outer = _area("red", (0, -0.98), (1.0, 0.78), (-1.0, 0.78))
    inner = _area("white", (0, -0.56), (0.66, 0.58), (-0.66, 0.58))
    return (outer, inner, *marks)


def _panel(paint: str, *marks: Mark) -> Artwork:
    """A square sign with a thin white rim."""
    return (_box("white", -0.9, -0.9, 0.9, 0.9), _box(paint, -0.84, -0.84, 0.84, 0.84), *marks)


def _cross(paint: str) -> Artwork:
    return (_box(paint, -0.2, -0.6, 0.2, 0.6), _box(paint, -0.6, -0.2, 0.6, 0.2))


def _circling() -> Artwork:
    """Three arrows that chase each other."""
    bow = Mark("white", arc((0, 0), (0.5, 0.5), -75, 10), 0.16)
    tip = _area("white", (0.28, 0.06), (0.72, 0.06), (0.46, 0.38))
    return tuple(mark for turn in (0, 120, 240) for mark in _turned((bow, tip), turn))


def _bicycle() -> Artwork:
    wheels = tuple(
        Mark("white", arc((x, 0.2), (0.27, 0.27), 0, 360, steps=20), 0.09) for x in (-0.4, 0.4)
    )
    frame = line((-0.4, 0.2), (-0.14, -0.24), (0.26, -0.24), (0.0, 0.2), (-0.4, 0.2))
    return (
        *wheels,
        Mark("white", frame, 0.09),
        _pen("white", 0.09, (0.0, 0.2), (-0.2, -0.36), (-0.32, -0.36)),
        _pen("white", 0.09, (0.4, 0.2), (0.22, -0.44), (0.38, -0.5)),
    )


#: Every sign class. ``first-aid`` and ``hospital`` differ in colour alone, as do, but for a rim,
#: some discs: what a lamp without a spectrum takes away has to show somewhere.
SIGNS: Mapping[str, Callable[[], Artwork]] = {
    "stop": lambda: (
        _regular("white", 8, 1.04, 22.5),
        _regular("red", 8, 0.96, 22.5),
        *_text("white", "STOP", (-0.68, -0.26, 0.68, 0.26), 0.11),
    ),
    "yield": lambda: (
        _area("red", (0, 0.98), (-1.0, -0.78), (1.0, -0.78)),
        _area("white", (0, 0.52), (-0.64, -0.56), (0.64, -0.56)),
    ),
    "no-entry": lambda: _order("red", _box("white", -0.7, -0.17, 0.7, 0.17)),
    "speed-30": lambda: _limit("30"),
    "speed-50": lambda: _limit("50"),
    "speed-80": lambda: _limit("80"),
    "turn-left": lambda: _order("blue", *_turned(_arrow("white"), 90)),
    "turn-right": lambda: _order("blue", *_turned(_arrow("white"), -90)),
    "straight-on": lambda: _order("blue", *_arrow("white")),
    "roundabout": lambda: _order("blue", *_circling()),
    "bicycles": lambda: _order("blue", *_bicycle()),
    "no-parking": lambda: (
        _disc("red", 1.0),
        _disc("blue", 0.78),
        _pen("red", 0.2, (-0.6, -0.6), (0.6, 0.6)),
    ),
    "end-of-limits": lambda: (
        _disc("black", 1.0),
        _disc("white", 0.93),
        *(_pen("black", 0.09, (0.6 + d, -0.6 + d), (-0.6 + d, 0.6 + d)) for d in (-0.13, 0, 0.13)),
    ),
    "priority-road": lambda: (
        _regular("black", 4, 1.02, 0),
        _regular("white", 4, 0.97, 0),
        _regular("yellow", 4, 0.66, 0),
    ),
    "hazard": lambda: _warning(
        _area("black", (-0.11, -0.34), (0.11, -0.34), (0.06, 0.18), (-0.06, 0.18)),
        _disc("black", 0.1, (0, 0.37)),
    ),
    "crossroads": lambda: _warning(
        _pen("black", 0.15, (-0.26, -0.14), (0.26, 0.46)),
        _pen("black", 0.15, (0.26, -0.14), (-0.26, 0.46)),
    ),
    "pedestrians": lambda: _panel(
        "blue",
        _area("white", (0, -0.72), (0.72, 0.66), (-0.72, 0.66)),
        *(
            Mark(m.paint, m.points + np.array([0, 0.14]), m.pen)
            for m in _figure("black", 0.0, 0.62)
        ),
    ),
    "exit": lambda: (
        _box("white", -1.0, -0.6, 1.0, 0.6),
        _box("green", -0.95, -0.55, 0.95, 0.55),
        *_figure("white", -0.5, 0.58),
        _box("white", 0.0, -0.09, 0.5, 0.09),
        _area("white", (0.46, -0.3), (0.84, 0.0), (0.46, 0.3)),
    ),
    "first-aid": lambda: _panel("green", *_cross("white")),
    "hospital": lambda: _panel("blue", *_cross("white")),
    "parking": lambda: _panel("blue", *_text("white", "P", (-0.34, -0.56, 0.36, 0.56), 0.22)),
}

#: Heights of a plate in units of its width, and (ground, letters) of the plates there are.
PLATE_HEIGHT = 0.3
PLATE_STYLES = (("white", "black"), ("yellow", "black"), ("blue", "white"))


def plate(text: str, style: int) -> tuple[Artwork, Points]:
    """A lettered plate within [-1, 1] x [-0.3, 0.3], and the centres of its characters.

    Args:
        text: of characters in the alphabet.
        style: which of :data:`PLATE_STYLES`.
    """
    ground, ink = PLATE_STYLES[style]
    strokes, centres = text_strokes(text, left=-0.86, top=-0.175, right=0.86, bottom=0.175)
    height = PLATE_HEIGHT
    marks = (
        _box(ink, -1.0, -height, 1.0, height),
        _box(ground, -0.975, -height + 0.025, 0.975, height - 0.025),
        *(Mark(ink, stroke, 0.058) for glyph in strokes for stroke in glyph),
    )
    return marks, centres
