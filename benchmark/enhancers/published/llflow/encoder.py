"""LLFlow's condition: features at three sizes, and the colours that the picture should have.

Wang et al., "Low-Light Image Enhancement with Normalizing Flow", AAAI 2022, section 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.imaging.histogram import equalised

_GROWTH = 32
_SLOPE = 0.2
_RESIDUAL = 0.2


class Condition(NamedTuple):
    """What the flow is told.

    Attributes:
        levels: features at a half, a quarter and an eighth of the size.
        colours: ``[B, 3, H, W]`` in [0, 1], the mean of the latent.
    """

    levels: tuple[Tensor, ...]
    colours: Tensor


def colour_map(images: Tensor) -> Tensor:
    """Every channel as a share of the pixel's sum, ``[B, 3, H, W]``: what light cannot change."""
    return images / (images.sum(1, keepdim=True) + 1e-4)


def described(images: Tensor) -> Tensor:
    """``[B, 3, H, W]`` as twelve channels: in logarithms, equalised, and its colours and noise."""
    logarithms = (images + 1e-3).clamp(min=1e-3).log()
    colours = colour_map(logarithms.exp())
    noise = torch.maximum(_slope(colours, 2).abs(), _slope(colours, 3).abs())
    return torch.cat([logarithms, equalised(images), colours, noise], 1)


class DenseBlock(nn.Module):
    """Five convolutions, each of all that came before, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for number in range(1, 6):
            after = channels if number == 5 else _GROWTH
            layer = nn.Conv2d(channels + (number - 1) * _GROWTH, after, 3, padding=1)
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 0.1  # so that a deep trunk starts near the identity
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            self.add_module(f"conv{number}", layer)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        *inner, last = self.children()
        dense = features
        for layer in inner:
            dense = torch.cat([dense, functional.leaky_relu(layer(dense), _SLOPE)], 1)
        result: Tensor = last(dense) * _RESIDUAL
        return result + features


class ResidualDense(nn.Module):
    """Three dense blocks, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.RDB1 = DenseBlock(channels)
        self.RDB2 = DenseBlock(channels)
        self.RDB3 = DenseBlock(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.RDB3(self.RDB2(self.RDB1(features))) * _RESIDUAL
        return result + features


class Encoder(nn.Module):
    """A trunk of residual dense blocks at half the size.

    Args:
        width: channels.
        blocks: in the trunk.
        taps: blocks whose output goes into the condition, from 0.
    """

    def __init__(self, width: int, blocks: int, taps: tuple[int, ...]) -> None:
        super().__init__()
        self.taps = taps
        self.conv_first = _conv(12, width)
        self.conv_second = _conv(width, width)
        self.RRDB_trunk = nn.Sequential(*(ResidualDense(width) for _ in range(blocks)))
        self.trunk_conv = _conv(width, width)
        self.downconv1 = _conv(width, width)
        self.downconv2 = _conv(width, width)
        self.fine_tune_color_map = nn.Sequential(nn.Conv2d(width, 3, 1), nn.Sigmoid())
        # used by nothing, see network.SPARE
        self.downconv3 = _conv(width, width)
        self.HRconv = _conv(width, width)
        self.conv_last = _conv(width, 3)
        self.awb_para = nn.Linear(width, 3)

    def forward(self, images: Tensor) -> Condition:
        """The condition of ``[B, 3, H, W]`` in [0, 1]; 8 divides the sides."""
        features = functional.leaky_relu(self.conv_first(described(images)), _SLOPE)
        head = functional.max_pool2d(self.conv_second(features), 2)
        features, tapped = head, []
        for number, block in enumerate(self.RRDB_trunk):
            features = block(features)
            if number in self.taps:
                tapped.append(features)
        half = head + self.trunk_conv(features)
        # the activation is in place in the release, so the condition holds what it made
        quarter = functional.leaky_relu(self.downconv1(_halved(half)), _SLOPE)
        eighth = self.downconv2(_halved(quarter))
        levels = tuple(
            torch.cat([level, *(functional.interpolate(t, level.shape[-2:]) for t in tapped)], 1)
            for level in (half, quarter, eighth)
        )
        return Condition(levels, self.fine_tune_color_map(_nearest(half, 2)))


def _slope(images: Tensor, axis: int) -> Tensor:
    """Central differences, zero outside."""
    padding = (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0)
    padded = functional.pad(images, padding)
    size = images.shape[axis]
    return (padded.narrow(axis, 2, size) - padded.narrow(axis, 0, size)) / 2


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def _halved(features: Tensor) -> Tensor:
    size = (features.shape[-2] // 2, features.shape[-1] // 2)
    return functional.interpolate(features, size=size, mode="bilinear", align_corners=False)


def _nearest(features: Tensor, factor: float) -> Tensor:
    return functional.interpolate(features, scale_factor=factor, mode="nearest")
