"""Zero-DCE: light-enhancement curves of each pixel, estimated by a small network.

Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement", CVPR 2020,
section 3: seven 3 x 3 convolutions with symmetric concatenations, eight curve steps (eq. 3).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmark.enhancers.published.enhancer import Network

STEPS = 8
WIDTH = 32


class CurveEstimator(Network):
    """The topology that Zero-DCE and its successors share.

    Args:
        layer: makes one convolution from its numbers of channels in and out.
        maps: channels of the curve parameters.
    """

    def __init__(self, layer: Callable[[int, int], nn.Module], maps: int) -> None:
        super().__init__()
        self.e_conv1 = layer(3, WIDTH)
        self.e_conv2 = layer(WIDTH, WIDTH)
        self.e_conv3 = layer(WIDTH, WIDTH)
        self.e_conv4 = layer(WIDTH, WIDTH)
        self.e_conv5 = layer(2 * WIDTH, WIDTH)
        self.e_conv6 = layer(2 * WIDTH, WIDTH)
        self.e_conv7 = layer(2 * WIDTH, maps)

    def curves(self, images: Tensor) -> Tensor:
        """Curve parameters in [-1, 1], ``[B, maps, H, W]``."""
        one = self.e_conv1(images).relu_()
        two = self.e_conv2(one).relu_()
        three = self.e_conv3(two).relu_()
        four = self.e_conv4(three).relu_()
        five = self.e_conv5(torch.cat([three, four], 1)).relu_()
        six = self.e_conv6(torch.cat([two, five], 1)).relu_()
        result: Tensor = self.e_conv7(torch.cat([one, six], 1)).tanh_()
        return result


class ZeroDce(CurveEstimator):
    """Eight curve maps per colour, one for each step."""

    def __init__(self) -> None:
        super().__init__(_convolution, 3 * STEPS)

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; outputs stay in [0, 1]."""
        for curve in torch.split(self.curves(images), 3, 1):
            images = bend(images, curve)
        return images


def bend(images: Tensor, curve: Tensor) -> Tensor:
    """One step x + A (x^2 - x), eq. 3; maps [0, 1] into itself for A in [-1, 1]."""
    return torch.addcmul(images, curve, images.square() - images)


def _convolution(before: int, after: int) -> nn.Module:
    return nn.Conv2d(before, after, 3, padding=1)
