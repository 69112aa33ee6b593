"""Quadratic forms of the group means: the visible spread, its noise share, and Cochran's Q.

All are written with the full covariance of the group means, so they hold for nested clusters
(diagonal covariance) and crossed ones (people who appear in several groups) alike. With several
blocks (context levels) every formula works inside blocks: spread between contexts is not a gap.

Noise of the visible variance. With H the centring matrix of the blocks, r = sum (K_s - 1) and V the
covariance of the means, ``S2 = m'Hm / r`` has expectation ``true variance + tr(HV) / r``. For
independent groups tr(HV)/r is the familiar ``mean v_g``; for paired groups covariances come off it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.fairness.cells import Partition
from benchmark.fairness.moments import Moments
from benchmark.fairness.permutation import is_nested
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Layout

Mask = NDArray[np.bool_]


def centred(means: Floats, eligible: Mask, block: NDArray[np.int64]) -> Floats:
    """``[..., K, J]`` means less the mean of the eligible groups of their block, 0 elsewhere."""
    out = np.empty_like(means)
    for one in np.unique(block):
        groups = np.flatnonzero(block == one)
        use, part = eligible[groups], means[..., groups, :]
        if not use.all():
            part = np.where(use, part, 0.0)
        centre = part.sum(axis=-2, keepdims=True) / np.maximum(use.sum(axis=0), 1)
        part -= centre
        out[..., groups, :] = part if use.all() else np.where(use, part, 0.0)
    return out


def rank(eligible: Mask, block: NDArray[np.int64]) -> Floats:
    """``[J]`` number of free differences: sum over blocks of eligible groups less one."""
    free = np.zeros(eligible.shape[1])
    for one in np.unique(block):
        free += np.maximum((eligible & (block == one)[:, None]).sum(axis=0) - 1, 0)
    return free


def visible_variance(means: Floats, eligible: Mask, block: NDArray[np.int64]) -> Floats:
    """S2: variance between the eligible group means within blocks, ``[..., J]``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = centred(means, eligible, block)
        squares = np.einsum("...kj,...kj->...j", deviation, deviation)
        s2: Floats = squares / rank(eligible, block)
    return s2


def noise_variance(covariance: Floats, eligible: Mask, block: NDArray[np.int64]) -> Floats:
    """tr(HV)/r: the part of S2 that sampling noise is expected to make, ``[J]``."""
    total = np.zeros(covariance.shape[2])
    for one in np.unique(block):
        use = (eligible & (block == one)[:, None]).astype(np.float64)
        count = np.maximum(use.sum(axis=0), 1)
        own = np.einsum("gj,ggj->j", use, covariance)
        total += own - np.einsum("gj,hj,ghj->j", use, use, covariance) / count
    with np.errstate(invalid="ignore", divide="ignore"):
        noise: Floats = total / rank(eligible, block)
    return noise


def cochran_q(means: Floats, variances: Floats) -> tuple[float, float]:
    """Cochran's Q of independent means with known variances, and its chi-square p-value.

    Args:
        means: ``[K]``.
        variances: ``[K]``, positive.
    """
    weight = 1 / variances
    pooled = (weight * means).sum() / weight.sum()
    q = float((weight * (means - pooled) ** 2).sum())
    return q, float(stats.chi2.sf(q, len(means) - 1))


