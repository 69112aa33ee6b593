"""Divisors of loss terms that move during training: the alternatives to a frozen calibration.

Formulas as in methods, section 1.6. Like a balancer, a scaler has no state of its own: what it
gives is a function of the log, so a killed training goes on with the same numbers. Moving divisors
belong to one arm's own course: arms no longer share them, and the weights of the table lose part of
their meaning. They are here to be compared with frozen ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import SpecError
from benchmark.schedules.descent import Descent
from benchmark.schedules.table import FAMILIES

Array = NDArray[np.float64]

_FIDELITY = FAMILIES.index("fid")


class Scaler(ABC):
    """Divisors of the families at every step, the same for every sample."""

    #: Whether the gradient of every term has to be measured at every step.
    needs_norms = False

    @abstractmethod
    def divisors(self, losses: Array, norms: Array, available: Array) -> Array:
        """Divisors of this step.

        Args:
            losses: ``[t + 1, M]`` mean losses of all steps up to this one, 0 without a term.
            norms: ``[t, M]`` norm of the gradient of each mean loss at the steps before; NaN
                unless :attr:`needs_norms`.
            available: ``[M]``, zero where a family has no term.

        Returns:
            ``[M]`` positive; 1 where unavailable.
        """


class RunningMagnitude(Scaler):
    """k_m = running mean of L_m / running mean of L_fid, decay 0.99.

    The correction for the start of the mean is the same for both and cancels.
    """

    decay = 0.99

    def divisors(self, losses: Array, norms: Array, available: Array) -> Array:
        """See :class:`Scaler`."""
        del norms
        means = self.decay ** np.arange(len(losses) - 1, -1, -1) @ losses
        used = (available > 0) & (means > 0)
        result: Array = np.where(used, means / means[_FIDELITY], 1.0)
        return result


class GradNorm(Scaler):
    """GradNorm (Chen et al. 2018): terms whose loss has fallen less get larger gradients.

    1 / k = M softmax(v); G_m = norm of the gradient of L_m / k_m; v follows the gradient of
    sum over m of abs(G_m - mean(G) r_m^alpha) by Adam, with mean(G) r_m^alpha held fixed and
    r_m = (L_m / L_m(0)) / their mean. It starts from k = 1, as published.
    """

    needs_norms = True
    alpha, rate = 1.5, 0.025

    def __init__(self) -> None:
        self._now: Descent | None = None

    def divisors(self, losses: Array, norms: Array, available: Array) -> Array:
        """See :class:`Scaler`; replays what it has not seen."""
        used = available > 0
        if self._now is None or len(norms) < self._now.done:
            self._now = Descent.start(np.zeros(int(used.sum())), rate=self.rate)
        for step in range(self._now.done, len(norms)):
            pull = self._pull(losses[step, used], losses[0, used], norms[step, used])
            self._now = self._now.step(pull)
        result = np.ones(len(available))
        result[used] = 1 / shared_out(self._now.at)
        return result

    def _pull(self, now: Array, first: Array, norms: Array) -> Array:
        """Gradient of GradNorm's own loss by v, in closed form."""
        assert self._now is not None
        weights = shared_out(self._now.at)
        fallen = now / first
        sizes = weights * norms
        target = sizes.mean() * (fallen / fallen.mean()) ** self.alpha
        by_weight = np.sign(sizes - target) * norms
        result: Array = weights * (by_weight - (by_weight * weights).mean())
        return result


def shared_out(logits: Array) -> Array:
    """M softmax(v): positive, of mean 1."""
    raised = np.exp(logits - logits.max())
    result: Array = raised / raised.mean()
    return result


def make_scaler(scale: str) -> Scaler | None:
    """The scaler that a recipe's ``scale`` names; None where divisors are frozen.

    Raises:
        SpecError: for a name that no calibration and no scaler has.
    """
    if scale in ("calib_param", "calib_mag", "none"):
        return None
    if scale == "ema_mag":
        return RunningMagnitude()
    if scale == "gradnorm":
        return GradNorm()
    raise SpecError(
        f"there is no scale {scale!r}", mend="calib_param, calib_mag, ema_mag, gradnorm or none"
    )
