"""The worst patch: a lesion that is gone is a few pixels of a picture that is otherwise perfect."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.imaging.colour import luminance
from benchmark.imaging.filters import sobel

#: Share of the patches, the worst ones, that the score is the upper end of.
PERCENTILE = 1.0
#: Gradients of this size, in grey values per pixel, half count: about 2.5 steps of 8 bits, the
#: noise of a good camera. Patches whose gradients stay below a tenth of a step are skipped.
SOFT, SILENT = 0.01, 0.1 / 255


def patch_side(height: int, width: int) -> int:
    """Side of a patch: a sixteenth of the shorter side, at least 8 px; a lesion with its rim."""
    return max(8, min(height, width) // 16)


def min_patch_structure(images: Tensor, references: Tensor, valid: Tensor | None = None) -> Tensor:
    """First percentile, over overlapping patches, of the correlation of gradients.

    For a patch with gradients g and h it is (<g.h> + c) / sqrt((<g.g> + c) (<h.h> + c)), after Cap
    et al. 2025 the correlation of gradients, c keeping noise from counting. With c outside the
    root, as in SSIM's structure term, a patch wiped blank would score 1; here it scores near 0.
    Patches step by a quarter of their side.

    Args:
        images: ``[B, 3, H, W]`` sRGB in [0, 1].
        references: the same shape.
        valid: ``[B, H, W]`` bool; only patches wholly inside count.

    Returns:
        ``[B]`` in [-1, 1]; NaN where no patch has any structure in either image, or the image is
        smaller than a patch.
    """
    side = patch_side(*images.shape[-2:])
    if not len(images) or min(images.shape[-2:]) < side:
        return images.new_full((len(images),), torch.nan)
    first, second = (sobel(luminance(batch)) for batch in (images, references))
    products = torch.stack(
        [(a * b).sum(1) for a, b in ((first, second), (first, first), (second, second))], 1
    )
    stride = max(1, side // 4)
    common, own, other = functional.avg_pool2d(products, side, stride).flatten(2).unbind(1)
    score = (common + SOFT**2) / ((own + SOFT**2) * (other + SOFT**2)).sqrt()
    counted = torch.maximum(own, other) >= SILENT**2
    if valid is not None:
        share = functional.avg_pool2d(valid[:, None].to(score.dtype), side, stride)
        counted &= share.flatten(1) > 1 - 0.5 / side**2
    return torch.nanquantile(score.masked_fill(~counted, torch.nan), PERCENTILE / 100, dim=1)
