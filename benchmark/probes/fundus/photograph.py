"""Taking a photograph of an eye: where it looks, how the flash falls, and what the camera records.

The camera sees a round field of 35 degrees, as fundus cameras of the diabetic retinopathy studies
do, on 240 of 256 pixels: 6.9 pixels a degree. The great vessels are then 4 pixels wide, the last
visible ones and the smallest lesions about one and three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmark.data.degradations import noise_generator
from benchmark.probes.fundus.eye import CELL, CELLS, Eye, Spots
from benchmark.probes.fundus.optics import (
    MM_PER_DEGREE,
    blood_transmission,
    composed,
    ground_light,
)
from benchmark.probes.fundus.raster import chords
from benchmark.probes.fundus.tree import DOMAIN_CENTRE

#: Side in pixels at which the probe is evaluated.
SIZE = 256
#: Radius of the round field as a share of the side, and in degrees.
FIELD_SHARE, FIELD_DEGREES = 120 / 256, 17.5
#: Names of the masks that a photograph has.
MASKS = ("valid", "vessels", "microaneurysms", "exudates", "disc")

#: Raised whenever the same parameters would give other pixels.
RENDERER_VERSION = 1

_FINER = 2  # vessels are drawn on a finer grid
_POINT_SPREAD = 0.5  # pixels at SIZE

#: Reach of the macula's melanin and yellow pigment and of the foveal reflex, degrees; how much
#: more melanin there is in the middle.
_MACULA, _XANTHOPHYLL, _REFLEX = 2.6, 1.8, 0.22
_MACULA_DENSITY = 0.42

Floats = NDArray[np.float32]
Masks = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Shot:
    """What differs between photographs of one eye.

    Attributes:
        gaze: point of the retina in the middle of the field, degrees, ``[2]``.
        roll: rotation of head and camera, radians.
        scale: magnification.
        lamp: middle of the light, share of the field's radius, ``[2]``.
        falloff: light that is missing at the edge of the field.
        flash: gain.
    """

    gaze: NDArray[np.float64]
    roll: float
    scale: float
    lamp: NDArray[np.float64]
    falloff: float
    flash: float


def draw_shot(split: str, index: int, view: int, *, seed: int) -> Shot:
    """Photograph number ``view`` of eye number ``index``."""
    return _random_shot(noise_generator(f"fundus/{split}/{index}/shot/{view}", seed=seed))


def _random_shot(rng: np.random.Generator) -> Shot:
    return Shot(
        gaze=DOMAIN_CENTRE + rng.uniform(-2.0, 2.0, 2),
        roll=float(np.deg2rad(rng.uniform(-8, 8))),
        scale=float(rng.uniform(0.95, 1.05)),
        lamp=rng.normal(0, 0.15, 2),
        falloff=float(rng.uniform(0.25, 0.45)),
        flash=float(np.exp(rng.normal(0, 0.09))),
    )


def photograph(
    eye: Eye, shot: Shot, pigmentations: Sequence[str], *, size: int = SIZE
) -> tuple[NDArray[np.uint8], Masks]:
    """One photograph in several pigmentations, and what is in it.

    Args:
        eye: what is photographed.
        shot: how.
        pigmentations: names; the pictures differ in nothing else.
        size: pixels per side.

    Returns:
        ``[P, size, size, 3]`` uint8 sRGB, and masks ``[size, size]`` named as in :data:`MASKS`.
    """
    camera = _Camera(eye.left, shot, size)
    layers, masks = _retina(eye, camera)
    density, choroid = (camera.sampled(field) for field in (eye.density, eye.choroid))
    density = density + _MACULA_DENSITY * camera.fovea(_MACULA)
    xanthophyll = camera.fovea(_XANTHOPHYLL)
    reflex = 0.05 * eye.reflex * camera.fovea(_REFLEX)
    pictures = []
    for name in pigmentations:
        ground = ground_light(name, density=density, choroid=choroid, xanthophyll=xanthophyll)
        linear = composed(ground, **layers, reflex=reflex) * camera.light[..., None]
        pictures.append(develop(linear, camera.field))
    masks = {name: mask & camera.valid for name, mask in masks.items()}
    return np.stack(pictures), {"valid": camera.valid} | masks


def bare_photograph(
    rng: np.random.Generator, pigmentation: str, *, size: int = SIZE
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A photograph of pigment alone: no vessel, disc, lesion or choroidal pattern.

    Returns:
        ``[size, size, 3]`` uint8 sRGB, and the field of view ``[size, size]``.
    """
    camera = _Camera(False, _random_shot(rng), size)
    mottle = gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), size / 12)
    density = 1 + 0.05 * mottle / mottle.std() + _MACULA_DENSITY * camera.fovea(_MACULA)
    nothing = np.zeros((size, size), np.float32)
    ground = ground_light(pigmentation, density=density, choroid=nothing, xanthophyll=nothing)
    linear = composed(
        ground,
        disc=nothing,
        cup=nothing,
        lipid=nothing,
        transmission=np.ones_like(ground),
        blood=nothing,
        reflex=nothing,
    )
    return develop(linear * camera.light[..., None], camera.field), camera.valid


def develop(linear: Floats, field: Floats) -> NDArray[np.uint8]:
    """What the camera records of linear light ``[H, W, 3]`` inside its field ``[H, W]``."""
    sharp = _POINT_SPREAD * len(linear) / SIZE
    seen = gaussian_filter(np.clip(linear, 0, 1), (sharp, sharp, 0), mode="nearest", truncate=3)
    return _encoded(seen * field[..., None])


