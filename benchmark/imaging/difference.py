"""How different two colours, or two pictures, look."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from benchmark.imaging.colour import luminance
from benchmark.imaging.filters import normalised_laplacian_pyramid

_POW_25_7 = 25.0**7
_DEGREE = math.pi / 180


def ciede2000(first: Tensor, second: Tensor) -> Tensor:
    """Colour difference CIEDE2000 per pixel (Sharma, Wu & Dalal 2005), all k factors 1.

    Args:
        first: CIE L*a*b*, ``[B, 3, H, W]``.
        second: the same shape; the formula is symmetric.

    Returns:
        ``[B, H, W]``, at least 0; about 1 is just noticeable.
    """
    (light_1, a_1, b_1), (light_2, a_2, b_2) = first.unbind(1), second.unbind(1)
    mean_chroma = (torch.hypot(a_1, b_1) + torch.hypot(a_2, b_2)) / 2
    stretch = 1.5 - 0.5 * _seventh_root(mean_chroma)
    a_1, a_2 = a_1 * stretch, a_2 * stretch
    chroma_1, chroma_2 = torch.hypot(a_1, b_1), torch.hypot(a_2, b_2)
    hue_1, hue_2 = torch.atan2(b_1, a_1), torch.atan2(b_2, a_2)

    # signed hue difference in (-180, 180], and the hue half way along the shorter arc
    turn = torch.remainder(hue_2 - hue_1 + math.pi, 2 * math.pi) - math.pi
    coloured = (chroma_1 * chroma_2) > 0
    turn = torch.where(coloured, turn, torch.zeros_like(turn))
    mean_hue = torch.where(coloured, hue_1 + turn / 2, hue_1 + hue_2)

    d_light, d_chroma = light_2 - light_1, chroma_2 - chroma_1
    d_hue = 2 * torch.sqrt(chroma_1 * chroma_2) * torch.sin(turn / 2)
    mean_light, mean_chroma = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2
    weight = (
        1
        - 0.17 * torch.cos(mean_hue - 30 * _DEGREE)
        + 0.24 * torch.cos(2 * mean_hue)
        + 0.32 * torch.cos(3 * mean_hue + 6 * _DEGREE)
        - 0.20 * torch.cos(4 * mean_hue - 63 * _DEGREE)
    )
    offset = (mean_light - 50) ** 2
    light = d_light / (1 + 0.015 * offset / torch.sqrt(20 + offset))
    chroma = d_chroma / (1 + 0.045 * mean_chroma)
    hue = d_hue / (1 + 0.015 * mean_chroma * weight)
    # the blue region: hue measured from 275 degrees, in units of 25
    blue = torch.remainder(mean_hue / _DEGREE, 360.0) - 275
    angle = 60 * _DEGREE * torch.exp(-((blue / 25) ** 2))
    rotation = -2 * _seventh_root(mean_chroma) * torch.sin(angle)
    total = light**2 + chroma**2 + hue**2 + rotation * chroma * hue
    return total.clamp(min=0).sqrt()


def _seventh_root(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7))."""
    power = chroma**7
    return torch.sqrt(power / (power + _POW_25_7))


def pyramid_distance(first: Tensor, second: Tensor) -> Tensor:
    """Normalised Laplacian pyramid distance (Laparra et al. 2016) on Rec. 709 luma.

    Args:
        first: ``[B, 3, H, W]`` in [0, 1].
        second: the same shape; the distance is symmetric.

    Returns:
        ``[B]``, 1e-5 for identical images; lower is better.
    """
    pyramids = (normalised_laplacian_pyramid(luminance(images)) for images in (first, second))
    return band_distance(one - other for one, other in zip(*pyramids, strict=True))


def band_distance(differences: Iterable[Tensor]) -> Tensor:
    """Root mean square of each level's difference ``[B, 1, h, w]``, then the mean over levels.

    Returns:
        ``[B]``; 1e-5 where nothing differs, for a root of 0 has no gradient.
    """
    levels = [torch.sqrt(level.square().mean((1, 2, 3)) + 1e-10) for level in differences]
    return torch.stack(levels).mean(0)
