"""EnlightenGAN's generator: a U-Net told at every scale where the picture is dark.

Jiang et al., "EnlightenGAN: Deep Light Enhancement Without Paired Supervision", IEEE TIP 2021,
section III-C. Inside, pictures are in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.borders import mirrored
from benchmark.enhancers.published.enhancer import Network

_LEVELS = 5
_COARSEST = 1 << (_LEVELS - 1)
_LUMA = (0.299, 0.587, 0.114)
_SLOPE = 0.2


def darkness(images: Tensor) -> Tensor:
    """What the network attends to: 1 minus the luma, ``[B, 1, H, W]``, of ``[B, 3, H, W]``."""
    return 1 - (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


class EnlightenGan(Network):
    """The input plus a residual times its darkness.

    Args:
        width: channels of the first level; 32 as published.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        before = 4
        for level in range(1, _LEVELS + 1):
            after = width << (level - 1)
            self._pair(level, before, after)
            before = after
        for level in range(_LEVELS + 1, 2 * _LEVELS):
            after = before // 2
            self.add_module(f"deconv{level - 1}", nn.Conv2d(before, after, 3, padding=1))
            self._pair(level, before, after, normed=level < 2 * _LEVELS - 1)
            before = after
        self.conv10 = nn.Conv2d(before, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; sides are mirrored to multiples of 16, equally on both ends."""
        height, width = images.shape[-2:]
        below, beside = -height % _COARSEST, -width % _COARSEST
        top, left = below // 2, beside // 2
        padded = mirrored(images, left=left, right=beside - left, top=top, bottom=below - top)
        output = self._at_whole_blocks(padded)
        return output[..., top : top + height, left : left + width]

    def _at_whole_blocks(self, images: Tensor) -> Tensor:
        centred = images * 2 - 1
        dark = [darkness(images)]
        features, bridges = torch.cat([centred, dark[0]], 1), []
        for level in range(1, _LEVELS):
            features = self._twice(level, features)
            bridges.append(features * dark[-1])
            features = functional.max_pool2d(features, 2)
            dark.append(functional.max_pool2d(dark[-1], 2))
        features = self._twice(_LEVELS, features, dark[-1])
        for level in range(_LEVELS + 1, 2 * _LEVELS):
            larger = functional.interpolate(
                features, scale_factor=2, mode="bilinear", align_corners=False
            )
            upper = self.get_submodule(f"deconv{level - 1}")(larger)
            features = self._twice(level, torch.cat([upper, bridges.pop()], 1))
        output: Tensor = self.conv10(features) * dark[0] + centred
        return (output + 1) / 2

    def _pair(self, level: int, before: int, after: int, *, normed: bool = True) -> None:
        """Two convolutions, each with a batch normalisation except the very last."""
        self.add_module(f"conv{level}_1", nn.Conv2d(before, after, 3, padding=1))
        self.add_module(f"bn{level}_1", nn.BatchNorm2d(after))
        self.add_module(f"conv{level}_2", nn.Conv2d(after, after, 3, padding=1))
        if normed:
            self.add_module(f"bn{level}_2", nn.BatchNorm2d(after))

    def _twice(self, level: int, features: Tensor, between: Tensor | None = None) -> Tensor:
        """Both convolutions of a level; ``between`` weighs what the first made."""
        modules = dict(self.named_children())
        for number in (1, 2):
            features = modules[f"conv{level}_{number}"](features)
            features = functional.leaky_relu(features, _SLOPE)
            norm = modules.get(f"bn{level}_{number}")
            features = norm(features) if norm else features
            if number == 1 and between is not None:
                features = features * between
        return features
