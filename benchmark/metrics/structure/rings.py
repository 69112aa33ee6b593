"""Scanning Fourier ring correlation: in which places is fine structure not that of the reference?

For each patch, FRC(k) = Re sum_k F conj(R) / sqrt(sum_k |F|^2 sum_k |R|^2) over the rings k of
spatial frequency, where F and R are spectra of output and reference (after the sFRC of Kc et al.
2024). A patch is flagged if a ring below the frequency where the reference itself is still
trustworthy falls under the threshold.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.imaging.colour import luminance

#: Side of a patch and its step in px, correlation below which a ring is wrong, and the last ring
#: that is looked at (cycles per patch: 5 of 32 px are structures of about 6 px and more).
SIDE, STEP, THRESHOLD, LAST_RING = 32, 16, 0.5, 5
#: Standard deviation of grey values below which a patch of the reference is background.
BACKGROUND = 0.01


def sfrc_flag_rate(images: Tensor, references: Tensor, valid: Tensor | None = None) -> Tensor:
    """Share of patches whose coarse and middle frequencies do not follow the reference.

    Args:
        images: ``[B, 3, H, W]`` sRGB in [0, 1].
        references: the same shape.
        valid: ``[B, H, W]`` bool; only patches wholly inside count.

    Returns:
        ``[B]`` in [0, 1]; NaN where no patch of the reference has structure, or the image is
        smaller than a patch.
    """
    if min(images.shape[-2:]) < SIDE:
        return images.new_full((len(images),), torch.nan)
    spectra, energy = [], images.new_zeros(0)
    for batch in (images, references):
        patches = _patches(luminance(batch)[:, 0])
        patches = patches - patches.mean((-2, -1), keepdim=True)
        energy = patches.square().mean((-2, -1))
        spectra.append(torch.fft.rfft2(patches * _window(patches)).flatten(-2))
    first, second = spectra
    rings = torch.as_tensor(_rings(), dtype=images.dtype, device=images.device)
    common = (first * second.conj()).real @ rings
    power = (first.abs().square() @ rings) * (second.abs().square() @ rings)
    correlation = common / power.clamp(min=1e-20).sqrt()
    flagged = (correlation < THRESHOLD).any(-1)
    counted = energy >= BACKGROUND**2
    if valid is not None:
        counted &= _patches(valid).all(-1).all(-1)
    share: Tensor = (flagged & counted).sum(1) / counted.sum(1)
    return share.to(images.dtype)


def _patches(planes: Tensor) -> Tensor:
    """``[B, H, W]`` as ``[B, N, SIDE, SIDE]``."""
    return planes.unfold(1, SIDE, STEP).unfold(2, SIDE, STEP).flatten(1, 2)


def _window(like: Tensor) -> Tensor:
    hann = torch.hann_window(SIDE, periodic=False, dtype=like.dtype, device=like.device)
    return hann[:, None] * hann


@lru_cache(maxsize=1)
def _rings() -> NDArray[np.float64]:
    """``[SIDE * (SIDE / 2 + 1), LAST_RING]``: weight of each coefficient of ``rfft2`` in a ring."""
    rows, columns = np.fft.fftfreq(SIDE, 1 / SIDE), np.arange(SIDE // 2 + 1)
    radius = np.rint(np.hypot(rows[:, None], columns)).ravel()
    # the half plane holds most coefficients once, but each stands for its conjugate as well
    twice = np.broadcast_to(
        np.where((columns == 0) | (columns == SIDE // 2), 1.0, 2.0), (SIDE, SIDE // 2 + 1)
    ).ravel()
    weights: NDArray[np.float64] = twice[:, None] * (radius[:, None] == np.arange(1, LAST_RING + 1))
    return weights
