"""NAFNet as a host: spandrel's code of the architecture, trained here from random weights.

Chen et al., "Simple Baselines for Image Restoration", ECCV 2022. Four levels and one block at each,
the paper's network for deblurring with 1 in place of the 28 blocks of its lowest level: a size that
two cores can train. State dicts are those of spandrel and of the authors.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from spandrel.architectures.NAFNet import NAFNet  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import Host, Tap
from benchmark.enhancers.skf.attention import ChannelNorm

_LEVELS = 4


def build(width: int, *, levels: int = _LEVELS, channels: int = 3) -> nn.Module:
    """A NAFNet of ``width`` at full size, ``[B, channels, H, W]`` of any size to the same.

    Its normalisation is replaced by one of the same keys and values that autograd differentiates:
    spandrel's own backward pass asks for what newer releases of torch warn about.
    """
    network: nn.Module = NAFNet(
        img_channel=channels,
        width=width,
        middle_blk_num=1,
        enc_blk_nums=[1] * levels,
        dec_blk_nums=[1] * levels,
    )
    norms = [name for name, _ in network.named_modules() if name.endswith((".norm1", ".norm2"))]
    for name in norms:
        old: Any = network.get_submodule(name)
        network.set_submodule(name, ChannelNorm(len(old.weight), epsilon=old.eps))
    return network


class Folded(nn.Module):
    """A NAFNet that sees squares of ``fold`` x ``fold`` pixels as channels of one (FFDNet's trick).

    Zhang et al., IEEE TIP 2018. A core trains it several times faster than at full size, and it
    sees as far with fewer levels. Sides that ``fold`` does not divide are continued and cut off.
    """

    def __init__(self, *, width: int, levels: int, fold: int) -> None:
        super().__init__()
        self.fold = fold
        self.network = build(width, levels=levels, channels=3 * fold**2)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` to the same; the network adds to what it is shown."""
        height, width = images.shape[-2:]
        right, below = -width % self.fold, -height % self.fold
        padded = functional.pad(images, (0, right, 0, below), mode="replicate")
        seen = functional.pixel_unshuffle(padded, self.fold)
        return functional.pixel_shuffle(self.network(seen), self.fold)[..., :height, :width]


def host_of(width: int) -> Host:
    """NAFNet of a width as a host."""
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build(width).parameters())
    return Host(
        name=f"nafnet{width}",
        factory=partial(_initialised, width),
        parameters=parameters,
        licence="MIT",
        citation="Chen et al., Simple baselines for image restoration, ECCV 2022",
        # the upper half, where light and colour are decided: an eighth, a quarter and half the size
        taps=tuple(Tap(f"decoders.{k}", (8 >> k) * width, k) for k in range(3)),
    )


def _initialised(width: int, seed: int) -> nn.Module:
    return initialised(partial(build, width), seed)


WIDTH_16 = host_of(16)
WIDTH_32 = host_of(32)
