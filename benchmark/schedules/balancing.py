"""Generic balancing of loss terms (arm A9): weights that follow the losses, not the contexts.

Formulas as in methods, section 1.6. Weights are brought to sum 1 like those of every other arm, so
that arms differ in how a unit of weight is shared and not in how much of it there is. A balancer
has no state of its own: what it gives is a function of the losses so far, which the training log
holds, so a killed training goes on with the same numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from benchmark.schedules.descent import Descent

Array = NDArray[np.float64]


class Balancer(ABC):
    """Weights of the families at every step, the same for every sample."""

    @abstractmethod
    def weights(self, history: Array, available: Array) -> Array:
        """Weights of the next step.

        Args:
            history: ``[t, M]`` mean calibrated losses of the steps before.
            available: ``[M]``, zero where a family has no term.

        Returns:
            ``[M]``, at least 0, of sum 1, zero where unavailable.
        """


class DynamicAverage(Balancer):
    """DWA (Liu, Johns & Davison 2019): softmax of the rate of descent at temperature 2.

    Args:
        window: steps whose mean loss stands for an epoch; rates compare the last two windows.
    """

    temperature = 2.0

    def __init__(self, *, window: int) -> None:
        self.window = window

    def weights(self, history: Array, available: Array) -> Array:
        """Uniform until two windows are over; see :class:`Balancer`."""
        over = len(history) // self.window
        rate = np.ones(len(available))
        if over >= 2:
            shown = history[(over - 2) * self.window : over * self.window]
            before, last = shown.reshape(2, self.window, -1).mean(1)
            rate = np.divide(last, before, out=rate, where=before > 0)
        return _shared(np.exp(rate / self.temperature), available)


class Uncertainty(Balancer):
    """Uncertainty weighting (Kendall, Gal & Cipolla 2018): sum_m L_m / (2 exp s_m) + s_m / 2.

    The log variances s_m follow their gradient on the observed losses by Adam, apart from the
    network; in the limit s_m = log L_m, weight 1/L_m.
    """

    start, rate = -0.5, 0.02

    def __init__(self) -> None:
        self._now: Descent | None = None

    def weights(self, history: Array, available: Array) -> Array:
        """See :class:`Balancer`; replays what it has not seen of ``history``."""
        if self._now is None or len(history) < self._now.done:
            self._now = Descent.start(np.full(len(available), self.start), rate=self.rate)
        for losses in history[self._now.done :]:
            self._now = self._now.step(0.5 - losses / (2 * np.exp(self._now.at)))
        return _shared(np.exp(-self._now.at), available)


class Random(Balancer):
    """RLW (Lin et al. 2022): softmax of standard normal draws, new at every step.

    Args:
        seed: of the run.
    """

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def weights(self, history: Array, available: Array) -> Array:
        """See :class:`Balancer`; of ``history`` only its length counts."""
        draws = np.random.default_rng([self.seed, 0xA9, len(history)]).standard_normal(
            len(available)
        )
        return _shared(np.exp(draws), available)


def _shared(raw: Array, available: Array) -> Array:
    masked = raw * available
    result: Array = masked / masked.sum()
    return result
