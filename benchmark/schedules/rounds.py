"""The iterative part: after a round of training, every context asks for more of what it lacks.

Methods, section 1.7. On pictures that are neither trained on nor tested on, each term's error in
each context is held against that of the context-agnostic arm after as many steps; the table moves
by exponentiated gradient ascent towards the terms on which it is behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import SpecError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rounds:
    """How an iterative arm goes.

    Attributes:
        count: rounds of equal length; 1 is a schedule without iteration.
        rate: eta of the ascent.
        limit: no entry of the table changes by more in one round.
    """

    count: int = 4
    rate: float = 0.3
    limit: float = 0.1

    def __post_init__(self) -> None:
        if self.count < 1 or not (self.rate >= 0 and 0 < self.limit <= 1):
            raise SpecError(
                "rounds need count >= 1, rate >= 0 and limit in (0, 1]", where=repr(self)
            )

    def of(self, step: int, steps: int) -> int:
        """The round that a step belongs to, from 0."""
        return step * self.count // steps


def deviations(errors: Array, reference: Array, labels: NDArray[np.int64], contexts: int) -> Array:
    """How far each term is behind the reference arm in each context, in standard errors.

    The standard error is that of the mean of the paired differences: the spread of all bootstrap
    resamples, in closed form.

    Args:
        errors: ``[N, M]`` terms of the validation samples.
        reference: the same of the reference arm.
        labels: ``[N]`` contexts.
        contexts: K.

    Returns:
        ``[K, M]``, positive where the arm is worse; 0 where nothing differs or nothing is known.
    """
    apart = errors - reference
    result = np.zeros((contexts, errors.shape[1]))
    for context in np.unique(labels):
        rows = apart[labels == context]
        spread = rows.std(0) / np.sqrt(len(rows))
        result[context] = np.divide(rows.mean(0), spread, out=result[context], where=spread > 0)
    return result


def ascended(rows: Array, behind: Array, rounds: Rounds, *, floor: float) -> Array:
    """The table of the next round: W <- softmax(log W + rate d), floor kept, the step shortened.

    A step that would change an entry by more than the limit is shortened as a whole, row by row:
    so rows keep their sum and the step its direction, which clipping single entries would not.

    Args:
        rows: ``[K, M]`` table, rows of sum 1.
        behind: ``[K, M]`` from :func:`deviations`.
        rounds: rate and limit.
        floor: of the table (:class:`ContextTable`).

    Returns:
        ``[K, M]``, rows of sum 1, no entry further than ``limit`` from where it was.
    """
    if not behind.any():
        return rows
    raised = rows * np.exp(rounds.rate * (behind - behind.max(1, keepdims=True)))
    raised = np.maximum(raised / raised.sum(1, keepdims=True), floor)
    step = raised / raised.sum(1, keepdims=True) - rows
    longest = np.abs(step).max(1, keepdims=True)
    result: Array = rows + step * np.minimum(1, rounds.limit / np.maximum(longest, 1e-300))
    return result
