"""Single-number summaries of group values: small pure functions, each with its edge cases."""

from __future__ import annotations

import numpy as np

from benchmark.fairness.resampling import Floats


def min_max_ratio(x: Floats) -> float:
    """Smallest over largest value of a ratio-scale metric; NaN if the largest is not positive."""
    return float(x.min() / x.max()) if len(x) > 1 and x.max() > 0 else float("nan")


def gini(x: Floats) -> float:
    """Gini index corrected for few groups (GARBE, arXiv 2203.05051).

    ``K/(K-1) sum_ij |x_i - x_j| / (2 K^2 mean)`` for non-negative x; all zero gives 0, fewer than
    two groups or a negative value gives NaN.
    """
    k = len(x)
    if k < 2 or (x < 0).any():
        return float("nan")
    if not x.any():
        return 0.0
    differences = np.abs(x[:, None] - x[None, :]).sum()
    return float(k / (k - 1) * differences / (2 * k**2 * x.mean()))


def equity_scaled(overall: float, groups: Floats) -> float:
    """Overall value over one plus the population sd between groups (FairMedFM); for [0, 1] only."""
    return float(overall / (1 + groups.std()))


def skewness_ratio(x: Floats) -> float:
    """Skewed error ratio (1 - min)/(1 - max) for values in [0, 1]; infinite where max is 1."""
    if x.max() == 1:
        return 1.0 if x.min() == 1 else float("inf")
    return float((1 - x.min()) / (1 - x.max()))


def shrunk_means(mean: Floats, variance: Floats) -> Floats:
    """Empirical-Bayes group means for ranking (not for claims): all equal where V_dc is <= 0.

    Args:
        mean: ``[K]`` independent group means.
        variance: ``[K]`` their variances.
    """
    true = max(0.0, v_dc(mean, variance))
    return np.asarray(mean.mean() + true / (true + variance) * (mean - mean.mean()))


def v_dc(mean: Floats, variance: Floats) -> float:
    """Variance between independent groups less its sampling noise (Lum et al. 2022); raw.

    Args:
        mean: ``[K]`` group means.
        variance: ``[K]`` variances of the means. Covariances: see :mod:`.omnibus`.
    """
    if len(mean) < 2:
        return float("nan")
    return float(mean.var(ddof=1) - variance.mean())


def lower_tail_mean(x: Floats, *, share: float = 0.1) -> float:
    """CVaR: mean of the lowest ``share`` of values; NaN where that is fewer than five of them."""
    if len(x) * share < 5:
        return float("nan")
    return float(np.sort(x)[: round(len(x) * share)].mean())


def divergences(p: Floats, q: Floats) -> dict[str, float]:
    """Distances of shares p from expected shares q: chi2, cheb, tv_l1 (no factor 1/2), tv, kl, js.

    Raises:
        ValueError: if q has a zero or the two do not have one length.
    """
    if p.shape != q.shape or (q <= 0).any():
        raise ValueError("p and q need one length and q must be positive")
    middle = (p + q) / 2

    def kl(a: Floats, b: Floats) -> float:
        use = a > 0
        return float((a[use] * np.log(a[use] / b[use])).sum())

    return {
        "chi2": float(((p - q) ** 2 / q).sum()),
        "cheb": float(np.abs(p - q).max()),
        "tv_l1": float(np.abs(p - q).sum()),
        "tv": float(np.abs(p - q).sum() / 2),
        "kl": kl(p, q),
        "js": (kl(p, middle) + kl(q, middle)) / 2,
    }
