"""LLFlow: the condition and the flow, as one network.

Wang et al., "Low-Light Image Enhancement with Normalizing Flow", AAAI 2022. The most likely picture
is the inverse flow of the latent's mean, which is a colour map: nothing is sampled.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.borders import mirrored, mirrored_to_multiple
from benchmark.enhancers.published.enhancer import Network
from benchmark.enhancers.published.llflow.encoder import Condition, Encoder, colour_map
from benchmark.enhancers.published.llflow.steps import FlowStep, Invertible, Squeeze

_LEVELS = 3
_UNIT = 1 << _LEVELS
#: Steps of every level that see no condition.
_FREE = 2
#: The authors pad to the next multiple, also where the size is one already.
_PADDED = 16


class Flow(nn.Module):
    """Three levels: squeeze, two free steps, then steps that see the condition of that size.

    Args:
        condition: channels of the condition.
        steps: conditional steps a level.
        hidden: channels of the estimators.
        levels: how many levels.
    """

    def __init__(
        self, condition: int, steps: int, *, hidden: int = 64, levels: int = _LEVELS
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.level_of: list[int] = []
        for level in range(levels):
            channels = 3 * 4 ** (level + 1)
            layers.append(Squeeze())
            layers += [FlowStep(channels) for _ in range(_FREE)]
            layers += [FlowStep(channels, condition=condition, hidden=hidden) for _ in range(steps)]
            self.level_of += [level] * (len(layers) - len(self.level_of))
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Tensor, levels: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``[B, 3, H, W]`` to the latent ``[B, 192, H / 8, W / 8]`` and ln |det|, ``[B]``."""
        values, logarithm = images, images.new_zeros(len(images))
        for layer, level in zip(self.layers, self.level_of, strict=True):
            values, more = cast(Invertible, layer)(values, levels[level])
            logarithm = logarithm + more
        return values, logarithm

    def inverse(self, latent: Tensor, levels: tuple[Tensor, ...]) -> Tensor:
        """The picture whose latent it is."""
        values = latent
        for layer, level in zip(reversed(self.layers), reversed(self.level_of), strict=True):
            values = cast(Invertible, layer).inverse(values, levels[level])
        return values


#: Layers that were released with the others and that nothing uses: a published file holds them.
SPARE = (
    "RRDB.downconv3",
    "RRDB.HRconv",
    "RRDB.conv_last",
    "RRDB.awb_para",
    "flowUpsamplerNet.f",
)


class LlFlow(Network):
    """The encoder and the flow under their released names.

    Args:
        width: channels of the encoder.
        blocks: of its trunk.
        steps: conditional steps a level of the flow.
        taps: blocks of the trunk that the condition holds.
        hidden: channels of the estimators in the flow.
    """

    def __init__(
        self, width: int, blocks: int, steps: int, taps: tuple[int, ...], *, hidden: int = 64
    ) -> None:
        super().__init__()
        self.RRDB = Encoder(width, blocks, taps)
        self.flowUpsamplerNet = Flow(width * (1 + len(taps)), steps, hidden=hidden)
        spare = nn.Conv2d(64 * (1 + len(taps)), 6 * hidden, 3, padding=1)
        self.flowUpsamplerNet.add_module("f", nn.Sequential(spare))

    def forward(self, images: Tensor) -> Tensor:
        """The most likely picture of ``[B, 3, H, W]``.

        Sides are mirrored, equally on both ends, to the next multiple of 16, as the authors do
        where there is no reference. Their test on LOL then gives every picture the mean of its
        reference; that is never done here.
        """
        height, width = images.shape[-2:]
        below, beside = _PADDED - height % _PADDED, _PADDED - width % _PADDED
        top, left = below // 2, beside // 2
        padded = mirrored(
            images,
            left=left,
            right=beside - left,
            top=top,
            bottom=below - top,
            repeat_edge=True,
        )
        condition: Condition = self.RRDB(padded)
        latent = functional.pixel_unshuffle(condition.colours, _UNIT)
        output = self.flowUpsamplerNet.inverse(latent, condition.levels)
        return output[..., top : top + height, left : left + width]

    def bits(self, images: Tensor, references: Tensor, told: Tensor) -> Tensor:
        """Negative log-likelihood of the references, in bits a pixel, ``[B]`` (equation 6).

        Args:
            images: ``[B, 3, H, W]``.
            references: the same shape.
            told: ``[B]`` bool, where the latent's mean is the reference's own colour map rather
                than the encoder's.
        """
        images = mirrored_to_multiple(images, _UNIT)
        references = mirrored_to_multiple(references, _UNIT)
        condition: Condition = self.RRDB(images)
        latent, logarithm = self.flowUpsamplerNet(references, condition.levels)
        colours = torch.where(told[:, None, None, None], colour_map(references), condition.colours)
        distance = (latent - functional.pixel_unshuffle(colours, _UNIT)).square()
        likelihood = -(distance + math.log(2 * math.pi)).sum((1, 2, 3)) / 2
        pixels = references[0, 0].numel()
        bits: Tensor = -(likelihood + logarithm) / (math.log(2) * pixels)
        return bits


def without_spares(network: LlFlow) -> LlFlow:
    """The network without the layers that nothing uses, for a training of its own."""
    for name in SPARE:
        parent, _, layer = name.rpartition(".")
        delattr(network.get_submodule(parent), layer)
    return network


def small() -> LlFlow:
    """The light network of the authors' ``LOL_smallNet.yml``."""
    return LlFlow(width=32, blocks=4, steps=4, taps=(1,))


def large() -> LlFlow:
    """The standard network of the authors' ``LOL-pc.yml``."""
    return LlFlow(width=64, blocks=24, steps=12, taps=(1, 3, 5, 7))
