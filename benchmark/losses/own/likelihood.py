"""LLFlow learns how likely the reference is, given the dark picture."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from benchmark.enhancers.published.llflow import LlFlow
from benchmark.losses.own.base import Batch, Optimiser, OwnObjective

#: Share of the samples whose latent is drawn to the reference's own colours (``train_gt_ratio``).
_TOLD = 0.2


class LlFlowObjective(OwnObjective):
    """Wang et al., AAAI 2022, equations 5 and 6, in bits a pixel.

    The release decides for a whole batch whether it is told the reference's colours; here it is
    decided for every sample, so that none depends on its batch. As released there is no
    dequantisation noise.
    """

    terms = {"network": {"bits": 1.0}}
    optimiser = Optimiser(rate=5e-4)

    def forward(self, batch: Batch, turns: tuple[str, ...]) -> dict[str, Tensor]:
        """One term."""
        del turns
        told = torch.rand(len(batch.inputs), generator=batch.generator) < _TOLD
        network = cast(LlFlow, self.network)
        bits = network.bits(batch.inputs, batch.references, told.to(batch.inputs.device))
        return {"network.bits": bits}
