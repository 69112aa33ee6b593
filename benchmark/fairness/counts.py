"""Tests of counts that come from clusters: equal rates, expected shares, symmetry.

The statistics are the textbook ones of Pearson and Bowker. Their textbook null distributions hold
for independent images only: with several images of a person they reject too often, with the same
person in every group (counterfactual twins) too rarely. So the null distribution is made from the
data by what the hypothesis leaves free to exchange, always a whole cluster at a time:

* **equal rates** (:func:`homogeneity`): a cluster in several groups has its group labels shuffled
  within it, clusters in one group only exchange their labels with each other. Rates are pooled in
  the statistic's denominator and not estimated per group, because hit rates of exactly 0 and 1 are
  common and have no variance to divide by.
* **expected shares** (:func:`goodness_of_fit`) and **symmetry** (:func:`symmetry`): what a cluster
  adds to observed minus expected, or to one direction minus the other, has its sign flipped.

The number of draws bounds the p-value from below: ``p = (1 + #{T* >= T}) / (draws + 1)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.cells import Codes, Partition
from benchmark.fairness.resampling import Floats, chunks, random_signs, stream

Mask = NDArray[np.bool_]

#: Two statistics this close, relatively, are one statistic computed in another order.
_TIE = 1e-9


def homogeneity(
    parts: Partition, hits: Floats, compared: Mask, *, seed: int, draws: int
) -> tuple[Floats, Floats]:
    """Pearson's chi2 of the hit/miss table of groups, and its p-value by shuffling labels.

    Every cluster counts once in each of its groups, with its rate of hits there.

    Args:
        parts: the partition.
        hits: ``[M, J]`` rate of hits of every cell, for J systems at once.
        compared: ``[K]`` groups that take part.
        seed: of the draws.
        draws: their number.

    Returns:
        Statistic and p-value, ``[J]`` each; NaN with fewer than two groups.
    """
    cells = np.flatnonzero(compared[parts.cell_group])
    label, values = parts.cell_group[cells], hits[cells]
    groups = np.unique(label)
    if len(groups) < 2:
        nothing = np.full(hits.shape[1], np.nan)
        return nothing, nothing.copy()
    rate = values.mean(axis=0)
    size = np.bincount(label, minlength=parts.n_groups)[groups].astype(np.float64)
    pooled = rate * (1 - rate)

    def statistic(labels: Codes) -> Floats:
        total = np.zeros((len(labels), values.shape[1]))
        for group, n in zip(groups, size, strict=True):
            mean = (labels == group).astype(np.float64) @ values / n
            total += n * (mean - rate) ** 2
        out: Floats = np.divide(total, pooled, out=np.zeros_like(total), where=pooled > 1e-12)
        return out

    rng = stream(seed, "homogeneity", *(parts.names[g] for g in groups))
    shuffle = _shuffler(parts.cell_cluster[cells], label)
    observed = statistic(label[None])[0]
    drawn = (
        statistic(shuffle(rng, rows.stop - rows.start)) for rows in chunks(draws, 4 * len(cells))
    )
    reached = sum(((some >= observed * (1 - _TIE)).sum(axis=0) for some in drawn), np.zeros(1))
    return observed, (1.0 + reached) / (draws + 1)


def _shuffler(cluster: Codes, label: Codes) -> Callable[[np.random.Generator, int], Codes]:
    """Draws ``[rows, cells]`` of labels exchanged within clusters, or between those of one cell."""
    _, first, of_cell, size = np.unique(
        cluster, return_index=True, return_inverse=True, return_counts=True
    )
    ordered = np.argsort(of_cell, kind="stable")
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    single = first[size == 1]
    blocks = [
        ordered[start[size == count][:, None] + np.arange(count)]
        for count in np.unique(size[size > 1])
    ]

    def draw(rng: np.random.Generator, rows: int) -> Codes:
        labels = np.tile(label, (rows, 1))
        labels[:, single] = rng.permuted(labels[:, single], axis=1)
        for cells in blocks:
            keys = rng.random((rows, *cells.shape)).argsort(axis=2)
            labels[:, cells] = np.take_along_axis(labels[:, cells], keys, axis=2)
        return labels

    return draw


def goodness_of_fit(
    difference: Floats, expected: Floats, *, n: float, seed: int, draws: int
) -> tuple[float, float]:
    """Pearson's chi2 of shares against expected shares, and its p-value by flipping signs.

    Args:
        difference: ``[C, K]`` what each cluster adds to observed minus expected shares; its sum is
            the difference of the shares.
        expected: ``[K]`` expected shares, positive.
        n: number of items.
        seed: of the draws.
        draws: their number.
    """
    return _flips(difference, n / expected, name="fit", seed=seed, draws=draws)


def symmetry(table: Floats, by_cluster: Floats, *, seed: int, draws: int) -> tuple[float, float]:
    """Bowker's test of symmetry of a square table of pairs, clusters flipped as wholes.

    Args:
        table: ``[K, K]`` counts, before x after.
        by_cluster: ``[C, K, K]`` what each cluster adds to it.
        seed: of the draws.
        draws: their number.

    Returns:
        Statistic and p-value; 0 and 1 where nothing is off the diagonal.
    """
    above, below = np.triu_indices(len(table), 1)
    both = table[above, below] + table[below, above]
    weight = np.divide(1.0, both, out=np.zeros_like(both), where=both > 0)
    one_way = by_cluster[:, above, below] - by_cluster[:, below, above]
    return _flips(one_way, weight, name="symmetry", seed=seed, draws=draws)


def _flips(
    parts: Floats, weight: Floats, *, name: str, seed: int, draws: int
) -> tuple[float, float]:
    """``sum_k weight[k] * (sum_c parts[c, k])^2`` and its p-value under random signs of c."""
    parts = parts[(parts != 0).any(axis=1)]
    observed = float((weight * parts.sum(axis=0) ** 2).sum())
    if not len(parts):
        return observed, 1.0
    rng, reached = stream(seed, name), 0
    for rows in chunks(draws, len(parts)):
        signs = random_signs(rng, rows=rows.stop - rows.start, n=len(parts))
        drawn = (weight * (signs @ parts) ** 2).sum(axis=1)
        reached += int((drawn >= observed * (1 - _TIE)).sum())
    return observed, (1 + reached) / (draws + 1)
