"""Systems in tiers: a rank is shared unless a paired, corrected comparison tells two apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.fairness.cells import Partition, cell_means
from benchmark.fairness.estimates import Estimates, Mask
from benchmark.fairness.model import Policy
from benchmark.fairness.moments import moments
from benchmark.fairness.resampling import Floats, stream
from benchmark.fairness.sources import Source, margin
from benchmark.fairness.study import Study

TIER_COLUMNS = (
    "metric",
    "axis",
    "target",
    "system",
    "arm",
    "n_seeds",
    "value",
    "coverage",
    "tier",
    "rank",
    "rank_low",
    "rank_high",
)


def tier_table(found: Estimates, data: Study, *, seed: int, policy: Policy) -> pd.DataFrame:
    """Rank all systems in every metric: by the mean of everybody, or by the worst group's.

    Differences are paired over clusters and include the error of training runs where there are
    several; a system of one run is ranked as that one run.
    """
    target = "overall" if found.layout.role == "overall" else "worst"
    metrics = [int(metric) for metric in np.unique(found.columns.metric)]
    repeated = _seed_errors(data, found.parts, metrics)
    frames = [
        _one_metric(
            found,
            data,
            metric,
            target=target,
            seed_errors=repeated[metric],
            seed=seed,
            policy=policy,
        )
        for metric in metrics
    ]
    return pd.concat(frames, ignore_index=True)


def _one_metric(
    found: Estimates,
    data: Study,
    metric: int,
    *,
    target: str,
    seed_errors: tuple[Source, NDArray[np.int64]],
    seed: int,
    policy: Policy,
) -> pd.DataFrame:
    info, columns = data.metrics[metric], found.columns
    at = np.flatnonzero(columns.metric == metric)
    means, n = found.moments.mean[:, at] * info.direction, found.moments.n[:, at]
    use = found.eligible[:, at] if target == "worst" else n >= 1
    group = np.where(use, means, np.inf).argmin(axis=0)
    score = np.where(use.any(axis=0), means[group, np.arange(len(at))], np.nan)
    ranked = np.flatnonzero(np.isfinite(score))
    at, group, score = at[ranked], group[ranked], score[ranked]
    resampled = _least(found, at, use[:, ranked], info.direction)
    clusters = np.where(use[:, ranked], n[:, ranked], np.inf).min(axis=0, initial=np.inf)
    variants = columns.variant[at]
    runs, n_seeds = seed_errors
    own = Source(runs.se[group, variants], runs.df[group, variants])
    better = _better(score, resampled, clusters, own, policy.alpha)
    noisy = resampled.copy()
    for i, v in enumerate(variants):
        if own.se[i] > 0:
            rng = stream(seed, "runs", *data.variants[v])
            noisy[:, i] += own.se[i] * rng.standard_t(own.df[i], len(noisy))
    rank, low, high = _ranks(score, noisy, policy.rank_level)
    covered = columns.items[:, at].sum(axis=0) / columns.expected[:, at].sum(axis=0)
    table = pd.DataFrame(
        {
            "system": [data.variants[v][0] for v in variants],
            "arm": [data.variants[v][1] for v in variants],
            "n_seeds": n_seeds[variants],
            "value": score * info.direction,
            "coverage": covered,
            "tier": _tiers(score, better),
            "rank": rank,
            "rank_low": low,
            "rank_high": high,
        }
    )
    order = np.lexsort((variants, rank))
    table = table.iloc[order].reset_index(drop=True)
    return table.assign(
        metric=info.name,
        axis=found.layout.axis,
        target=target,
        _variant=0,
        _metric=metric,
        _group=np.arange(len(table)),
    )


def _least(found: Estimates, at: NDArray[np.int64], use: Mask, direction: int) -> Floats:
    """``[B, k]`` what the worst group gets in every replicate, in the metric's better direction.

    Group by group, which needs an array of one group's size and not of all.
    """
    least = np.full((len(found.replicates.delta), len(at)), np.inf)
    for group, known in enumerate(use):
        moved = found.null_delta_of(group)[:, at]
        moved += found.moments.mean[group, at]
        moved *= direction
        moved[:, ~known] = np.inf
        np.minimum(least, moved, out=least)
    return least


def _better(
    score: Floats, resampled: Floats, clusters: Floats, own: Source, alpha: float
) -> NDArray[np.bool_]:
    """``[i, j]`` True where i is better than j, Holm-corrected over all pairs."""
    k = len(score)
    result = np.zeros((k, k), dtype=bool)
    if k < 2:
        return result
    i, j = np.triu_indices(k, 1)
    difference = score[i] - score[j]
    se = _paired_errors(resampled)[i, j]
    rounding = 1e-12 * (np.abs(score[i]) + np.abs(score[j]))
    difference = np.where(np.abs(difference) <= rounding, 0.0, difference)
    df = np.maximum(np.minimum(clusters[i], clusters[j]) - 1, 1)
    sources = (
        Source(se, df),
        Source(own.se[i], own.df[i]),
        Source(own.se[j], own.df[j]),
    )
    sure = _rejected(difference, sources, alpha)
    result[i, j], result[j, i] = sure & (difference > 0), sure & (difference < 0)
    return result


def _paired_errors(resampled: Floats) -> Floats:
    """``[k, k]`` standard deviation over replicates of every difference of two columns."""
    noise = resampled - resampled.mean(axis=0)
    covariance = noise.T @ noise / len(noise)
    variance = covariance.diagonal()
    total = variance[:, None] + variance[None, :]
    squares = total - 2 * covariance
    # what is left of two columns that move together is rounding
    return np.sqrt(np.where(squares > 1e-13 * total, squares, 0.0))


def _rejected(difference: Floats, sources: tuple[Source, ...], alpha: float) -> NDArray[np.bool_]:
    """Which differences Holm's procedure calls real.

    It steps down without a single p-value: once r differences are rejected, so is every other whose
    interval at ``alpha / (m - r)`` leaves out 0, until none is added. That takes a few t quantiles
    a step, which makes a table of hundreds of systems affordable.
    """
    size = np.abs(difference)
    rejected = np.zeros(len(size), dtype=bool)
    open_ = np.flatnonzero((size >= margin(sources, alpha)) & (size > 0))
    left = tuple(Source(s.se[open_], s.df[open_]) for s in sources)
    while len(open_):
        sure = size[open_] >= margin(left, alpha / (len(size) - rejected.sum()))
        if not sure.any():
            break
        rejected[open_[sure]] = True
        open_ = open_[~sure]
        left = tuple(Source(s.se[~sure], s.df[~sure]) for s in left)
    return rejected


def _tiers(score: Floats, better: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Tier 1 holds the leader and all who are not shown to be worse than it; and so on."""
    tier = np.zeros(len(score), dtype=np.int64)
    number, leader = 0, -1
    for system in np.argsort(-score, kind="stable"):
        if leader < 0 or better[leader, system]:
            number, leader = number + 1, int(system)
        tier[system] = number
    return tier


