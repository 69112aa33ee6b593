"""SKF's plug with nothing to know: what its size alone does (the row "large" of its Table 5)."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.enhancers.hosts import Host
from benchmark.enhancers.skf.plug import with_semantics
from benchmark.judges.semantics import KnowledgeBank, SceneNet, Semantics

_STRIDES = (16, 8, 4)


class BlindBank(KnowledgeBank):
    """As wide as the suite's bank, and all it shows is the picture itself, made smaller.

    A host plugged into it has the blocks and the parameters of one plugged into a segmenter, to the
    last number, and no semantics. (The paper's control widens the host instead, which leaves open
    whether a gain is of attention.)
    """

    classes = ("picture",)
    widths = SceneNet.widths

    @property
    def digest(self) -> str:
        """Of its description: there are no weights."""
        return hashlib.sha256(b"the picture itself").hexdigest()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Semantics:
        """Channels in turn, averaged down to each level."""
        images = images.clamp(0, 1)
        coarse, middle, fine = (
            _shown(images, stride, width)
            for stride, width in zip(_STRIDES, self.widths, strict=True)
        )
        return Semantics(images.mean(1, keepdim=True), (coarse, middle, fine))


def without_knowledge(host: Host) -> Host:
    """The plug-in ``blind``: ``host`` with SKF's blocks and no segmenter behind them."""
    return with_semantics(host, bank=BlindBank, widths=BlindBank.widths, name="blind")


def _shown(images: Tensor, stride: int, width: int) -> Tensor:
    height, across = (max(side // stride, 1) for side in images.shape[-2:])
    small = functional.adaptive_avg_pool2d(images, (height, across))
    return small.repeat(1, -(-width // 3), 1, 1)[:, :width]
