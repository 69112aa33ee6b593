"""Improved precision and recall of a set of features (Kynkaanniemi et al. 2019).

Precision is the share of outputs that lie within the references' manifold, recall the share of
references that lie within the outputs'; a manifold is the union of balls that reach from each point
to its k-th neighbour of the same set. Radii shrink as a set grows, so groups are compared at one
size: a larger group is thinned at random, several times, and the results are averaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.resampling import Floats

K = 3
DRAWS = 20


def precision_recall(
    x: Floats, y: Floats, *, size: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Precision and recall of outputs ``y[n, d]`` against references ``x[n, d]``.

    Args:
        x: references.
        y: outputs of the same samples.
        size: number of samples to compare at, at most n; NaN results at or below three.
        rng: for thinning.
    """
    if size <= K:
        return float("nan"), float("nan")
    within_x, within_y, across = (_squared(x, x), _squared(y, y), _squared(x, y))
    everybody = np.arange(len(x))
    taken = (
        [everybody]
        if size == len(x)
        else [np.sort(rng.choice(len(x), size, replace=False)) for _ in range(DRAWS)]
    )
    found = [
        (_inside(within_x[np.ix_(t, t)], across[np.ix_(t, t)]),
         _inside(within_y[np.ix_(t, t)], across.T[np.ix_(t, t)]))
        for t in taken
    ]  # fmt: skip
    precision, recall = np.mean(found, axis=0)
    return float(precision), float(recall)


def _squared(a: Floats, b: Floats) -> Floats:
    """``[n, m]`` squared distances."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    # rounding must not put a point outside the ball of its own copy
    scale = max(float((a**2).sum(axis=1).max(initial=0)), float((b**2).sum(axis=1).max(initial=0)))
    clean: Floats = np.where(squares <= 1e-12 * scale, 0.0, squares)
    return clean


def _inside(within: Floats, across: Floats) -> float:
    """Share of the columns of ``across`` that lie in a ball around a row."""
    # the smallest distance is that of a point from itself
    radius: NDArray[np.float64] = np.partition(within, K, axis=1)[:, K]
    return float((across <= radius[:, None]).any(axis=0).mean())