def _encoded(linear: Floats) -> NDArray[np.uint8]:
    """sRGB through a table of 4,096 levels, spaced as roots: finer than 8 bits everywhere."""
    codes: NDArray[np.uint8] = _SRGB[np.rint(np.sqrt(linear) * 4095).astype(np.int32)]
    return codes


_LEVELS = (np.arange(4096) / 4095) ** 2
_SRGB = np.rint(
    255 * np.where(_LEVELS <= 0.0031308, 12.92 * _LEVELS, 1.055 * _LEVELS ** (1 / 2.4) - 0.055)
).astype(np.uint8)


class _Camera:
    """Where each pixel looks, and how much light falls there."""

    def __init__(self, left: bool, shot: Shot, size: int) -> None:
        self.size = size
        self.pixels_per_degree = FIELD_SHARE * size / FIELD_DEGREES * shot.scale
        cosine, sine = np.cos(shot.roll), np.sin(shot.roll)
        mirror = -1.0 if left else 1.0
        # degrees (y up) to pixels (y down); a left eye is mirrored
        self._matrix = self.pixels_per_degree * np.array(
            [[mirror * cosine, -sine], [-mirror * sine, -cosine]]
        )
        self._gaze = shot.gaze
        self._middle = (size - 1) / 2
        grid = np.indices((size, size), dtype=np.float32)[::-1] - self._middle
        inverse = np.linalg.inv(self._matrix)
        self.retina = _single(np.tensordot(inverse, grid, 1) + self._gaze[:, None, None])
        radius = np.hypot(*grid)
        edge = FIELD_SHARE * size
        self.field = np.clip(edge + 0.5 - radius, 0, 1)
        self.valid = radius <= edge - 1.5
        away = grid / edge - _single(shot.lamp)[:, None, None]
        self.light = np.float32(shot.flash) * np.clip(
            1 - np.float32(shot.falloff) * (away**2).sum(0), 0.1, None
        )

    def pixel(self, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixel coordinates ``[..., 2]`` of points on the retina."""
        result: NDArray[np.float64] = (degrees - self._gaze) @ self._matrix.T + self._middle
        return result

    def fovea(self, reach: float) -> Floats:
        """1 in the middle of the fovea, falling off as a Gaussian, ``[size, size]``."""
        x, y = self.retina
        near: Floats = np.exp(-(x**2 + y**2) / np.float32(reach) ** 2)
        return near

    def sampled(self, texture: Floats) -> Floats:
        """A texture of the retina as the camera sees it, ``[size, size]``."""
        x, y = (self.retina - _single(DOMAIN_CENTRE)[:, None, None]) / np.float32(CELL) + (
            CELLS - 1
        ) / 2
        seen: Floats = map_coordinates(texture, [y, x], order=1, mode="grid-wrap")
        return seen


def _retina(eye: Eye, camera: _Camera) -> tuple[dict[str, Floats], Masks]:
    """Layers in front of the ground, the same in every pigmentation."""
    arteries, veins = (_drawn(camera, *tree.pieces) for tree in (eye.arteries, eye.veins))
    dots = _drawn(camera, *_dots(eye.microaneurysms))
    dark = blood_transmission(np.maximum(veins, dots), "vein")
    transmission = _coarse(dark * blood_transmission(arteries, "artery"))
    vessels = _coarse(_single((arteries > 0) | (veins > 0)))
    bleeding = _coarse(_single(dots > 0))
    lipid = _coarse(_single(_drawn(camera, *_dots(eye.exudates)) > 0))
    lipid = gaussian_filter(lipid, 0.4 * camera.size / SIZE)
    disc, cup = _disc(eye, camera)
    layers = {
        "disc": disc,
        "cup": cup,
        "lipid": 0.85 * lipid,
        "transmission": transmission,
        "blood": np.maximum(vessels, bleeding),
    }
    masks = {
        "vessels": vessels >= 0.5,
        "microaneurysms": bleeding >= 0.5,
        "exudates": (lipid >= 0.5) & (vessels < 0.5),
        "disc": disc >= 0.5,
    }
    return layers, masks


def _dots(spots: Spots) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    return spots.centre, spots.centre, spots.radius


def _drawn(
    camera: _Camera,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> Floats:
    """Chords in mm on the finer grid."""
    first, last = (camera.pixel(point) * _FINER + (_FINER - 1) / 2 for point in (start, end))
    scale = camera.pixels_per_degree * _FINER
    chord = chords(first, last, radius * scale, size=camera.size * _FINER)
    return chord * np.float32(MM_PER_DEGREE / scale)


def _coarse(fine: Floats) -> Floats:
    """Means over the pixels of the picture."""
    height, width, *rest = fine.shape
    blocks = fine.reshape(height // _FINER, _FINER, width // _FINER, _FINER, *rest)
    result: Floats = blocks.mean((1, 3))
    return result


def _disc(eye: Eye, camera: _Camera) -> tuple[Floats, Floats]:
    """Opacity of the disc and of the cup in it: ellipses with soft borders."""
    x, y = (camera.retina - _single(eye.disc)[:, None, None]) / _single(eye.disc_axes)[
        :, None, None
    ]
    far = np.hypot(x, y)
    return _inside(far, 1.0, 0.05), _inside(np.hypot(x + 0.08, y), eye.cup, 0.14)


def _inside(far: Floats, edge: float, softness: float) -> Floats:
    result: Floats = 0.5 - 0.5 * np.tanh((far - np.float32(edge)) / np.float32(2 * softness))
    return result


def _single(values: NDArray[np.generic]) -> Floats:
    return values.astype(np.float32)
