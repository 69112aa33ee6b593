"""A sign in front of something, seen by a camera, under every lamp that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from benchmark.probes.signs.artwork import PAINTS, PLATE_HEIGHT
from benchmark.probes.signs.illuminants import ILLUMINANTS, Floats, Illuminant, response
from benchmark.probes.signs.scenery import Rng, cloud, resolve, scenery
from benchmark.probes.signs.strokes import Points
from benchmark.probes.signs.subjects import PLATE, Subject

#: Sub-pixels of a sign along each axis.
_OVER = 3
#: Share of the picture's width that a sign takes, and a plate with its six letters.
_SIGN_WIDTH, _PLATE_WIDTH = (0.35, 0.75), (0.55, 0.75)
_FOCAL = 4.5
_POLE = len(PAINTS) + 1


@dataclass(frozen=True)
class Pose:
    """Where a sign is in the picture.

    Attributes:
        turn: ``[3, 3]`` rotation.
        scale: pixels in half the width of an unturned sign.
        centre: (x, y) in pixels.
    """

    turn: NDArray[np.float64]
    scale: float
    centre: NDArray[np.float64]

    def project(self, points: Points) -> Points:
        """Points on the sign ``[N, 2]`` to pixels, by a pinhole."""
        spatial = points @ self.turn[:, :2].T
        return self.centre + self.scale * spatial[:, :2] / (1 + spatial[:, 2:] / _FOCAL)


@dataclass(frozen=True)
class Rendering:
    """One view under several lamps.

    Attributes:
        images: ``[L, S, S, 3]`` uint8 sRGB.
        corners: ``[4, 2]`` corners of the square or oblong around the sign, pixels.
        characters: ``[C, 2]`` centres of the characters, pixels.
    """

    images: NDArray[np.uint8]
    corners: Points
    characters: Points


def render(
    subject: Subject,
    rng: Rng,
    *,
    size: int,
    illuminants: Sequence[str] = tuple(ILLUMINANTS),
) -> Rendering:
    """One view of a scene; the lamp is the only difference between its images.

    Args:
        subject: what hangs there.
        rng: decides all else.
        size: side in pixels.
        illuminants: names of lamps.
    """
    plate = subject.kind == PLATE
    behind = scenery(rng, size, plate=plate)
    behind = _blurred(behind, rng.uniform(0.3, 1.8) * size / 128)
    pose = _pose(rng, size, plate=plate)
    cover, paint = _painted(subject, pose, size, pole=not plate and rng.random() < 0.75)
    picture = behind * (1 - cover[..., None]) + _worn(cover, paint, rng, size)
    picture = _blurred(picture, rng.uniform(0.25, 0.7) * size / 128)
    lamp = _LampPlace(rng, size, cover)
    balance, cast = rng.uniform(0.5, 0.8), tuple(rng.normal(1, 0.025, 3))
    level = rng.uniform(0.75, 1.05)
    images = np.empty((len(illuminants), size, size, 3), np.uint8)
    for place, name in enumerate(illuminants):
        light = ILLUMINANTS[name]
        matrix = level * response(light, balance=balance, cast=cast)
        images[place] = _encoded((picture * lamp.shade(light)[..., None]) @ matrix.T)
    half = PLATE_HEIGHT if plate else 1.0
    outline = np.array([[-1, -half], [1, -half], [1, half], [-1, half]])
    return Rendering(images, pose.project(outline), pose.project(subject.characters))


def _pose(rng: Rng, size: int, *, plate: bool) -> Pose:
    yaw, pitch, roll = np.radians(rng.normal(0, (13, 7, 4)).clip((-38, -20, -11), (38, 20, 11)))
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    width = rng.uniform(*(_PLATE_WIDTH if plate else _SIGN_WIDTH))
    # it stays in the picture, with the middle likelier than the border
    room = (0.96 - width) / 2 * np.array([0.8, 1.0])
    centre = size * (0.5 + room * rng.triangular(-1, 0, 1, 2)) - 0.5
    turn = np.array(about_z) @ np.array(about_y) @ np.array(about_x)
    return Pose(turn, width * size / 2, centre)


def _painted(subject: Subject, pose: Pose, size: int, *, pole: bool) -> tuple[Floats, Floats]:
    """Share of each pixel that is sign ``[S, S]``, and its reflectance times that share."""
    numbers = {name: place for place, name in enumerate(PAINTS, 1)}
    indices = Image.new("L", (size * _OVER, size * _OVER), 0)
    draw = ImageDraw.Draw(indices)
    if pole:
        x, y = pose.project(np.zeros((1, 2)))[0] * _OVER
        half = 0.055 * pose.scale * _OVER
        draw.rectangle((x - half, y, x + half, size * _OVER), fill=_POLE)
    for mark in subject.artwork:
        # sub-pixel centres: the centre of pixel 0 is at (over - 1) / 2 sub-pixels
        points = pose.project(mark.points) * _OVER + (_OVER - 1) / 2
        path = [tuple(point) for point in points]
        if mark.pen is None:
            draw.polygon(path, fill=numbers[mark.paint])
        else:
            width = max(1, round(mark.pen * pose.scale * _OVER))
            draw.line(path, fill=numbers[mark.paint], width=width, joint="curve")
    painted = np.asarray(indices)
    materials = np.zeros((256, 4), np.float32)
    for name, colour in PAINTS.items():
        materials[numbers[name]] = (*colour, 1)
    materials[_POLE] = (0.24, 0.25, 0.26, 1)
    resolved = resolve(painted, materials, _OVER)
    return resolved[..., 3], resolved[..., :3]


_DIRT = np.array([0.13, 0.10, 0.075], np.float32)


def _worn(cover: Floats, paint: Floats, rng: Rng, size: int) -> Floats:
    """Faded, dirty in places, and shaded a little by its own dents."""
    age = rng.beta(1.4, 3)
    fade = np.float32(0.22 * age)
    gray = paint.mean(2, keepdims=True)
    faded: Floats = paint * (1 - fade) + (0.6 * gray + 0.16 * cover[..., None]) * fade
    patches = cloud(rng, size, 9) + np.float32(0.5) * cloud(rng, size, 30)
    dirt = np.float32(0.75 * age) * np.clip(patches - np.float32(0.7), 0, 1)[..., None]
    soiled = faded * (1 - dirt) + _DIRT * dirt * cover[..., None]
    dents = np.exp(np.float32(0.05) * cloud(rng, size, 6))[..., None]
    worn: Floats = (soiled * dents).astype(np.float32)
    return worn


class _LampPlace:
    """Where the light comes from in one view, the same for every lamp.

    Args:
        rng: decides it.
        size: side in pixels.
        cover: where the sign is; it catches the light under an angle of its own.
    """

    def __init__(self, rng: Rng, size: int, cover: Floats) -> None:
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        along = np.cos(angle) * ramp[None, :] + np.sin(angle) * ramp[:, None]
        self.near = (np.clip(0.5 - along / 2.8, 0, 1)).astype(np.float32)
        # shadows of leaves and wires, soft, in about half of the scenes
        strength = rng.uniform(0, 0.75) if rng.random() < 0.5 else 0.0
        cells = int(rng.integers(3, 8))
        shadow = np.clip(2 * cloud(rng, size, cells) - 0.4, 0, 1)
        facing = np.float32(rng.uniform(0.7, 1.0)) * cover + (1 - cover)
        self.direct = (1 - strength * shadow) * facing

    def shade(self, light: Illuminant) -> Floats:
        """Factor on the reflectance, ``[S, S]``."""
        direct = light.hard * self.direct + (1 - light.hard)
        result: Floats = direct * (1 - light.near * self.near)
        return result / np.float32(1 - 0.4 * light.near)


def _blurred(linear: Floats, sigma: float) -> Floats:
    result: Floats = gaussian_filter(linear, (sigma, sigma, 0), mode="nearest", truncate=2.5)
    return result


def _table() -> NDArray[np.uint8]:
    """8-bit sRGB of 4,096 steps of linear light."""
    linear = np.arange(4096) / 4095
    high = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, high)
    return np.asarray(np.rint(255 * srgb), np.uint8)


_ENCODING = _table()


def _encoded(linear: Floats) -> NDArray[np.uint8]:
    codes = np.rint(np.clip(linear, 0, 1) * np.float32(4095)).astype(np.uint16)
    result: NDArray[np.uint8] = _ENCODING[codes]
    return result
