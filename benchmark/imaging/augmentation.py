"""Random views of images for training the suite's own instruments: geometry, light, sensor, optics.

Every draw is per sample and comes from one generator on the CPU, so a seed fixes it on any device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.imaging.colour import to_linear, to_srgb


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random draws.

    Attributes:
        rotation: largest angle either way, degrees.
        scale: largest relative change of size.
        shift: largest displacement, share of the side.
        mirror: share of samples that are mirrored.
        darkest: smallest exposure factor; factors are log-uniform up to 1.
        dark_share: share of samples that get less light.
        full_well: electrons at white, shot noise is sqrt of the count.
        read_noise: largest standard deviation of read noise, share of white.
        gain_left: largest share (as a power) of the lost light that is not given back: 0 restores
            the exposure fully, which leaves amplified noise, as an enhancer's output has it.
        blur: share of samples that are softened.
        tint: largest relative change of a channel's gain.
        gamma: largest exponent of the encoded values; the smallest is its reciprocal.
    """

    rotation: float = 8.0
    scale: float = 0.08
    shift: float = 0.04
    mirror: float = 0.5
    darkest: float = 0.015
    dark_share: float = 0.6
    full_well: float = 1000.0
    read_noise: float = 0.005
    gain_left: float = 1.0
    blur: float = 0.4
    tint: float = 0.12
    gamma: float = 1.4


def augment(images: Tensor, generator: torch.Generator, ranges: Augmentation) -> Tensor:
    """One random view of every image, ``[B, 3, H, W]`` in [0, 1] in and out."""
    count = len(images)

    def draw(low: float, high: float, width: int = 1) -> Tensor:
        sample = torch.rand(count, width, 1, 1, generator=generator) * (high - low) + low
        return sample.to(images)

    images = _moved(images, generator, ranges)
    linear = to_linear(images) * draw(1 - ranges.tint, 1 + ranges.tint, 3)

    dark = draw(0, 1) < ranges.dark_share
    exposure = torch.where(dark, draw(math.log(ranges.darkest), 0.0).exp(), 1.0)
    noise = torch.randn(images.shape, generator=generator).to(images)
    variance = linear * exposure / ranges.full_well + draw(0, ranges.read_noise) ** 2
    seen = (linear * exposure + variance.sqrt() * noise).clamp(0, 1)
    seen = (seen / exposure ** draw(1 - ranges.gain_left, 1)).clamp(0, 1)

    encoded = to_srgb(seen) ** draw(-math.log(ranges.gamma), math.log(ranges.gamma)).exp()
    softness = torch.where(draw(0, 1) < ranges.blur, draw(0, 1), 0.0)
    return torch.lerp(encoded, _softened(encoded), softness)


def _moved(images: Tensor, generator: torch.Generator, ranges: Augmentation) -> Tensor:
    draws = torch.rand(len(images), 5, generator=generator).to(images) * 2 - 1
    angle = draws[:, 0] * math.radians(ranges.rotation)
    size = 1 + draws[:, 1] * ranges.scale
    mirror = torch.where(draws[:, 4] < 2 * ranges.mirror - 1, -1.0, 1.0)
    cosine, sine = size * angle.cos(), size * angle.sin()
    shift = draws[:, 2:4] * 2 * ranges.shift
    matrix = torch.stack(
        [
            torch.stack([cosine * mirror, -sine, shift[:, 0]], 1),
            torch.stack([sine * mirror, cosine, shift[:, 1]], 1),
        ],
        1,
    )
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _softened(images: Tensor) -> Tensor:
    kernel = images.new_tensor([0.054, 0.244, 0.404, 0.244, 0.054])  # Gaussian, sigma 1 px
    kernel = (kernel / kernel.sum()).expand(3, 1, 5)
    padded = functional.pad(images, (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, kernel.unsqueeze(2), groups=3)
    return functional.conv2d(rows, kernel.unsqueeze(3), groups=3)
