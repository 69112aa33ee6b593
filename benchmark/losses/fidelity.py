"""Fidelity: how far every pixel is from the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.losses.base import Features, LossTerm, weighed


class Charbonnier(LossTerm):
    """Mean over pixels and channels of sqrt(d^2 + 1e-6), an L1 that is smooth at zero.

    Charbonnier et al. 1994; never below 1e-3, in the units of [0, 1] images.
    """

    family = "fid"
    instrument = "pixel"

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """The references themselves, ``[B, 3, H, W]``."""
        return {"reference": references.detach()}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``, at least 1e-3."""
        difference = outputs - features["reference"]
        return weighed(torch.sqrt(difference.square() + 1e-6), weight).mean((1, 2, 3))
