"""Group means, their joint covariance and degrees of freedom, for many columns at once.

A *column* is one metric of one system. With ``psi_c[g] = (y_cg - m_g) / n_g`` the influence of
cluster ``c`` on the mean of group ``g``, the covariance of the group means is

    V = sum over strata s of V_s,   V_s[g, h] = f_sg f_sh sum_{c in s} psi_c[g] psi_c[h],

with psi centred in the stratum and ``f = sqrt(n / (n - 1))``. For nested clusters V is diagonal
with the familiar ``s_g^2 / n_g``; for crossed ones it holds the covariances that make paired
comparisons sharp. Any contrast ``a'm`` then has variance ``a'Va`` and Satterthwaite's degrees of
freedom ``(sum_s a'V_s a)^2 / sum_s (a'V_s a)^2 / (n_s - 1)``: Welch's for nested clusters and n - 1
for crossed ones, without a special case for either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.cells import Partition
from benchmark.fairness.resampling import Floats

#: Relative to the largest value of a column, differences below this are rounding, not data.
ROUNDING = 1e-12


@dataclass(frozen=True)
class StratumMoments:
    """What one stratum contributes.

    Attributes:
        groups: ``[G_s]`` group codes.
        n: ``[G_s, J]`` clusters measured in each of them.
        cov: ``[G_s, G_s, J]`` contribution to the covariance of the group means.
    """

    groups: NDArray[np.int64]
    n: Floats
    cov: Floats


@dataclass(frozen=True)
class Moments:
    """Estimates for K groups and J columns.

    Attributes:
        mean: ``[K, J]`` group means, NaN for a group without a measured cluster.
        n: ``[K, J]`` clusters measured.
        sd: ``[K, J]`` standard deviation between clusters, NaN below two clusters.
        scale: ``[J]`` magnitude of the values, for telling zero from rounding.
        strata: their contributions.
    """

    mean: Floats
    n: Floats
    sd: Floats
    scale: Floats
    strata: tuple[StratumMoments, ...]

    @property
    def variance(self) -> Floats:
        """``[K, J]`` variances of the group means; NaN below two clusters."""
        out = np.zeros_like(self.mean)
        for part in self.strata:
            out[part.groups] += np.einsum("ggj->gj", part.cov)
        return np.where(self.n >= 2, out, np.nan)

    def covariance(self) -> Floats:
        """``[K, K, J]`` covariance of the group means; zero rows for groups without clusters."""
        k, j = self.mean.shape
        out = np.zeros((k, k, j))
        for part in self.strata:
            out[np.ix_(part.groups, part.groups)] += part.cov
        return out

    def contrast(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Estimate, standard error and degrees of freedom of ``sum_g weights[g] * mean[g]``.

        Args:
            weights: ``[K, J]``; groups of weight zero may have no mean.

        Returns:
            Three ``[J]`` arrays. A variance that is nothing but rounding becomes 0.
        """
        used = weights != 0
        estimate = np.where(used, weights * self.mean, 0.0).sum(axis=0)
        total, squares = np.zeros(len(estimate)), np.zeros(len(estimate))
        for part in self.strata:
            w = weights[part.groups]
            v = np.maximum(np.einsum("gj,hj,ghj->j", w, w, part.cov), 0.0)
            involved = np.where((w != 0) & (part.n >= 2), part.n, np.inf).min(axis=0)
            df = np.where(np.isfinite(involved), involved - 1, 1.0)
            total += v
            squares += v**2 / df
        floor = (ROUNDING * self.scale * np.abs(weights).sum(axis=0)) ** 2
        total = np.where(total <= floor, 0.0, total)
        measured = np.where(used, self.n, np.inf).min(axis=0)
        df = np.divide(total**2, squares, out=measured - 1, where=(total > 0) & (squares > 0))
        alone = measured < 2
        return (
            estimate,
            np.where(alone, np.nan, np.sqrt(total)),
            np.where(alone, np.nan, np.maximum(df, 1.0)),
        )


def moments(parts: Partition, values: Floats) -> Moments:
    """Estimate group means and their covariance.

    Args:
        parts: the partition.
        values: ``[M, J]`` cell means; NaN where nothing was measured.
    """
    k, j = parts.n_groups, values.shape[1]
    finite = np.isfinite(values)
    filled = np.where(finite, values, 0.0)
    # a common origin first: equal values then give a mean without rounding, and a variance of 0
    origin = _first_finite(values)
    shifted = np.where(finite, values - origin, 0.0)
    n, total = np.zeros((k, j)), np.zeros((k, j))
    np.add.at(n, parts.cell_group, finite.astype(np.float64))
    np.add.at(total, parts.cell_group, shifted)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = total / n
    deviation = np.where(finite, shifted - centre[parts.cell_group], np.nan)
    squares = np.zeros((k, j))
    np.add.at(squares, parts.cell_group, np.where(finite, deviation**2, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.where(n >= 2, np.sqrt(squares / (n - 1)), np.nan)
    scale = np.abs(filled).max(axis=0, initial=0.0)
    sd = np.where(sd <= ROUNDING * scale, 0.0, sd)
    strata = tuple(
        _stratum(stratum.groups, stratum.take(deviation), n[stratum.groups])
        for stratum in parts.strata
    )
    return Moments(centre + origin, n, sd, scale, strata)


def _first_finite(values: Floats) -> Floats:
    """``[J]`` first finite value of every column, 0 where there is none."""
    finite = np.isfinite(values)
    if not len(values):
        return np.zeros(values.shape[1])
    row = finite.argmax(axis=0)
    return np.where(finite.any(axis=0), values[row, np.arange(values.shape[1])], 0.0)


def _stratum(groups: NDArray[np.int64], deviation: Floats, n: Floats) -> StratumMoments:
    """Contribution of one stratum from ``[n_s, G_s, J]`` deviations from the group means."""
    here = np.isfinite(deviation)
    count = here.sum(axis=0).astype(np.float64)
    psi = np.where(here, deviation, 0.0) / np.maximum(n, 1.0)
    # a single measured cluster has no scatter of its own in the stratum: it keeps its distance
    # from the group mean instead, as in an unstratified estimate
    several = count >= 2
    centre = np.where(several, psi.sum(axis=0) / np.maximum(count, 1.0), 0.0)
    psi = np.where(here, psi - centre, 0.0)
    psi *= np.where(several, np.sqrt(count / np.maximum(count - 1.0, 1.0)), 1.0)
    return StratumMoments(groups, count, np.einsum("cgj,chj->ghj", psi, psi, optimize=True))
