"""The ten Monk Skin Tones and the three levels that groups are formed from.

The colours are the published sRGB values of the Monk Skin Tone Scale (Monk 2019; skintone.google).
As albedo they are used linearised, and the light is calibrated so that white frontal light on a
facing patch of bare skin returns the published colour.

Levels. The scale is ordinal and names no groups, so cut points are a convention. Ours are light
Monk 1-3, medium 4-7, dark 8-10: the groups are about equally large, and each end has its own.
Whoever wants other cuts groups by ``tone``, which keeps all ten.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

#: Published sRGB hexadecimal colours, Monk 1 to Monk 10.
MONK_HEX = (
    "f6ede4",
    "f3e7db",
    "f7ead0",
    "eadaba",
    "d7bd96",
    "a07e56",
    "825c43",
    "604134",
    "3a312a",
    "292420",
)

#: Names used in the ``tone`` column.
TONES = tuple(f"monk{number:02d}" for number in range(1, 11))


class ToneLevel(StrEnum):
    """Three-level axis ``tone_level``."""

    LIGHT = "light"
    MEDIUM = "medium"
    DARK = "dark"


#: Indices into :data:`TONES` of each level.
LEVEL_TONES: dict[ToneLevel, tuple[int, ...]] = {
    ToneLevel.LIGHT: (0, 1, 2),
    ToneLevel.MEDIUM: (3, 4, 5, 6),
    ToneLevel.DARK: (7, 8, 9),
}

_LEVEL_OF = {tone: level for level, tones in LEVEL_TONES.items() for tone in tones}


def level_of(tone: int) -> ToneLevel:
    """The level of a tone given by its index, 0 (Monk 1) to 9 (Monk 10)."""
    return _LEVEL_OF[tone]


def monk_srgb() -> NDArray[np.float32]:
    """The published colours, sRGB-encoded in [0, 1], ``[10, 3]``."""
    codes = [list(bytes.fromhex(code)) for code in MONK_HEX]
    return (np.array(codes) / 255).astype(np.float32)


def monk_albedo() -> NDArray[np.float32]:
    """The published colours as linear reflectance in [0, 1], ``[10, 3]``."""
    srgb = monk_srgb().astype(np.float64)
    linear: NDArray[np.float64] = np.where(
        srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4
    )
    return linear.astype(np.float32)
