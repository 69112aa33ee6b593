"""Continuing pictures past their border by mirroring, at any size and by any amount."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(
    images: Tensor, *, left: int, right: int, top: int, bottom: int, repeat_edge: bool = False
) -> Tensor:
    """``[..., H, W]`` continued by mirror images; unlike PyTorch's padding, by more than its size.

    Args:
        images: at least one pixel.
        left: columns to add, at least 0; ``right``, ``top`` and ``bottom`` alike.
        right: see ``left``.
        top: see ``left``.
        bottom: see ``left``.
        repeat_edge: c b a | a b c instead of c b | a b c.
    """
    rows = _indices(images.shape[-2], top, bottom, repeat_edge)
    columns = _indices(images.shape[-1], left, right, repeat_edge)
    return images[..., rows.to(images.device), :][..., columns.to(images.device)]


def mirrored_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """``[..., H, W]`` continued below and to the right until ``multiple`` divides the sides."""
    height, width = images.shape[-2:]
    return mirrored(images, left=0, right=-width % multiple, top=0, bottom=-height % multiple)


def _indices(size: int, before: int, after: int, repeat_edge: bool) -> Tensor:
    position = torch.arange(-before, size + after)
    if repeat_edge:
        folded = position % (2 * size)
        return torch.minimum(folded, 2 * size - 1 - folded)
    period = max(2 * (size - 1), 1)
    folded = position % period
    return torch.minimum(folded, period - folded) if size > 1 else torch.zeros_like(folded)
