"""Networks that their authors train on pairs with a Charbonnier loss and nothing else."""

from __future__ import annotations

from torch import Tensor

from benchmark.losses.fidelity import Charbonnier
from benchmark.losses.own.base import Batch, Optimiser, OwnObjective


class MirNetObjective(OwnObjective):
    """Zamir et al., ECCV 2020, equation 1: its mean over pixels and channels."""

    terms = {"network": {"charbonnier": 1.0}}
    optimiser = Optimiser(rate=2e-4)

    def forward(self, batch: Batch, turns: tuple[str, ...]) -> dict[str, Tensor]:
        """One term."""
        del turns
        outputs: Tensor = self.network(batch.inputs)
        return {"network.charbonnier": Charbonnier()(outputs, {"reference": batch.references})}


class HwmNetObjective(MirNetObjective):
    """Fan et al., ICIP 2022, and ``training.yaml``: as MIRNet's."""


class SnrObjective(MirNetObjective):
    """Xu et al., CVPR 2022, and ``LOLv1.yml``: its sum over pixels and channels."""

    optimiser = Optimiser(rate=4e-4, betas=(0.9, 0.99))

    def forward(self, batch: Batch, turns: tuple[str, ...]) -> dict[str, Tensor]:
        """One term."""
        found = super().forward(batch, turns)
        return {name: mean * batch.inputs[0].numel() for name, mean in found.items()}
