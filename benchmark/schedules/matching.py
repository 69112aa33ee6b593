"""The matched control: one weight vector for everybody that spends what CALS spends on average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.schedules.base import Schedule

Array = NDArray[np.float64]

_TOLERANCE = 1e-12


def matched_rows(
    schedule: Schedule, contexts: Array, progress: Array, available: Array, *, rounds: int = 20_000
) -> Array:
    """Rows, all equal, whose mean weights over a whole run are those of ``schedule``.

    Iterative proportional fitting (methods, section 1.8) over exactly the samples and moments of
    the run: v <- v * mean(w of the schedule) / mean(w of v), brought to sum 1. Rows that are
    equal already come back as they are, bit for bit.

    Args:
        schedule: what is to be matched.
        contexts: ``[S, K]`` context vectors of all samples drawn in the run, in any order.
        progress: ``[S]`` when each was drawn.
        available: ``[S, M]`` or ``[M]``.
        rounds: at most so many.

    Returns:
        ``[K, M]``, every row the same.

    Raises:
        DataError: if the fitting does not reach 1e-12.
    """
    wanted = schedule.weights(contexts, progress, available).mean(0)
    # any positive start will do; a row of the table is already right when all of them are equal
    row = schedule.rows[0]
    for _ in range(rounds):
        rows = np.broadcast_to(row, schedule.rows.shape)
        spent = replace(schedule, rows=rows).weights(contexts, progress, available).mean(0)
        if np.abs(spent - wanted).max() <= _TOLERANCE:
            return rows
        ratio = np.divide(wanted, spent, out=np.ones_like(spent), where=spent > 0)
        row = row * ratio
        row = row / row.sum()
    raise DataError(
        f"the matched control did not converge in {rounds} rounds",
        where=f"largest difference {np.abs(spent - wanted).max():.2e}",
        mend="check the context table: an objective that only warm-up weights cannot be matched",
    )


def separation(schedule: Schedule, matched: Array, available: Array) -> Array:
    """How far the weights of each context are from the matched row, once the gate is open.

    Returns:
        ``[K]`` L1 distances in [0, 2]; near zero the comparison of the arms measures nothing.
    """
    shown = np.eye(len(schedule.rows))
    one, other = (
        replace(schedule, rows=rows, time="open").weights(shown, 1.0, available)
        for rows in (schedule.rows, matched)
    )
    result: Array = np.abs(one - other).sum(1)
    return result
