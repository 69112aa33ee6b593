"""LaSSIM: did the picture's structure of middle size change between input and output?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.imaging.colour import luminance
from benchmark.imaging.filters import laplacian_band
from benchmark.imaging.ssim import WINDOW, ssim

#: Side of the band that the paper looks at: level 3 of a picture with a short side of 272 px.
_BAND_SIDE = 34
#: Range of the band, fixed so that an image's extremes do not set its own scale. A band is a
#: difference of grey values in [0, 1] and in photographs stays within an eighth of either side.
DATA_RANGE = 0.25
#: Below this spread a band is constant: a tenth of an 8-bit step.
_FLAT = 0.1 / 255


def lassim_level(height: int, width: int) -> int:
    """Level of the Laplacian pyramid whose structure is about as large as in the paper.

    ``max(0, floor(log2(min(H, W) / 34)))``: 3 at 272 and 320 px, 2 at 256, 0 below 68.
    """
    return max(0, math.floor(math.log2(max(min(height, width), 1) / _BAND_SIDE)))


def lassim(images: Tensor, others: Tensor, valid: Tensor | None = None) -> Tensor:
    """SSIM of one Laplacian band of the grey images (Cap et al. 2025).

    Args:
        images: ``[B, 3, H, W]`` sRGB in [0, 1], in the order R, G, B.
        others: the same shape.
        valid: ``[B, H, W]`` bool; only windows centred there count.

    Returns:
        ``[B]`` in [-1, 1]. 1 where both bands are constant, 0 where one is; NaN where the band is
        smaller than SSIM's window or no pixel is valid.
    """
    level = lassim_level(*images.shape[-2:])
    first, second = (laplacian_band(luminance(batch), level) for batch in (images, others))
    if min(first.shape[-2:]) < WINDOW:
        return images.new_full((len(images),), math.nan)
    where = None if valid is None else valid[:, :: 2**level, :: 2**level]
    score = ssim(first, second, valid=where, data_range=DATA_RANGE)
    flat = [_spread(band, where) < _FLAT for band in (first, second)]
    constant = (flat[0] & flat[1]).to(score.dtype)
    return torch.where((flat[0] | flat[1]) & score.isfinite(), constant, score)


def _spread(band: Tensor, valid: Tensor | None) -> Tensor:
    """Largest minus smallest value of ``[B, 1, h, w]`` where valid; -inf where nothing is."""
    if valid is None:
        return band.amax((1, 2, 3)) - band.amin((1, 2, 3))
    inside = valid[:, None]
    top = band.masked_fill(~inside, -math.inf).amax((1, 2, 3))
    return top - band.masked_fill(~inside, math.inf).amin((1, 2, 3))