def _ranks(score: Floats, resampled: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Rank (ties share the best), and the interval of ranks over replicates."""
    rank = 1.0 + (score[None, :] > score[:, None]).sum(axis=1)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(_places(resampled), ends, axis=1, method="inverted_cdf")
    return rank, np.minimum(low, rank), np.maximum(high, rank)


def _places(resampled: Floats) -> NDArray[np.int32]:
    """``[k, B]`` rank of every column in every replicate, 1 the best; ties share the best."""
    order = np.argsort(-resampled, axis=1)
    ordered = np.take_along_axis(resampled, order, axis=1)
    replicates, k = resampled.shape
    place = np.ones((replicates, k), dtype=np.int32)
    place[:, 1:] = np.where(
        ordered[:, 1:] != ordered[:, :-1], np.arange(2, k + 1, dtype=np.int32), 1
    )
    np.maximum.accumulate(place, axis=1, out=place)
    found = np.empty((k, replicates), dtype=np.int32)
    np.put_along_axis(found.T, order, place, axis=1)
    return found


def _seed_errors(
    data: Study, parts: Partition, metrics: list[int]
) -> dict[int, tuple[Source, NDArray[np.int64]]]:
    """For every metric: error ``[K, V]`` of group means due to training runs, and runs ``[V]``.

    A run whose training failed measured nothing and is none.
    """
    seed, seeds = pd.factorize(data.frame["seed"], sort=True)
    v, r = len(data.variants), len(seeds)
    run = data.variant * r + seed
    result = {}
    for metric in metrics:
        sums, counts = parts.sums(data.values[:, metric], run, v * r)
        means = moments(parts, cell_means(sums, counts)).mean.reshape(-1, v, r)
        known = np.isfinite(means)
        n = known.sum(axis=2)
        centre = np.where(known, means, 0).sum(axis=2) / np.maximum(n, 1)
        squares = np.where(known, (means - centre[..., None]) ** 2, 0).sum(axis=2)
        se = np.where(n >= 2, np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1)), 0.0)
        result[metric] = Source(se, np.maximum(n - 1.0, 1.0)), known.any(axis=0).sum(axis=1)
    return result
