"""Structural similarity, per image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.imaging.filters import filter_matrix, gaussian_taps, separable

_SIGMA, _RADIUS = 1.5, 5
#: Side of the window in pixels.
WINDOW = 2 * _RADIUS + 1


def ssim(
    images: Tensor, references: Tensor, *, valid: Tensor | None = None, data_range: float = 1.0
) -> Tensor:
    """Mean structural similarity over pixels and channels (Wang et al. 2004).

    Gaussian window of 11 pixels and standard deviation 1.5, only where it fits into the image,
    population variances, K1 = 0.01, K2 = 0.03; as ``skimage`` with
    ``gaussian_weights=True, use_sample_covariance=False``.

    Args:
        images: ``[B, C, H, W]``.
        references: the same shape.
        valid: ``[B, H, W]`` bool; only windows centred on a valid pixel count.
        data_range: largest minus smallest possible value.

    Returns:
        ``[B]`` in [-1, 1]; NaN if a side is below 11 pixels or no window counts.
    """
    channels, height, width = images.shape[1:]
    if min(height, width) <= 2 * _RADIUS:
        return images.new_full((len(images),), math.nan)
    taps = gaussian_taps(_SIGMA, truncate=3.5)
    rows, columns = (
        filter_matrix(side, taps)[_RADIUS : side - _RADIUS] for side in (height, width)
    )
    stack = torch.cat([images, references, images**2, references**2, images * references], dim=1)
    local = separable(stack, rows, columns)
    local = local.view(len(local), 5, channels, *local.shape[2:])
    mean_x, mean_y, square_x, square_y, product = local.unbind(1)
    variances = square_x + square_y - mean_x**2 - mean_y**2
    covariance = product - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (variances + c2)
    similarity: Tensor = numerator / denominator
    if valid is None:
        return similarity.mean((1, 2, 3))
    centres = valid[:, _RADIUS : height - _RADIUS, _RADIUS : width - _RADIUS]
    return (similarity.mean(1) * centres).sum((1, 2)) / centres.sum((1, 2))
