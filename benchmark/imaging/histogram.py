"""Grey-level histograms of whole pictures."""

from __future__ import annotations

import torch
from torch import Tensor

_LEVELS = 256


def equalised(images: Tensor) -> Tensor:
    """Every channel of every picture with its histogram flattened, level for level as OpenCV does.

    Args:
        images: ``[B, C, H, W]`` in [0, 1]; rounded to 256 levels first.

    Returns:
        The same shape, on those levels, without gradient. A channel of one level keeps it.
    """
    batch, channels = images.shape[:2]
    levels = (images.detach().clamp(0, 1) * (_LEVELS - 1)).round().long().flatten(2)
    counts = torch.zeros(batch, channels, _LEVELS, dtype=torch.long, device=images.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    cumulated = counts.cumsum(2)
    first = torch.gather(counts, 2, levels.amin(2, keepdim=True))
    others = cumulated[..., -1:] - first
    # single precision and banker's rounding, or a level in a thousand is one off
    scale = (_LEVELS - 1) / others.clamp(min=1).float()
    table = ((cumulated - first).float() * scale).round()
    flat = torch.where(others > 0, torch.gather(table, 2, levels), levels.float())
    return (flat / (_LEVELS - 1)).to(images.dtype).view_as(images)
