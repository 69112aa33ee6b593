"""HWMNet: an M-shaped network whose blocks attend to half of their channels as wavelets.

Fan et al., "Half Wavelet Attention on M-Net+ for Low-Light Image Enhancement", ICIP 2022,
figures 2 and 3.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.attention import (
    ChannelAttention,
    SelectiveFusion,
    pooled_channels,
)
from benchmark.enhancers.published.borders import mirrored_to_multiple
from benchmark.enhancers.published.enhancer import Network


def wavelets(features: Tensor) -> Tensor:
    """Orthonormal Haar transform: ``[B, C, H, W]`` to ``[B, 4 C, H / 2, W / 2]``.

    The channels are those of the mean first, then of the differences between columns, between
    rows, and of both. Sides must be even.
    """
    top, bottom = features[:, :, 0::2] / 2, features[:, :, 1::2] / 2
    a, b, c, d = top[..., 0::2], bottom[..., 0::2], top[..., 1::2], bottom[..., 1::2]
    return torch.cat([a + b + c + d, c + d - a - b, b + d - a - c, a + d - b - c], 1)


def from_wavelets(bands: Tensor) -> Tensor:
    """What :func:`wavelets` was given: ``[B, 4 C, H, W]`` to ``[B, C, 2 H, 2 W]``."""
    mean, across, down, both = (bands / 2).chunk(4, 1)
    corners = [
        mean - across - down + both,
        mean + across - down - both,
        mean - across + down - both,
        mean + across + down + both,
    ]
    return functional.pixel_shuffle(torch.stack(corners, 2).flatten(1, 2), 2)


class PlaceAttention(nn.Module):
    """Weighs places by the largest and the mean channel around them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(nn.Conv2d(2, 1, 5, padding=2, bias=False), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        weights: Tensor = self.conv_du(pooled_channels(features))
        return features * weights


class HalfWavelet(nn.Module):
    """Dual attention among the wavelets of half of the channels; the other half passes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # one slope for both places, as released; each of its two names is in the file
        activation = nn.PReLU()
        bands = 2 * channels
        self.body = nn.Sequential(
            nn.Conv2d(bands, channels, 3, padding=1, bias=False),
            activation,
            nn.Conv2d(channels, bands, 3, padding=1, bias=False),
        )
        self.WSA = PlaceAttention()
        self.WCA = ChannelAttention(bands, reduction=16)
        self.conv1x1 = nn.Conv2d(2 * bands, bands, 1, bias=False)
        self.conv3x3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.activate = activation
        self.conv1x1_final = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape; channels and sides are even."""
        half, other = features.chunk(2, 1)
        bands = wavelets(half)
        inner = self.body(bands)
        attended = self.conv1x1(torch.cat([self.WSA(inner), self.WCA(inner)], 1)) + bands
        both = torch.cat([from_wavelets(attended), other], 1)
        result: Tensor = self.activate(self.conv3x3(both)) + self.conv1x1_final(features)
        return result


class Shuffle(nn.Module):
    """Half or twice the size by moving pixels between places and channels, then 1 x 1."""

    def __init__(self, before: int, after: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv1 = nn.Conv2d(before // 4 if up else before * 4, after, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, before, H, W]`` to ``[B, after, 2 H, 2 W]`` or ``[B, after, H / 2, W / 2]``."""
        shuffle = functional.pixel_shuffle if self.up else functional.pixel_unshuffle
        result: Tensor = self.conv1(shuffle(features, 2))
        return result


class Level(nn.Module):
    """A half-wavelet block and a 1 x 1 convolution; in the encoder also the next size down."""

    def __init__(self, before: int, after: int, *, shrinks: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(HalfWavelet(before))
        if shrinks:
            self.downsample = Shuffle(after, after, up=False)
        self.tail = nn.Conv2d(before, after, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, before, H, W]`` to ``[B, after, H, W]``."""
        result: Tensor = self.tail(self.body(features))
        return result


class UpLevel(nn.Module):
    """The coarser result at twice the size beside the encoder's, through a block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.up = Shuffle(before, after, up=True)
        self.conv_block = Level(2 * after, after, shrinks=False)

    def forward(self, coarse: Tensor, bridge: Tensor) -> Tensor:
        """``[B, before, H, W]`` and ``[B, after, 2 H, 2 W]`` to the latter's shape."""
        result: Tensor = self.conv_block(torch.cat([self.up(coarse), bridge], 1))
        return result


class HwmNet(Network):
    """The input plus the mixed results of all sizes of a U-Net that sees the input at each.

    Args:
        width: channels of the first level, a multiple of 8; 96 as published.
        depth: levels.
    """

    def __init__(self, width: int = 96, *, depth: int = 4) -> None:
        super().__init__()
        self.depth = depth
        self.conv_01 = nn.Conv2d(3, width, 3, padding=1)
        widths = [width << level for level in range(depth)]
        self.down_path = nn.ModuleList(
            Level(
                width + (widths[level - 1] if level else 0),
                widths[level],
                shrinks=level + 1 < depth,
            )
            for level in range(depth)
        )
        self.bottom_conv = nn.Conv2d(widths[-1], width, 3, padding=1)
        finer = range(depth - 2, -1, -1)
        self.up_path = nn.ModuleList(UpLevel(widths[i + 1], widths[i]) for i in finer)
        self.skip_conv = nn.ModuleList(nn.Conv2d(widths[i], widths[i], 3, padding=1) for i in finer)
        self.conv_up = nn.ModuleList(
            nn.Sequential(_enlarge(1 << i), nn.Conv2d(widths[i], width, 3, padding=1))
            for i in finer
        )
        self.final_ff = SelectiveFusion(width, origins=depth)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; sides are mirrored to multiples of 16."""
        height, width = images.shape[-2:]
        padded = mirrored_to_multiple(images, 1 << self.depth)
        smaller, features, bridges = padded, self.conv_01(padded), []
        for number, module in enumerate(self.down_path):
            level = cast(Level, module)
            if number:
                smaller = _resized(smaller, 0.5)
                features = torch.cat([features, self.conv_01(smaller)], 1)
            features = level(features)
            if number + 1 < self.depth:
                bridges.append(features)
                features = level.downsample(features)
        results = [_resized(self.bottom_conv(features), float(1 << (self.depth - 1)))]
        for up, skip, enlarge in zip(self.up_path, self.skip_conv, self.conv_up, strict=True):
            features = up(features, skip(bridges.pop()))
            results.append(enlarge(features))
        output: Tensor = self.last(self.final_ff(results)) + padded
        return output[..., :height, :width]


def _enlarge(factor: int) -> nn.Upsample:
    return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)


def _resized(images: Tensor, factor: float) -> Tensor:
    return functional.interpolate(images, scale_factor=factor, mode="bilinear", align_corners=False)
