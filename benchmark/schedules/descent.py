"""Adam for a handful of numbers beside the network: log variances, logits of weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FIRST, _SECOND, _SMALL = 0.9, 0.999, 1e-8


@dataclass(frozen=True, eq=False)
class Descent:
    """Numbers on their way down a gradient (Kingma & Ba 2015), as a value.

    Attributes:
        at: ``[M]`` where they are.
        rate: learning rate.
        mean: running mean of the gradient.
        square: running mean of its square.
        done: steps taken.
    """

    at: Array
    rate: float
    mean: Array
    square: Array
    done: int = 0

    @classmethod
    def start(cls, at: Array, *, rate: float) -> Descent:
        """Before the first step."""
        return cls(at, rate, np.zeros_like(at), np.zeros_like(at))

    def step(self, gradient: Array) -> Descent:
        """One step on."""
        done = self.done + 1
        mean = _FIRST * self.mean + (1 - _FIRST) * gradient
        square = _SECOND * self.square + (1 - _SECOND) * gradient**2
        unbiased = mean / (1 - _FIRST**done)
        spread = np.sqrt(square / (1 - _SECOND**done))
        at = self.at - self.rate * unbiased / (spread + _SMALL)
        return Descent(at, self.rate, mean, square, done)
