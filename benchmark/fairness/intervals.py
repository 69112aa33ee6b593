"""Confidence intervals for group means, each used where it is known to hold its level.

| clusters | values | rates |
|---|---|---|
| below 2 | none | Wilson on one cluster |
| 2 to 9 | Student t | Wilson |
| 10 to 49 | bootstrap-t (Student t where its replicates degenerate) | Wilson |
| from 50 | BCa, expanded | BCa, or Wilson with fewer than 10 events or non-events |

Why bootstrap-t: scores near a ceiling are skewed, and at 16 clusters Student t covers 90 % of such
means where bootstrap-t covers 94 %; its intervals explode below 10. Why *expanded* BCa: the plain
one is a factor sqrt((n-1)/n) too narrow and ignores the t quantile (94 % instead of 95 % at n = 60
for normal data; Hesterberg, "What teachers should know about the bootstrap", 2015, section 5.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.fairness.bootstrap import Replicates
from benchmark.fairness.moments import Moments
from benchmark.fairness.resampling import Floats

#: Bootstrap-t is used from the first and below the second number of clusters.
STUDENTISED = (10, 50)
_BOOTSTRAP_T_FROM, _BCA_FROM = STUDENTISED
_EVENTS_FOR_BCA = 10
_DEGENERATE_SHARE = 0.01

Range = tuple[float, float]


def wilson(p: Floats, n: Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion (Wilson 1927).

    Args:
        p: observed proportion in [0, 1].
        n: number of independent trials, or their effective number.
        level: coverage.
    """
    z = stats.norm.isf((1 - level) / 2)
    p, n = np.asarray(p, float), np.asarray(n, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = p + z**2 / (2 * n)
        margin = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = (middle - margin) / (1 + z**2 / n), (middle + margin) / (1 + z**2 / n)
    return np.where(p == 0, 0.0, np.maximum(low, 0)), np.where(p == 1, 1.0, np.minimum(high, 1))


def effective_n(
    p: Floats, variance: Floats, *, clusters: Floats, items: Floats, level: float = 0.95
) -> Floats:
    """Independent trials that a clustered rate is worth: items over the design effect.

    ``p(1-p)/variance``, shrunk for the few degrees of freedom of the variance (Korn and Graubard
    1998) and kept between the number of clusters (items of a cluster all alike) and of items. A
    rate of exactly 0 or 1 says nothing about clustering: it is worth its clusters.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.maximum(clusters - 1, 1)
        shrink = (stats.norm.isf((1 - level) / 2) / stats.t.isf((1 - level) / 2, df)) ** 2
        raw = np.where(variance > 0, p * (1 - p) / variance * shrink, clusters)
    worth: Floats = np.where(items <= clusters, clusters, np.clip(raw, clusters, items))
    return worth


def student(values: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of independent values; NaN below two of them."""
    if len(values) < 2:
        return float("nan"), float("nan")
    margin = stats.t.isf((1 - level) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean() - margin), float(values.mean() + margin)


def over_clusters(values: Floats, clusters: NDArray[Any]) -> tuple[float, float, float]:
    """Mean of items where clusters of them are independent, its variance and degrees of freedom.

    For clusters of one size it is what Student has of their means. Else a cluster weighs as much
    as its items, and the degrees of freedom are what a few large ones leave (Satterthwaite 1946,
    a cluster's total varying in proportion to its size).

    Args:
        values: ``[N]`` items.
        clusters: ``[N]`` whose they are.

    Returns:
        Mean, variance and degrees of freedom; the last two NaN below two clusters.
    """
    mean = float(values.mean()) if len(values) else float("nan")
    _, place, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return mean, float("nan"), float("nan")
    totals, squares = np.bincount(place, weights=values - mean), sizes.astype(float) ** 2
    variance = len(sizes) / (len(sizes) - 1) * (totals**2).sum() / len(values) ** 2
    return mean, float(variance), float(squares.sum() ** 2 / (squares**2).sum() - 1)


def clustered_rate(values: Floats, clusters: NDArray[Any], *, level: float = 0.95) -> Range:
    """Wilson's interval of a share of items, which count for what they tell beside their cluster.

    NaN below two clusters.
    """
    mean, variance, df = over_clusters(values, clusters)
    worth = effective_n(
        np.array(mean),
        np.array(variance),
        clusters=np.array(df + 1),
        items=np.array(float(len(values))),
        level=level,
    )
    low, high = wilson(np.array(mean), worth, level=level)
    return float(low), float(high)


def clustered_mean(values: Floats, clusters: NDArray[Any], *, level: float = 0.95) -> Range:
    """Student's interval of the mean of items; NaN below two clusters."""
    mean, variance, df = over_clusters(values, clusters)
    margin = float(stats.t.isf((1 - level) / 2, df) * variance**0.5)
    return mean - margin, mean + margin


def percentile(replicates: Floats, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Equal-tailed quantiles of ``[B, ...]`` replicates."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def bca(
    delta: Floats, acceleration: Floats, *, level: float = 0.95, n: Floats | None = None
) -> tuple[Floats, Floats]:
    """Bias-corrected and accelerated interval (Efron 1987), as offsets from the estimate.

    Args:
        delta: ``[B, J]`` replicate minus estimate.
        acceleration: ``[J]``, see :func:`mean_acceleration`.
        level: coverage.
        n: ``[J]`` sample sizes: if given, the percentiles are expanded for small samples.
    """
    ordered = np.sort(delta, axis=0)
    below = ((delta < 0).mean(axis=0) + (delta <= 0).mean(axis=0)) / 2
    b = len(delta)
    z0 = stats.norm.ppf(np.clip(below, 1 / (2 * b), 1 - 1 / (2 * b)))
    z = np.full(delta.shape[1], stats.norm.isf((1 - level) / 2))
    if n is not None:
        z = stats.t.isf((1 - level) / 2, n - 1) * np.sqrt(n / (n - 1))
    return _at(ordered, _adjusted(z0, -z, acceleration)), _at(
        ordered, _adjusted(z0, z, acceleration)
    )


def mean_acceleration(values: Floats, *, axis: int = 0) -> Floats:
    """Jackknife acceleration of a mean: ``sum d^3 / (6 (sum d^2)^1.5)``; NaN values drop out."""
    d = values - np.nanmean(values, axis=axis, keepdims=True)
    cubes, squares = np.nansum(d**3, axis=axis), np.nansum(d**2, axis=axis)
    result: Floats = np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)
    return result