def equal_means(
    parts: Partition,
    layout: Layout,
    values: Floats,
    estimate: Moments,
    *,
    eligible: Mask,
    rate: Mask,
) -> tuple[Floats, Floats]:
    """Q for "all eligible group means of a block are equal" and its p-value, ``[J]`` each.

    Values: the Wald form ``(Cm)'(CVC')^-1(Cm)``, which is Cochran's Q for nested clusters and
    Hotelling's T2 for crossed ones, referred to F with the matching small-sample degrees of
    freedom (Welch 1951; Hotelling 1931; Satterthwaite's for mixtures).
    Rates, and values without scatter in some group: the score form, with the variance under the
    null, referred to chi-square; for one item a cluster it is the chi-square test of the 2xK table.
    """
    j = values.shape[1]
    q, p = np.full(j, np.nan), np.full(j, np.nan)
    covariance, nested = estimate.covariance(), is_nested(parts, layout)
    flat = (eligible & (estimate.sd == 0)).any(axis=0)
    welch = nested and layout.n_blocks == 1
    for column in range(j):
        groups = np.flatnonzero(eligible[:, column])
        contrasts = _contrasts(layout.block[groups])
        r = len(contrasts)
        if r == 0:
            continue
        mean = estimate.mean[groups, column]
        if rate[column] or flat[column]:
            null = _null_covariance(parts, layout, values[:, column], groups, nested)
            q[column], p[column] = _score(contrasts @ mean, contrasts @ null @ contrasts.T)
            continue
        inner = contrasts @ covariance[..., column][np.ix_(groups, groups)] @ contrasts.T
        if np.linalg.matrix_rank(inner, hermitian=True) < r:
            continue
        d = contrasts @ mean
        q[column] = float(d @ np.linalg.solve(inner, d))
        if welch:
            v, n = estimate.variance[groups, column], estimate.n[groups, column]
            p[column] = _welch(q[column], v, n)
        else:
            p[column] = _hotelling(q[column], r, _average_df(estimate, groups, contrasts, column))
    return q, p


def _contrasts(block: NDArray[np.int64]) -> Floats:
    """``[r, K]`` differences from the first group of the same block."""
    rows = []
    for one in np.unique(block):
        first, *others = np.flatnonzero(block == one)
        for other in others:
            row = np.zeros(len(block))
            row[first], row[other] = -1.0, 1.0
            rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(block))


def _welch(q: float, variance: Floats, n: Floats) -> float:
    """Welch's F reference for Q of independent groups with unequal variances."""
    k, weight = len(n), 1 / variance
    lack = (((1 - weight / weight.sum()) ** 2) / (n - 1)).sum()
    f = q / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * lack)
    return float(stats.f.sf(f, k - 1, (k**2 - 1) / (3 * lack)))


def _hotelling(q: float, r: int, df: float) -> float:
    """F reference of Hotelling's T2 with ``df`` degrees of freedom of the covariance."""
    if df < r:
        return float("nan")
    return float(stats.f.sf(q * (df - r + 1) / (df * r), r, df - r + 1))


def _average_df(
    estimate: Moments, groups: NDArray[np.int64], contrasts: Floats, column: int
) -> float:
    """Satterthwaite's degrees of freedom of the average contrast variance."""
    total = squares = 0.0
    for part in estimate.strata:
        common, at, of = np.intersect1d(groups, part.groups, return_indices=True)
        if not len(common):
            continue
        c = contrasts[:, at]
        v = float(np.einsum("rg,gh,rh->", c, part.cov[..., column][np.ix_(of, of)], c))
        total += v
        squares += v**2 / max(float(part.n[of, column].min()) - 1, 1.0)
    return total**2 / squares if squares > 0 else 0.0


def _null_covariance(
    parts: Partition, layout: Layout, values: Floats, groups: NDArray[np.int64], nested: bool
) -> Floats:
    """``[G, G]`` covariance of the means of ``groups`` if all means of a block were equal."""
    position = np.full(parts.n_groups, -1)
    position[groups] = np.arange(len(groups))
    use = np.isfinite(values) & (position[parts.cell_group] >= 0)
    at, y = position[parts.cell_group[use]], values[use]
    block = layout.block[groups][at]
    n = np.bincount(at, minlength=len(groups))
    residual = np.empty_like(y)
    pooled = np.empty(len(groups))
    for one in np.unique(block):
        here = block == one
        residual[here] = y[here] - y[here].mean()
        pooled[layout.block[groups] == one] = (residual[here] ** 2).mean()
    if nested and layout.n_blocks == 1:
        return np.diag(pooled / n)
    _, cluster = np.unique(parts.cell_cluster[use], return_inverse=True)
    influence = np.zeros((int(cluster.max()) + 1, len(groups)))
    influence[cluster, at] = residual / n[at]
    null: Floats = influence.T @ influence
    return null


def _score(difference: Floats, null: Floats) -> tuple[float, float]:
    r = int(np.linalg.matrix_rank(null, hermitian=True))
    if r == 0 or not np.any(difference):
        return 0.0, 1.0
    q = float(difference @ np.linalg.pinv(null, hermitian=True) @ difference)
    return q, float(stats.chi2.sf(q, r))
