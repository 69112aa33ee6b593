"""What an iterative arm is steered by: its terms on pictures that it is not trained on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmark.losses.base import Instruments
from benchmark.schedules.rounds import Rounds, ascended, deviations
from benchmark.training.features import FeatureBank
from benchmark.training.setup import TrainingData

_CHUNK = 32


class Validation:
    """Loss terms on a validation split.

    Args:
        data: paired samples, neither trained on nor tested on.
        terms: names of loss terms.
        instruments: networks that the terms look through.
        device: where to compute.
    """

    def __init__(
        self, data: TrainingData, terms: tuple[str, ...], instruments: Instruments, *, device: str
    ) -> None:
        self.labels = data.pool.labels
        self._bank = FeatureBank(data.pool, terms, instruments, device=device)

    @torch.no_grad()
    def errors(self, network: nn.Module) -> NDArray[np.float64]:
        """Every term of every sample, ``[N, M]``; 0 where a family has no term.

        The network is looked at as it would be used, and comes back in the mode that it was in.
        """
        parts, mode = [], network.training
        network.eval()
        for start in range(0, len(self.labels), _CHUNK):
            samples = np.arange(start, min(start + _CHUNK, len(self.labels)))
            inputs, features = self._bank.batch(samples)
            parts.append(self._bank.stack(network(inputs), features))
        network.train(mode)
        result: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
        return result

    def next_rows(
        self,
        rows: NDArray[np.float64],
        network: nn.Module,
        baseline: nn.Module,
        *,
        rounds: Rounds,
        floor: float,
    ) -> NDArray[np.float64]:
        """The table of the next round, ``[K, M]`` (methods, section 1.7).

        Args:
            rows: table of the last round.
            network: the host as it is.
            baseline: the same host after as many steps in the context-agnostic arm.
            rounds: rate and limit.
            floor: of the table.
        """
        mine, other = self.errors(network), self.errors(baseline)
        behind = deviations(mine, other, self.labels, len(rows))
        return ascended(rows, behind, rounds, floor=floor)