def mean_intervals(
    values: Floats,
    cell_group: NDArray[np.int64],
    estimate: Moments,
    replicates: Replicates,
    *,
    rate: NDArray[np.bool_],
    items: Floats,
    level: float,
) -> tuple[Floats, Floats, NDArray[np.object_]]:
    """Interval of every group mean by the method that fits its size.

    Args:
        values: ``[M, J]`` cell means.
        cell_group: ``[M]`` group of each cell.
        estimate: their moments.
        replicates: bootstrap replicates; ``variance`` where 10 <= n < 50.
        rate: ``[J]`` True for rates.
        items: ``[K, J]`` measured items.
        level: coverage.

    Returns:
        Low and high ``[K, J]``, and the method: wilson, t, bootstrap-t, bca or none.
    """
    mean, n, variance = estimate.mean, estimate.n, estimate.variance
    method = np.full(mean.shape, "none", dtype=object)
    low, high = np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)

    def put(where: NDArray[np.bool_], name: str, lower: Floats, upper: Floats) -> None:
        low[where], high[where], method[where] = lower[where], upper[where], name

    with np.errstate(invalid="ignore"):
        events = np.minimum(mean, 1 - mean) * n
    use_bca = (n >= _BCA_FROM) & (~rate | (events >= _EVENTS_FOR_BCA)) & (variance > 0)
    use_wilson = rate & (n >= 1) & ~use_bca
    margin = stats.t.isf((1 - level) / 2, np.maximum(n - 1, 1)) * np.sqrt(variance)
    put(~rate & (n >= 2), "t", mean - margin, mean + margin)
    proportion = np.clip(mean, 0, 1)
    worth = effective_n(proportion, variance, clusters=n, items=items, level=level)
    put(use_wilson, "wilson", *wilson(proportion, worth, level=level))
    for group in range(len(mean)):
        columns = np.flatnonzero(use_bca[group])
        if len(columns):
            cells = values[cell_group == group][:, columns]
            offsets = bca(
                replicates.delta[:, group, columns],
                mean_acceleration(cells),
                level=level,
                n=n[group, columns],
            )
            low[group, columns], high[group, columns] = mean[group, columns] + offsets
            method[group, columns] = "bca"
        small = ~rate & (n[group] >= _BOOTSTRAP_T_FROM) & (n[group] < _BCA_FROM)
        columns = np.flatnonzero(small & (variance[group] > 0))
        if len(columns) and replicates.variance is not None:
            lower, upper = _bootstrap_t(
                replicates.delta[:, group, columns],
                replicates.variance[:, group, columns],
                estimate.sd[group, columns] / np.sqrt(n[group, columns]),
                level,
            )
            columns, at = columns[np.isfinite(lower)], np.isfinite(lower)
            low[group, columns] = mean[group, columns] + lower[at]
            high[group, columns] = mean[group, columns] + upper[at]
            method[group, columns] = "bootstrap-t"
    return low, high, method


def _bootstrap_t(
    delta: Floats, variance: Floats, se: Floats, level: float
) -> tuple[Floats, Floats]:
    """Offsets from the estimate; NaN where too many replicates have no scatter to divide by."""
    degenerate = variance <= (1e-6 * se) ** 2
    t = np.divide(delta, np.sqrt(variance), out=np.zeros_like(delta), where=~degenerate)
    upper, lower = np.quantile(t, [(1 - level) / 2, (1 + level) / 2], axis=0)
    sound = degenerate.mean(axis=0) <= _DEGENERATE_SHARE
    return np.where(sound, -lower * se, np.nan), np.where(sound, -upper * se, np.nan)


def _adjusted(z0: Floats, z: Floats, acceleration: Floats) -> Floats:
    share: Floats = stats.norm.cdf(z0 + (z0 + z) / (1 - acceleration * (z0 + z)))
    return share


def _at(ordered: Floats, share: Floats) -> Floats:
    """Quantile ``share[J]`` of every column of sorted ``[B, J]``, linear between neighbours."""
    position = np.clip(share, 0, 1) * (len(ordered) - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    column = np.arange(ordered.shape[1])
    part = position - below
    result: Floats = ordered[below, column] * (1 - part) + ordered[above, column] * part
    return result
