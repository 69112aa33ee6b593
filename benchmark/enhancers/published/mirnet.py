"""MIRNet: three resolutions side by side that exchange what they see.

Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement", ECCV 2020,
figures 1 to 4.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.attention import (
    ChannelAttention,
    SelectiveFusion,
    pooled_channels,
)
from benchmark.enhancers.published.borders import mirrored
from benchmark.enhancers.published.enhancer import Network, pad_to_multiple

_STREAMS = 3
_COLUMNS = 2
_BINOMIAL = (1.0, 2.0, 1.0)


class PlaceAttention(nn.Module):
    """Weighs places by the largest and the mean channel around them."""

    def __init__(self) -> None:
        super().__init__()
        # the released file calls the convolution spatial.conv
        self.spatial = nn.ModuleDict({"conv": nn.Conv2d(2, 1, 5, padding=2, bias=False)})

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        weights: Tensor = self.spatial["conv"](pooled_channels(features)).sigmoid()
        return features * weights


class DualAttention(nn.Module):
    """Two convolutions, attended over places and over channels, added to the input.

    Args:
        channels: of the features.
        activation: one PReLU for the whole network, as released.
    """

    def __init__(self, channels: int, activation: nn.PReLU) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(channels), activation, _conv(channels))
        self.SA = PlaceAttention()
        self.CA = ChannelAttention(channels, reduction=8)
        self.conv1x1 = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        inner = self.body(features)
        result: Tensor = self.conv1x1(torch.cat([self.SA(inner), self.CA(inner)], 1))
        return result + features


class Blur(nn.Module):
    """Binomial blur, then every second pixel: halves a picture without aliasing."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor(_BINOMIAL)
        kernel = torch.outer(taps, taps) / taps.sum() ** 2
        self.register_buffer("filt", kernel.repeat(channels, 1, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to half the sides."""
        bordered = mirrored(features, left=1, right=1, top=1, bottom=1)
        return functional.conv2d(bordered, self.filt, stride=2, groups=len(self.filt))


class Resize(nn.Module):
    """A learned path and a plain one to the same size, added."""

    top: nn.Sequential
    bot: nn.Sequential

    def forward(self, features: Tensor) -> Tensor:
        """Both paths."""
        result: Tensor = self.top(features) + self.bot(features)
        return result


class Halve(Resize):
    """Half the size, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.top = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.PReLU(),
            _conv(channels),
            nn.PReLU(),
            Blur(channels),
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
        )
        self.bot = nn.Sequential(Blur(channels), nn.Conv2d(channels, 2 * channels, 1, bias=False))


class Double(Resize):
    """Twice the size, half the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.top = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.PReLU(),
            nn.ConvTranspose2d(
                channels, channels, 3, stride=2, padding=1, output_padding=1, bias=False
            ),
            nn.PReLU(),
            nn.Conv2d(channels, channels // 2, 1, bias=False),
        )
        self.bot = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(channels, channels // 2, 1, bias=False),
        )


class Steps(nn.Module):
    """Several halvings or doublings."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*steps)

    def forward(self, features: Tensor) -> Tensor:
        """Through all of them."""
        result: Tensor = self.body(features)
        return result


class MultiScaleBlock(nn.Module):
    """Streams of width, 2 width and 4 width channels; each column ends in an exchange.

    The dual attention of a stream is the same one in both columns, as released.
    """

    def __init__(self, width: int, activation: nn.PReLU) -> None:
        super().__init__()
        widths = [width << stream for stream in range(_STREAMS)]
        columns = [[DualAttention(w, activation)] * _COLUMNS for w in widths]
        self.blocks = nn.ModuleList(nn.ModuleList(column) for column in columns)
        self.last_up = nn.ModuleDict({str(s): _up(widths[s], s) for s in range(1, _STREAMS)})
        self.down = nn.ModuleDict(
            {
                f"{widths[stream]}_{1 << steps}": _down(widths[stream], steps)
                for stream in range(_STREAMS)
                for steps in range(_STREAMS - 1 - stream, 0, -1)
            }
        )
        self.up = nn.ModuleDict(
            {
                f"{widths[stream]}_{1 << steps}": _up(widths[stream], steps)
                for stream in range(_STREAMS - 1, 0, -1)
                for steps in range(stream, 0, -1)
            }
        )
        self.conv_out = _conv(width)
        self.selective_kernel = nn.ModuleList(SelectiveFusion(w, origins=_STREAMS) for w in widths)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, width, H, W]`` to the same shape; 4 divides the sides."""
        streams, current = [], features
        for stream, column in enumerate(self.blocks):
            if stream:
                current = self._moved(current, stream - 1, stream)
            current = _nth(column, 0)(current)
            streams.append(current)
        for number in range(1, _COLUMNS):
            exchanged = [self._gathered(streams, stream) for stream in range(_STREAMS)]
            streams = [
                _nth(column, number)(exchanged[stream]) for stream, column in enumerate(self.blocks)
            ]
        finest = [streams[0], *(self.last_up[str(s)](streams[s]) for s in range(1, _STREAMS))]
        result: Tensor = self.conv_out(self.selective_kernel[0](finest))
        return result + features

    def _gathered(self, streams: list[Tensor], target: int) -> Tensor:
        """All streams at the size of one, mixed."""
        moved = [self._moved(features, source, target) for source, features in enumerate(streams)]
        result: Tensor = self.selective_kernel[target](moved)
        return result

    def _moved(self, features: Tensor, source: int, target: int) -> Tensor:
        if source == target:
            return features
        ways = self.down if source < target else self.up
        result: Tensor = ways[f"{features.shape[1]}_{1 << abs(source - target)}"](features)
        return result


class ResidualGroup(nn.Module):
    """Blocks and a convolution, added to the input."""

    def __init__(self, width: int, blocks: int, activation: nn.PReLU) -> None:
        super().__init__()
        body = [MultiScaleBlock(width, activation) for _ in range(blocks)]
        self.body = nn.Sequential(*body, _conv(width))

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.body(features)
        return result + features


class MirNet(Network):
    """The input plus what three groups of multi-scale blocks make of it.

    Args:
        width: channels of the finest stream, a multiple of 8; 64 as published.
        groups: recursive residual groups.
        blocks: multi-scale blocks in each.
    """

    coarsest: ClassVar[int] = 1 << (_STREAMS - 1)

    def __init__(self, width: int = 64, *, groups: int = 3, blocks: int = 2) -> None:
        super().__init__()
        activation = nn.PReLU()
        self.conv_in = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.body = nn.Sequential(
            *(ResidualGroup(width, blocks, activation) for _ in range(groups))
        )
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; sides are padded to multiples of 4 by repeating the edge."""
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, self.coarsest)
        result: Tensor = self.conv_out(self.body(self.conv_in(padded))) + padded
        return result[..., :height, :width]


def _conv(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, bias=False)


def _down(channels: int, steps: int) -> Steps:
    return Steps(*(Halve(channels << step) for step in range(steps)))


def _up(channels: int, steps: int) -> Steps:
    return Steps(*(Double(channels >> step) for step in range(steps)))


def _nth(column: nn.Module, number: int) -> nn.Module:
    return column.get_submodule(str(number))
