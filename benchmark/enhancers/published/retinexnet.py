"""RetinexNet: decomposition into reflectance and illumination, then a brighter illumination.

Wei et al., "Deep Retinex Decomposition for Low-Light Enhancement", BMVC 2018, sections 3.2 and 3.3,
in the form of the PyTorch port whose weights are published: borders are repeated rather than
zero, and there is no denoising of the reflectance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.enhancer import Network

_WIDTH = 64
_DECOMPOSING_LAYERS = 5
_LEVELS = (1, 2, 3)


class RetinexNet(Network):
    """Reflectance times the adjusted illumination; the two published files are one state."""

    def __init__(self) -> None:
        super().__init__()
        self.net1_conv0 = _convolution(4, _WIDTH, kernel=9)
        layers = [(_convolution(_WIDTH, _WIDTH), nn.ReLU()) for _ in range(_DECOMPOSING_LAYERS)]
        self.net1_convs = nn.Sequential(*(module for layer in layers for module in layer))
        self.net1_recon = _convolution(_WIDTH, 4)
        self.net2_conv0_1 = _convolution(4, _WIDTH)
        for level in _LEVELS:
            self.add_module(f"net2_conv1_{level}", _convolution(_WIDTH, _WIDTH, stride=2))
            self.add_module(f"net2_deconv1_{level}", _convolution(2 * _WIDTH, _WIDTH))
        # the border that the last convolution needs is made by the 1 x 1 convolution before it
        self.net2_fusion = nn.Conv2d(3 * _WIDTH, _WIDTH, 1, padding=1, padding_mode="replicate")
        self.net2_output = nn.Conv2d(_WIDTH, 1, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``."""
        reflectance, illumination = self.decompose(images)
        return reflectance * self.relight(reflectance, illumination)

    def decompose(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Reflectance ``[B, 3, H, W]`` and illumination ``[B, 1, H, W]``, both in [0, 1]."""
        brightest = images.amax(1, keepdim=True)
        features = self.net1_convs(self.net1_conv0(torch.cat([brightest, images], 1)))
        parts = self.net1_recon(features).sigmoid()
        return parts[:, :3], parts[:, 3:]

    def relight(self, reflectance: Tensor, illumination: Tensor) -> Tensor:
        """A new illumination, ``[B, 1, H, W]``."""
        features = self.net2_conv0_1(torch.cat([reflectance, illumination], 1))
        skips = []
        for level in _LEVELS:
            skips.append(features)
            features = self.get_submodule(f"net2_conv1_{level}")(features).relu()
        decoded = []
        for level in _LEVELS:
            skip = skips.pop()
            both = torch.cat([_nearest(features, skip), skip], 1)
            features = self.get_submodule(f"net2_deconv1_{level}")(both).relu()
            decoded.append(features)
        fused = self.net2_fusion(torch.cat([_nearest(part, features) for part in decoded], 1))
        result: Tensor = self.net2_output(fused)
        return result


def _nearest(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(features, size=like.shape[-2:], mode="nearest")


def _convolution(before: int, after: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        before, after, kernel, stride=stride, padding=kernel // 2, padding_mode="replicate"
    )
