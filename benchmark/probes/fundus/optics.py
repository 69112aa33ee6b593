"""Why a fundus has the colour it has: light, pigment and blood, for three bands.

Light enters, passes the retina with its vessels, the pigment epithelium and the choroid, is
scattered back by the sclera and takes the same way out (Delori & Pflibsen 1989, "Spectral
reflectance of the human ocular fundus"; Styles et al. 2006 for the choroid's melanin as what
differs between people). Melanin absorbs as wavelength^-3.48, blood as its haemoglobin (tables of
Prahl, OMLC). Bands are single wavelengths: 610, 540 and 460 nm for red, green and blue.

More melanin makes the fundus darker *and* browner, as blue and green are absorbed more than red;
vessels keep their own absorption, but some light comes back from blood and from surfaces in front
of the pigment, and over a dark ground that light is a larger share: contrast of vessels falls. That
is the one way in which pigmentation matters here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Melanin in front of the sclera, as optical depth at 610 nm for the way in and out.
PIGMENTATIONS: Final[Mapping[str, float]] = {"light": 0.42, "medium": 0.95, "dark": 1.6}
#: How much clearer the choroid's vessels show where less pigment covers them.
_TRANSPARENCY: Final = {"light": 1.0, "medium": 0.45, "dark": 0.3}

_BANDS = np.array([610.0, 540.0, 460.0])
_MELANIN = ((_BANDS / _BANDS[0]) ** -3.48).astype(np.float32)
#: Molar extinction of oxygenated and deoxygenated haemoglobin, 1/cm per mol/l.
_OXY, _DEOXY = np.array([1506.0, 53236.0, 44480.0]), np.array([9443.6, 46592.0, 23388.8])
#: Oxygen saturation in arteries and veins of the retina.
_SATURATION = {"artery": 0.95, "vein": 0.60}
#: 150 g/l haemoglobin of 64,500 g/mol, per mm; lateral light shortens the effective way.
_CONCENTRATION, _SHORTENING = 2.303 * 150 / 64500 / 10, 0.9
#: Light that reaches the ground beside a vessel and leaves through it, or the other way round.
_LATERAL = 0.22
MM_PER_DEGREE: Final = 0.29

#: Sclera and choroid without melanin as this camera's flash exposes it, linear.
_GROUND = np.array([1.22, 0.43, 0.21], np.float32)
#: Absorption by the choroid's vessels where they are, optical depth.
_CHOROID = np.array([0.09, 0.40, 0.34], np.float32)
#: Backscattered by blood, and by surfaces and media in front of everything.
_BLOOD, _VEIL = (
    np.array([0.035, 0.003, 0.002], np.float32),
    np.array([0.011, 0.011, 0.010], np.float32),
)
#: Rim and cup of the optic disc.
_RIM, _CUP = np.array([0.84, 0.36, 0.15], np.float32), np.array([0.92, 0.66, 0.38], np.float32)
#: Lipid.
_LIPID = np.array([0.95, 0.72, 0.24], np.float32)


def blood_transmission(chord: Floats, kind: str) -> Floats:
    """Share of light that a vessel lets through in each band.

    Args:
        chord: way through the vessel in mm, ``[...]``.
        kind: ``artery`` or ``vein``.

    Returns:
        ``[..., 3]`` in (0, 1].
    """
    saturation = _SATURATION[kind]
    extinction = saturation * _OXY + (1 - saturation) * _DEOXY
    depth = (_SHORTENING * _CONCENTRATION * extinction).astype(np.float32)
    seen = np.exp(-chord[..., None] * depth)
    result: Floats = np.float32(_LATERAL) + np.float32(1 - _LATERAL) * seen
    return result


def ground_light(
    pigmentation: str, *, density: Floats, choroid: Floats, xanthophyll: Floats
) -> Floats:
    """Light from the fundus behind the retina's vessels.

    Args:
        pigmentation: one of :data:`PIGMENTATIONS`.
        density: local density of melanin around 1, ``[H, W]``.
        choroid: 1 on a choroidal vessel, 0 between, ``[H, W]``.
        xanthophyll: macular pigment, 1 in the middle of the fovea, ``[H, W]``.

    Returns:
        Linear ``[H, W, 3]``.
    """
    shown = np.float32(_TRANSPARENCY[pigmentation]) * choroid[..., None]
    # pigment lies between the choroid's vessels: over many of them they are the lighter part
    stroma = np.float32(PIGMENTATIONS[pigmentation]) * density[..., None] * (1 - 0.25 * shown)
    depth = stroma * _MELANIN + shown * _CHOROID
    depth += xanthophyll[..., None] * np.array([0.0, 0.06, 0.45], np.float32)
    result: Floats = _GROUND * np.exp(-depth)
    return result


def composed(
    ground: Floats,
    *,
    disc: Floats,
    cup: Floats,
    lipid: Floats,
    transmission: Floats,
    blood: Floats,
    reflex: Floats,
) -> Floats:
    """The retina in front of its ground.

    Args:
        ground: from :func:`ground_light`, ``[H, W, 3]``.
        disc: opacity of the disc, ``[H, W]``.
        cup: opacity of the cup within the disc.
        lipid: opacity of exudates.
        transmission: of vessels and dots of blood, ``[H, W, 3]``.
        blood: share of the pixel that they cover, ``[H, W]``.
        reflex: light mirrored by surfaces, ``[H, W]``.

    Returns:
        Linear ``[H, W, 3]``, not clipped.
    """
    light = _over(ground, _RIM, disc)
    light = _over(light, _CUP, disc * cup)
    light = _over(light, _LIPID, lipid)
    result: Floats = light * transmission + _BLOOD * blood[..., None]
    return result + _VEIL + reflex[..., None]


def _over(below: Floats, colour: Floats, opacity: Floats) -> Floats:
    result: Floats = below + opacity[..., None] * (colour - below)
    return result
