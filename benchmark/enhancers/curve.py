"""A curve network of the Zero-DCE type, trained here with pairs.

The topology is the published one (Guo et al., CVPR 2020): seven 3 x 3 convolutions of 32
channels, skip connections 3+4, 2+5, 1+6, and 24 maps that drive eight steps of
x <- x + A (x^2 - x), three channels each. Three things differ and none is hidden. It learns from
pairs instead of the four reference-free losses. The maps are estimated on a copy of the image
whose short side is 32 pixels and then enlarged bilinearly: light varies slowly over a picture, the
field of view of the network stays the same share of it at any size, and training fits two cores.
And the curves act on an image smoothed by a 3 x 3 binomial, without parameters: a curve cannot
remove noise, and 0 is a fixed point of it, so that what a sensor clipped to black would stay black
for good; on the faces probe that alone held PSNR 4 dB lower and hid half of the faces found.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from benchmark.enhancers.hosts import Host, Tap
from benchmark.imaging.filters import binomial, resize_matrix, separable

STEPS = 8
_WIDTH = 32
_SHORT_SIDE = 32


class CurveNetwork(nn.Module):
    """Image to image; outputs stay in [0, 1] for inputs in [0, 1].

    Hidden layers start so that they keep the variance of their input (He et al. 2015) and the last
    starts small: the first curves are near the identity and yet differ from picture to picture.
    From the published N(0, 0.02) a short training ends before the layers have found their scale.

    Args:
        seed: of the initial weights; the global random state is neither read nor changed.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        inputs = (3, _WIDTH, _WIDTH, _WIDTH, 2 * _WIDTH, 2 * _WIDTH, 2 * _WIDTH)
        outputs = (*[_WIDTH] * 6, 3 * STEPS)
        layers = [
            nn.utils.skip_init(nn.Conv2d, before, after, 3, padding=1)  # type: ignore[no-untyped-call]
            for before, after in zip(inputs, outputs, strict=True)
        ]
        generator = torch.Generator().manual_seed(seed)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            layers[-1].weight.mul_(0.1)
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``."""
        return self.estimate(images)[0]

    def estimate(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Enhanced images and the curve maps ``[B, 24, H, W]`` that made them."""
        height, width = images.shape[-2:]
        small = functional.adaptive_avg_pool2d(images, _reduced(height, width))
        maps = separable(
            self.maps(small),
            resize_matrix(small.shape[-2], height),
            resize_matrix(small.shape[-1], width),
        )
        result: Tensor = _Curves.apply(binomial(images), maps)
        return result, maps

    def maps(self, images: Tensor) -> Tensor:
        """Curve parameters in [-1, 1], ``[B, 24, H, W]``, at the size of ``images``."""
        first, second, third, fourth, fifth, sixth, last = self.layers
        one = first(images).relu()
        two = second(one).relu()
        three = third(two).relu()
        four = fourth(three).relu()
        five = fifth(torch.cat([three, four], 1)).relu()
        six = sixth(torch.cat([two, five], 1)).relu()
        result: Tensor = last(torch.cat([one, six], 1)).tanh()
        return result


class FullCurveNetwork(CurveNetwork):
    """The published structure to the letter: maps at full size, curves on the image itself."""

    def estimate(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Enhanced images and the curve maps ``[B, 24, H, W]`` that made them."""
        maps = self.maps(images)
        result: Tensor = _Curves.apply(images, maps)
        return result, maps


def _reduced(height: int, width: int) -> tuple[int, int]:
    """Size at which the maps are estimated: short side 32 px, never enlarged."""
    factor = max(min(height, width) / _SHORT_SIDE, 1.0)
    return max(round(height / factor), 1), max(round(width / factor), 1)


class _Curves(torch.autograd.Function):
    """Eight curve steps with a hand-written gradient: a third of the memory traffic of autograd."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, maps: Tensor) -> Tensor:
        states = [images]
        for step in torch.split(maps, 3, 1):
            state = states[-1]
            states.append(torch.addcmul(state, step, state.square() - state))
        ctx.save_for_backward(maps, *states[:-1])
        return states[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        maps, *states = ctx.saved_tensors
        of_maps = torch.empty_like(maps)
        steps = zip(torch.split(maps, 3, 1), torch.split(of_maps, 3, 1), states, strict=True)
        for step, of_step, state in reversed(list(steps)):
            torch.mul(gradient, state.square().sub_(state), out=of_step)
            # d/dx of x + A (x^2 - x)
            gradient = torch.addcmul(gradient, gradient * step, (state * 2).sub_(1))
        return gradient, of_maps


#: The three layers of the second half, coarse meaning first: the layers that the skips feed.
_TAPS = tuple(Tap(f"layers.{3 + k}", _WIDTH, k) for k in range(3))

HOST = Host(
    name="curve",
    factory=CurveNetwork,
    parameters=79_416,
    licence="Apache-2.0",
    citation="Guo et al., Zero-reference deep curve estimation, CVPR 2020",
    taps=_TAPS,
)

FULL = Host(
    name="curve-full",
    factory=FullCurveNetwork,
    parameters=79_416,
    licence="Apache-2.0",
    citation="Guo et al., Zero-reference deep curve estimation, CVPR 2020",
    taps=_TAPS,
)
