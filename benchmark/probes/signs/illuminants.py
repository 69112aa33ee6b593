"""Four kinds of light, and what a camera makes of them.

In linear RGB a lamp with a broad spectrum multiplies each channel by its own colour. A sodium lamp
does not: it shines at one wavelength (589 nm), where a surface has one reflectance, so that a
picture under it is a grey picture seen through orange glass. It is modelled as a projection of the
reflectance on that of 589 nm, times the colour of the line, plus a small share of broad light that
real lamps and their surroundings add.

A camera balances white only partly: it divides by a power below one of what it takes for the lamp's
colour, which is never redder than tungsten, so that a cast remains; it exposes for the brightest
channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Illuminant:
    """A kind of light.

    Attributes:
        colour: of a white surface in linear sRGB, luminance about 1.
        line: share of the light that a spectral line has, in [0, 1].
        hard: share of the light that comes from one direction and casts shadows.
        near: share of the light that is missing at the far corner, because the lamp is near.
    """

    colour: tuple[float, float, float]
    line: float = 0.0
    hard: float = 0.5
    near: float = 0.0


#: Levels of the axis ``illuminant``. Colours are those of CIE D65, CIE A (2,856 K), a black body of
#: 4,100 K (moonlight is sunlight reddened by the moon's surface) and 589 nm clipped to the gamut.
ILLUMINANTS: Mapping[str, Illuminant] = {
    "daylight": Illuminant((1.0, 1.0, 1.0), hard=0.45),
    "tungsten": Illuminant((1.845, 0.826, 0.233), hard=0.55, near=0.45),
    "moonlight": Illuminant((1.389, 0.929, 0.558), hard=0.85),
    "sodium": Illuminant((2.750, 0.594, 0.0), line=0.96, hard=0.65, near=0.35),
}

#: Reflectance at 589 nm of a surface whose reflectance is described in three bands: it lies on the
#: flanks of the red and the green one.
_AT_589_NM = np.array([0.6, 0.4, 0.0])
#: Colour of the broad light around a lamp with a line: street light of old, a warm white.
_SURROUNDINGS = np.array([1.6, 0.87, 0.4])
#: Of the colours of lamps, the reddest that a camera expects.
_REDDEST = ILLUMINANTS["tungsten"].colour


def response(light: Illuminant, *, balance: float, cast: tuple[float, ...] = (1, 1, 1)) -> Floats:
    """``[3, 3]``: linear RGB of the picture = matrix @ linear RGB of the reflectance.

    Args:
        light: what shines.
        balance: how much of the lamp's colour the camera takes away, 0 (none) to 1.
        cast: error of the white balance, one factor a channel.

    Returns:
        float32; the brightest channel of a surface that reflects everything is 1.
    """
    colour = np.array(light.colour)
    broad = colour if light.line == 0 else _SURROUNDINGS
    matrix = light.line * np.outer(colour, _AT_589_NM) + (1 - light.line) * np.diag(broad)
    estimate = np.array(light.colour if light.line == 0 else _REDDEST)
    matrix *= (estimate**-balance * np.array(cast))[:, None]
    result: Floats = (matrix / matrix.sum(1).max()).astype(np.float32)
    return result
