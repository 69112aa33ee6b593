"""Hair: style, colour and the ellipsoids that make it; all drawn without regard to skin tone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.probes.faces.identity import Floats, Numbers, Traits


@dataclass(frozen=True)
class _Style:
    """Shape of one hair style; lengths in head units.

    Attributes:
        share: how often it is drawn.
        shell: thickness over the skull; negative hides it.
        drape: how far below the eyes the hair falls, 0 for none.
        fringe: how far the hairline is lowered.
        bun: radius of a knot on the crown, 0 for none.
        curl: strength of the coarse relief in [0, 1].
    """

    share: float
    shell: float
    drape: float = 0.0
    fringe: float = 0.0
    bun: float = 0.0
    curl: float = 0.0


_STYLES = (
    _Style(share=0.08, shell=-0.30),  # bald
    _Style(share=0.12, shell=0.030),  # cropped
    _Style(share=0.22, shell=0.07, curl=0.2),  # short
    _Style(share=0.12, shell=0.08, fringe=0.07),  # short with a fringe
    _Style(share=0.10, shell=0.16, curl=0.5),  # full
    _Style(share=0.08, shell=0.27, curl=1.0),  # afro
    _Style(share=0.12, shell=0.10, drape=0.95),  # bob
    _Style(share=0.10, shell=0.10, drape=1.75),  # long
    _Style(share=0.06, shell=0.05, bun=0.30),  # tied up
)

# melanin mixtures: black, dark brown, brown, auburn, blond; the dark ones are the most frequent
_COLOURS = np.array(
    [[0.010, 0.009, 0.009], [0.012, 0.010, 0.009], [0.020, 0.014, 0.011], [0.034, 0.021, 0.014],
     [0.055, 0.027, 0.016], [0.080, 0.048, 0.027]],
    dtype=np.float32,
)  # fmt: skip
_GREY = np.array([0.095, 0.094, 0.092], dtype=np.float32)

#: Facial hair: moustache, beard and stubble in [0, 1] of each kind and how often it is drawn.
_FACIAL = (
    (0.58, (0.0, 0.0, 0.0)),
    (0.16, (0.0, 0.0, 1.0)),
    (0.08, (1.0, 0.0, 0.2)),
    (0.08, (1.0, 0.45, 0.3)),
    (0.10, (1.0, 1.0, 0.5)),
)


@dataclass(frozen=True)
class Hair:
    """Hair of a batch of people, each field ``[B, ...]``.

    Attributes:
        style: index of the style, ``[B]``.
        shell, drape, opening, bun, curl: shape numbers, ``[B]``.
        cut: plane under which short hair ends, ``[B, 3]``.
        colour: linear reflectance, ``[B, 3]``.
        beard: the same of brows and facial hair, which are darker, ``[B, 3]``.
        facial: moustache, beard and stubble in [0, 1], ``[B, 3]``.
    """

    style: NDArray[np.int64]
    shell: Floats
    drape: Floats
    opening: Floats
    bun: Floats
    curl: Floats
    cut: Floats
    colour: Floats
    beard: Floats
    facial: Floats


def build_hair(traits: Traits) -> Hair:
    """The hair that the traits describe."""
    style = _pick(traits.hair_style, [item.share for item in _STYLES])
    shape = np.array(
        [[s.shell, s.drape, s.fringe, s.bun, s.curl] for s in _STYLES], dtype=np.float32
    )[style]
    shell = np.where(shape[:, 0] > 0.04, shape[:, 0] * traits.hair_volume, shape[:, 0])
    colour = _colour(traits)
    facial = np.array([amounts for _, amounts in _FACIAL], dtype=np.float32)
    # a draped style has no lower cut: its plane is moved out of the way
    low = np.where(shape[:, 1] > 0, -9.0, -0.20).astype(np.float32)
    cut = np.stack([low, np.full_like(low, -1.0), np.full_like(low, 0.42)], 1)
    return Hair(
        style=style,
        shell=shell.astype(np.float32),
        drape=shape[:, 1],
        opening=(traits.hairline - shape[:, 2]).astype(np.float32),
        bun=shape[:, 3],
        curl=shape[:, 4],
        cut=cut,
        colour=colour,
        beard=(0.55 * colour).astype(np.float32),
        facial=facial[_pick(traits.facial_hair, [share for share, _ in _FACIAL])],
    )


def hair_solids(t: Traits, hair: Hair) -> dict[str, tuple[Numbers | float, ...]]:
    """Drape, opening for the face, and bun, in the format of ``anatomy``."""
    shell = hair.shell
    hidden = hair.drape <= 0
    reach = np.where(hidden, 0.05, (hair.drape + 0.75) / 2 + 0.1)
    middle = np.where(hidden, 0.0, 0.75 - reach + 0.1)
    across = np.where(hidden, 0.05, t.head_width + 0.10 + 0.5 * shell)
    along = np.where(hidden, 0.05, 0.66)
    bun = np.where(hair.bun > 0, hair.bun, 0.05)
    bun_y = np.where(hair.bun > 0, 0.30 + t.head_height + 0.12, 0.30)
    return {
        "hair_drape": (0, middle, -0.30, across, reach, along, 0),
        "hair_opening": (0, -0.45, 0.98, t.hair_temple, hair.opening + 0.45, 0.92, 0),
        "hair_bun": (0, bun_y, -0.30, bun, bun * 0.85, bun, 0),
    }  # fmt: skip


def _pick(unit: Floats, shares: list[float]) -> NDArray[np.int64]:
    """Category of a uniform number in [0, 1] under the given shares."""
    edges = np.cumsum(shares)
    return np.searchsorted(edges / edges[-1], unit, side="right").clip(0, len(shares) - 1)


def _colour(traits: Traits) -> Floats:
    position = traits.hair_hue**1.4 * (len(_COLOURS) - 1)
    low = np.floor(position).astype(int).clip(0, len(_COLOURS) - 2)
    part = (position - low)[:, None]
    base = (1 - part) * _COLOURS[low] + part * _COLOURS[low + 1]
    grey = (4 * traits.hair_grey[:, None] - 3.2).clip(0, 0.85)
    return np.asarray((1 - grey) * base + grey * _GREY, np.float32)
