"""Dead leaves: occluding discs with power-law sizes, images of nothing with natural statistics.

Discs of radius r with density proportional to r^-3 fall on each other until the plane is covered.
The result is nearly scale-invariant like photographs, with edges, occlusion and a power spectrum
that falls as about 1/f^2 (Lee, Mumford & Huang, IJCV 2001; Baradad et al., NeurIPS 2021). Colours
are drawn in the decorrelated log-cone space of Ruderman, Cronin & Chiao (JOSA A 1998), around a
palette of each image's own, and every disc is shaded and textured a little.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from benchmark.data.degradations import noise_generator
from benchmark.imaging.colour import to_srgb

#: Radii as shares of the image's side.
_SMALLEST, _LARGEST = 1 / 64, 1 / 2
#: Discs that fall on the plane around an image, enough to cover all but a few pixels of it.
_DISCS = 6_000
#: Spread of a disc's and of an image's colour along l (lightness), alpha and beta, natural logs.
_DISC_SPREAD = (0.75, 0.10, 0.025)
_IMAGE_SPREAD = (0.30, 0.08, 0.02)
_MEAN_LIGHT = 0.18

# cone responses to linear sRGB (Reinhard et al. 2001)
_LMS_TO_RGB = np.array(
    [[4.4679, -3.5873, 0.1193], [-1.2186, 2.3809, -0.1624], [0.0497, -0.2439, 1.2045]]
)
# l = (L+M+S)/sqrt 3, alpha = (L+M-2S)/sqrt 6, beta = (L-M)/sqrt 2 of the logarithms
_OPPONENT = np.array(
    [[3**-0.5, 3**-0.5, 3**-0.5], [6**-0.5, 6**-0.5, -2 * 6**-0.5], [2**-0.5, -(2**-0.5), 0]]
)


def dead_leaves(
    count: int, *, size: int = 128, split: str = "train", seed: int = 0
) -> NDArray[np.uint8]:
    """Images that show nothing in particular; image i depends on seed, split and i alone.

    Args:
        count: how many.
        size: pixels per side.
        split: name of the set; different names give different images.
        seed: of the set.

    Returns:
        ``[count, size, size, 3]`` uint8 sRGB.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        images[index] = _paint(noise_generator(f"deadleaves/{split}/{index}", seed=seed), size)
    return images


def _paint(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    leaf, centre, radius = _cover(rng, size)
    used, leaf = np.unique(leaf, return_inverse=True)
    leaf = leaf.reshape(size, size)
    # a soft light across each disc, and grain of its own strength
    y, x = np.mgrid[:size, :size]
    slope = rng.normal(0, 0.25, (len(used), 2))[leaf]
    offset = np.stack([x, y], -1) - centre[used][leaf]
    shading = (slope * offset).sum(-1) / radius[used][leaf]
    grain = rng.gamma(1.5, 0.04, len(used))[leaf] * rng.standard_normal(leaf.shape)
    light = _log_cones(rng, len(used))[leaf] + (shading + grain)[..., None]
    linear = np.exp(light) @ _LMS_TO_RGB.T
    for axis in (0, 1):  # a lens: edges in photographs are never a single pixel sharp
        linear = convolve1d(linear, [0.1, 0.8, 0.1], axis=axis, mode="nearest")
    encoded = to_srgb(torch.from_numpy(linear).clamp(0, 1))
    return (encoded * 255).round().to(torch.uint8).numpy()


def _cover(
    rng: np.random.Generator, size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The disc on top at every pixel ``[S, S]``, centres ``[D, 2]`` and radii ``[D]``.

    Discs are numbered from the front, so the one on top is the smallest number that covers a
    pixel. Each octave of radii is rasterised at once in windows that just hold its discs.
    """
    low, high = _SMALLEST * size, _LARGEST * size
    # density r^-3: the inverse square of r is uniform
    radius = rng.uniform(high**-2, low**-2, _DISCS) ** -0.5
    # centres lie up to the largest radius outside, so that the border is like the middle
    centre = rng.uniform(-high, size - 1 + high, (_DISCS, 2))
    near = ((centre > -radius[:, None]) & (centre < size - 1 + radius[:, None])).all(1)
    radius, centre = radius[near], centre[near]
    behind = len(radius)  # one last leaf behind all others, for the few pixels left bare
    top = np.full(size * size, behind)
    octave = np.floor(np.log2(radius / low)).astype(int)
    for step in np.unique(octave):
        discs = np.flatnonzero(octave == step)
        pixel, disc = _rasterised(centre[discs], radius[discs], size)
        np.minimum.at(top, pixel, discs[disc])
    centre = np.concatenate([centre, np.full((1, 2), size / 2)])
    return top.reshape(size, size), centre, np.append(radius, float(size))


def _rasterised(
    centre: NDArray[np.float64], radius: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels inside discs of about one size: flat pixel numbers and the disc of each."""
    reach = int(np.ceil(radius.max()))
    window = np.arange(-reach, reach + 1)
    corner = np.round(centre).astype(int)
    x, y = corner[:, 0, None] + window, corner[:, 1, None] + window
    square = (x - centre[:, 0, None])[:, None, :] ** 2 + (y - centre[:, 1, None])[:, :, None] ** 2
    inside = square < (radius**2)[:, None, None]
    inside &= ((x >= 0) & (x < size))[:, None, :] & ((y >= 0) & (y < size))[:, :, None]
    disc, row, column = np.nonzero(inside)
    return y[disc, row] * size + x[disc, column], disc


def _log_cones(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Log cone responses of the discs of one image, ``[count, 3]``."""
    opponent = rng.normal(0, _IMAGE_SPREAD) + rng.normal(0, _DISC_SPREAD, (count, 3))
    white = np.log(np.linalg.inv(_LMS_TO_RGB) @ np.ones(3))
    result: NDArray[np.float64] = np.log(_MEAN_LIGHT) + white + opponent @ _OPPONENT
    return result
