"""One gamma per image that brings it to a wanted mean luminance."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.imaging.colour import luminance

#: Exponents that are tried lie between 2^-6 and 2^6; beyond, a picture is all black and white.
_OCTAVES = 6.0
_HALVINGS = 40


def mean_luminance(images: Tensor) -> Tensor:
    """Mean of the Rec. 709 weighted encoded channels, ``[B]``.

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
    """
    return luminance(images).mean((1, 2, 3))


def match_luminance(images: Tensor, target: Tensor) -> Tensor:
    """``images ** g`` with the exponent of every image solved for its mean luminance.

    The mean falls strictly with g wherever a pixel is neither black nor white, so halving finds
    it. It is solved on the histogram of 8-bit codes: exact for pictures that are 8-bit quantised,
    as all inputs of an enhancer are, and some hundred times faster than on pixels. A target out
    of reach (black stays black under any gamma) gives the nearest exponent of [1/64, 64].

    Args:
        images: ``[B, 3, H, W]`` float, sRGB in [0, 1], 8-bit quantised.
        target: ``[B]`` wanted mean luminance in [0, 1].

    Returns:
        ``[B, 3, H, W]`` in [0, 1].
    """
    exponent = _exponents(_histogram(images), target.double()).to(images)
    return images ** exponent.view(-1, 1, 1, 1)


def _histogram(images: Tensor) -> Tensor:
    """Share of the luminance's weight on every 8-bit code, ``[B, 256]`` float64."""
    weights = luminance(torch.eye(3, dtype=torch.float64).view(3, 3, 1, 1)).flatten()
    codes = (images * 255).round().clamp(0, 255).long().flatten(2)
    each = weights.to(images.device).view(1, 3, 1) / max(codes.shape[2], 1)
    shares = torch.zeros(len(images), 256, dtype=torch.float64, device=images.device)
    return shares.scatter_add_(1, codes.flatten(1), each.expand_as(codes).flatten(1))


def _exponents(shares: Tensor, target: Tensor) -> Tensor:
    """``[B]`` exponents that bring every histogram to its target mean."""
    level = torch.linspace(0, 1, 256, dtype=torch.float64, device=shares.device)
    low = torch.full_like(target, -_OCTAVES)
    high = -low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        mean = (shares * level ** middle.exp2()[:, None]).sum(1)
        too_bright = mean > target
        low, high = torch.where(too_bright, middle, low), torch.where(too_bright, high, middle)
    return ((low + high) / 2).exp2()
