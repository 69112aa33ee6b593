"""Dead leaves: occluding discs with power-law radii, the simplest images that look natural.

Discs of radius r with density r^-3 between two bounds cover the plane, nearer ones hiding those
behind; such images share with photographs their edges, occlusion, approximate scale invariance and
a power spectrum that falls about as f^-2 (Lee, Mumford & Huang 2001, "Occlusion models for natural
images"). Colours are drawn in a decorrelated space (Ruderman et al. 1998), where brightness varies
several times more than the two opponent channels, around a palette of each image's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.degradations import noise_generator
from benchmark.errors import DataError
from benchmark.files import content_key
from benchmark.probes.cache import cached_arrays
from benchmark.probes.threads import map_parallel

# Ruderman's l, alpha, beta axes as columns, taken of log R, G, B instead of log L, M, S
_AXES = np.array(
    [[3**-0.5, 6**-0.5, 2**-0.5], [3**-0.5, 6**-0.5, -(2**-0.5)], [3**-0.5, -2 * 6**-0.5, 0.0]]
)
_SPREAD = np.array([0.95, 0.22, 0.12])
_CHUNK = 64


@dataclass(frozen=True)
class DeadLeaves:
    """A set of dead-leaves images; equal parameters give equal images.

    Attributes:
        count: number of images.
        size: pixels per side.
        split: name of the set; different names give different images.
        seed: of the set.
        smallest, largest: radii of the discs as shares of the side.
        texture: strength of the noise inside the discs, 0 for flat discs.
    """

    count: int
    size: int = 128
    split: str = "train"
    seed: int = 0
    smallest: float = 1 / 128
    largest: float = 0.6
    texture: float = 0.10

    def __post_init__(self) -> None:
        if not (self.count >= 1 and self.size >= 8 and 0 < self.smallest < self.largest):
            raise DataError(
                "dead leaves need count >= 1, size >= 8 and 0 < smallest < largest; they have "
                f"count={self.count}, size={self.size}, {self.smallest} and {self.largest}"
            )

    @property
    def key(self) -> str:
        """Content key of the images."""
        return content_key("deadleaves", 1, asdict(self))

    def render(
        self, *, cache: Path | None = None, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.uint8]:
        """The images, ``[count, size, size, 3]`` uint8 sRGB."""

        def make() -> dict[str, NDArray[np.uint8]]:
            images = np.empty((self.count, self.size, self.size, 3), np.uint8)
            for index, image in enumerate(map_parallel(self._paint, range(self.count))):
                images[index] = image
                if advance is not None:
                    advance(1)
            return {"images": images}

        images: NDArray[np.uint8] = cached_arrays(cache, f"deadleaves-{self.key}", make)["images"]
        return images

    def _paint(self, index: int) -> NDArray[np.uint8]:
        """One image at twice its size, averaged down: edges come out antialiased."""
        rng = noise_generator(f"deadleaves/{self.split}/{index}", seed=self.seed)
        side = 2 * self.size
        visible, order = _nearest_disc(rng, side, self.smallest, self.largest)
        colours = torch.from_numpy(_palette(rng, order)).float()
        image = colours[visible].view(side, side, 3)
        if self.texture:
            grain = torch.from_numpy(_grain(rng, side)).float()
            # every disc shows another part of the grain, more or less strongly
            shift = torch.from_numpy(rng.integers(0, side * side, order))[visible]
            strength = torch.from_numpy(rng.random(order)).float()[visible]
            places = (torch.arange(side * side) + shift) % (side * side)
            image = image * (1 + self.texture * strength * grain[places]).view(side, side, 1)
        image = image.view(self.size, 2, self.size, 2, 3).mean((1, 3)).clamp(0, 1)
        # the palette is drawn in linear light; a square root is close to sRGB and plenty here
        return (image.sqrt() * 255).round().to(torch.uint8).numpy()


@torch.no_grad()
def dead_leaves(
    count: int,
    *,
    size: int = 128,
    split: str = "train",
    seed: int = 0,
    cache: Path | None = None,
) -> NDArray[np.uint8]:
    """``count`` dead-leaves images with the usual statistics, ``[count, size, size, 3]`` uint8."""
    return DeadLeaves(count=count, size=size, split=split, seed=seed).render(cache=cache)


def _nearest_disc(
    rng: np.random.Generator, side: int, smallest: float, largest: float
) -> tuple[Tensor, int]:
    """The index of the disc seen at each pixel, and how many discs were thrown.

    Discs are thrown front to back, so that a pixel takes the first disc that covers it; chunks of
    discs are tested against the pixels that are still bare, all at once.
    """
    steps = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    bare, x, y = torch.arange(side * side), x.flatten(), y.flatten()
    visible = torch.zeros(side * side, dtype=torch.long)
    thrown = 0
    while len(bare):
        # inverse of the distribution function of r^-3 between the bounds
        unit = rng.random(_CHUNK)
        radius = (smallest**-2 - unit * (smallest**-2 - largest**-2)) ** -0.5
        # centres may lie outside by the largest radius, so that the border is like the middle
        centre = rng.uniform(-largest, 1 + largest, (2, _CHUNK))
        r, cx, cy = (torch.from_numpy(v).float() for v in (radius, *centre))
        covered = (x[:, None] - cx) ** 2 + (y[:, None] - cy) ** 2 < r**2
        hit, first = covered.max(1)
        visible[bare[hit]] = first[hit] + thrown
        bare, x, y = bare[~hit], x[~hit], y[~hit]
        thrown += _CHUNK
    return visible, thrown


def _palette(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Linear colours of ``count`` discs around a mean of the image's own, ``[count, 3]``."""
    mean = np.log(0.20) * 3**0.5 * np.array([1.0, 0, 0]) + rng.standard_normal(3) * _SPREAD * 0.6
    colours = mean + rng.standard_normal((count, 3)) * _SPREAD
    result: NDArray[np.float64] = np.exp(colours @ _AXES.T).clip(0, 1)
    return result


def _grain(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """Noise with a power spectrum of f^-2 above a few cycles, unit variance, flattened."""
    frequency = np.fft.fftfreq(side) * side
    radius = np.hypot(frequency[:, None], frequency[None, :])
    spectrum = np.fft.fft2(rng.standard_normal((side, side))) / np.maximum(radius, 6)
    spectrum[0, 0] = 0
    grain = np.fft.ifft2(spectrum).real.ravel()
    result: NDArray[np.float64] = grain / grain.std()
    return result
