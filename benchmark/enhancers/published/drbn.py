"""DRBN, stage 1: an image is built band by band in four recursions.

Yang et al., "From Fidelity to Perceptual Quality: A Semi-Supervised Approach for Low-Light Image
Enhancement", CVPR 2020, section 3.2 (recursive band learning).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.enhancer import Network, pad_to_multiple

_WIDTH = 16
_RECURSIONS = 4
_DENSE_LAYERS = 4
_COARSEST = 4


class Bands(NamedTuple):
    """Features at full, half and quarter size: 16, 16 and 32 channels."""

    full: Tensor
    half: Tensor
    quarter: Tensor


class DenseLayer(nn.Module):
    """Appends ``growth`` channels to its input."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(before, growth, 3, padding=1), nn.ReLU())

    def forward(self, features: Tensor) -> Tensor:
        """``[B, before, H, W]`` to ``[B, before + growth, H, W]``."""
        return torch.cat([features, self.conv(features)], 1)


class ResidualDenseBlock(nn.Module):
    """Four dense layers of half the width, a 1 x 1 convolution back, and the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        growth = channels // 2
        self.convs = nn.Sequential(
            *(DenseLayer(channels + number * growth, growth) for number in range(_DENSE_LAYERS))
        )
        self.LFF = nn.Conv2d(channels + _DENSE_LAYERS * growth, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.LFF(self.convs(features)) + features
        return result


class Recursion(nn.Module):
    """One pass over the bands; adds to those of the pass before."""

    def __init__(self) -> None:
        super().__init__()
        self.SFENet1 = nn.Conv2d(6, _WIDTH, 3, padding=1)
        self.SFENet2 = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        wide = 2 * _WIDTH
        widths = (_WIDTH, _WIDTH, wide, wide, _WIDTH, _WIDTH)
        self.RDBs = nn.ModuleList(ResidualDenseBlock(width) for width in widths)
        self.Down1 = nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1)
        self.Down2 = nn.Conv2d(_WIDTH, wide, 3, stride=2, padding=1)
        self.Up1 = nn.ConvTranspose2d(_WIDTH, _WIDTH, 4, stride=2, padding=1)
        self.Up2 = nn.ConvTranspose2d(wide, _WIDTH, 4, stride=2, padding=1)
        self.UPNet = _to_image(_WIDTH)
        self.UPNet2 = _to_image(_WIDTH)
        self.UPNet4 = _to_image(wide)

    def forward(self, pictures: Tensor, before: Bands | None) -> tuple[Tensor, Bands]:
        """The image of this pass and its bands.

        Args:
            pictures: ``[B, 6, H, W]``, the image of the pass before and the input.
            before: bands of the pass before, None in the first.
        """
        shallow = self.SFENet1(pictures).relu()
        full = self.SFENet2(shallow).relu()
        half = self.Down1(self.RDBs[0](full))
        quarter = self.Down2(self.RDBs[1](half))
        quarter = quarter + self.RDBs[3](self.RDBs[2](quarter))
        if before is not None:
            quarter = quarter + before.quarter
        half = half + self.RDBs[4](self.Up2(quarter))
        if before is not None:
            half = half + before.half
        full = full + self.RDBs[5](self.Up1(half)) + shallow
        if before is not None:
            full = full + before.full
        image = self.UPNet2(half) + _twice(self.UPNet4(quarter))
        image = self.UPNet(full) + _twice(image)
        return image, Bands(full, half, quarter)


class Drbn(Network):
    """The image of the fourth recursion."""

    def __init__(self) -> None:
        super().__init__()
        for number in range(1, _RECURSIONS + 1):
            self.add_module(f"recur{number}", Recursion())

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; sides are padded to multiples of 4 by repeating the edge."""
        height, width = images.shape[-2:]
        images = pad_to_multiple(images, _COARSEST)
        result, bands = images, None
        for recursion in self.children():
            result, bands = recursion(torch.cat([result, images], 1), bands)
        return result[..., :height, :width]


def _to_image(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, _WIDTH, 3, padding=1), nn.Conv2d(_WIDTH, 3, 3, padding=1)
    )


def _twice(images: Tensor) -> Tensor:
    return functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
