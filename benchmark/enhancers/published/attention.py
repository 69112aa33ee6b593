"""Attention that MIRNet and HWMNet share: over channels, over places, and between scales.

Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement", ECCV 2020,
sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_LEAST = 4


class ChannelAttention(nn.Module):
    """Weighs channels by what the picture holds of them on average."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        weights: Tensor = self.conv_du(features.mean((2, 3), keepdim=True))
        return features * weights


def pooled_channels(features: Tensor) -> Tensor:
    """Largest and mean channel of every place, ``[B, 2, H, W]``: what attends to places."""
    return torch.cat([features.amax(1, keepdim=True), features.mean(1, keepdim=True)], 1)


class SelectiveFusion(nn.Module):
    """Mixes feature maps of several origins, channel by channel, with weights that sum to one."""

    def __init__(self, channels: int, *, origins: int, reduction: int = 8) -> None:
        super().__init__()
        inner = max(channels // reduction, _LEAST)
        self.conv_du = nn.Sequential(nn.Conv2d(channels, inner, 1, bias=False), nn.PReLU())
        self.fcs = nn.ModuleList(nn.Conv2d(inner, channels, 1, bias=False) for _ in range(origins))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """``origins`` maps ``[B, C, H, W]`` to one."""
        stacked = torch.stack(tuple(features), 1)
        summary = self.conv_du(stacked.sum(1).mean((2, 3), keepdim=True))
        weights = torch.stack([layer(summary) for layer in self.fcs], 1).softmax(1)
        return (stacked * weights).sum(1)
