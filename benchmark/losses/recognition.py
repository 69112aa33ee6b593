"""Recognition: does a reader of signs still see the same features?"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from benchmark.losses.base import Features, Instruments, LossTerm, weighed


class Recognition(LossTerm):
    """Sum over layers of the mean absolute difference of a frozen reader's feature maps.

    The paired form of methods, section 6.3: sum_l |phi_l(yh) - phi_l(y)|_1 / numel, at strides 8
    and 16. What a layer answers to is a stroke, a corner, a rim, so that any image has features to
    keep, sign or not: the term must exist in every context, or the matched control would nearly
    coincide with CALS (section 0.5). The finest maps are left out: they cost most to keep and say
    little that an edge filter does not.
    """

    family = "rec"
    instrument = "sign-reader"

    def __init__(self, reader: nn.Module) -> None:
        super().__init__()
        self.reader = reader.eval().requires_grad_(False)

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with the reader that ``instruments`` provides."""
        return cls(instruments.reader())

    def train(self, mode: bool = True) -> Self:
        """The reader is frozen: training mode never reaches it."""
        del mode
        return super().train(False)

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """``layer0``, ``layer1``: feature maps of the references, ``[B, C, h, w]``."""
        del landmarks
        with torch.no_grad():
            return {f"layer{i}": maps for i, maps in enumerate(self.reader(references))}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``, at least 0."""
        parts = [
            weighed((maps - features[f"layer{i}"]).abs(), weight).mean((1, 2, 3))
            for i, maps in enumerate(self.reader(outputs))
        ]
        return torch.stack(parts).sum(0)
