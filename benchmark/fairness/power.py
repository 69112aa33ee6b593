"""How much data a claim needs, and claims of "no worse than" and "the same as"."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from benchmark.fairness.resampling import Floats


@dataclass(frozen=True)
class MarginTest:
    """Outcome of a comparison with a margin.

    Attributes:
        p_value: one-sided; small means "within the margin" is shown.
        bound: the confidence bound that was compared with the margin, or the nearer of two.
        verdict: pass, fail (shown to be beyond the margin) or inconclusive.
        n_needed: clusters with which a truth of no difference would pass with chance ``power``.
    """

    p_value: float
    bound: float
    verdict: Literal["pass", "fail", "inconclusive"]
    n_needed: int


def detectable(se: ArrayLike, df: ArrayLike, *, alpha: float = 0.05, power: float = 0.9) -> Floats:
    """Smallest true difference that a two-sided test at ``alpha`` finds with chance ``power``.

    ``(t_{1-alpha/2} + t_power) * se``: the usual ``(z + z) * SE`` with t quantiles, so that few
    clusters are not promised the power of many.
    """
    df = np.maximum(np.asarray(df, dtype=np.float64), 1.0)
    quantiles = stats.t.isf(alpha / 2, df) + stats.t.ppf(power, df)
    return np.asarray(quantiles * np.asarray(se, dtype=np.float64))


def required_n(sd: float, margin: float, *, alpha: float = 0.05, power: float = 0.9) -> int:
    """Pairs needed to show non-inferiority at ``margin`` if nothing differs.

    ``((z_{1-alpha} + z_power) * sd / margin)^2`` rounded up, one-sided alpha.
    """
    z = float(stats.norm.isf(alpha) + stats.norm.ppf(power))
    return max(2, ceil((z * sd / margin) ** 2 - 1e-9))


def non_inferiority(
    difference: ArrayLike, *, margin: float, alpha: float = 0.05, power: float = 0.9
) -> MarginTest:
    """Is the mean of ``difference`` (new minus old, oriented so that more is better) > -margin?

    Several groups must all pass (intersection-union): no correction is needed for that.

    Args:
        difference: ``[n]`` one value per cluster, at least two.
        margin: positive, the largest loss that is acceptable.
        alpha: one-sided level.
        power: for ``n_needed``.
    """
    d = np.asarray(difference, dtype=np.float64)
    se, df = d.std(ddof=1) / np.sqrt(len(d)), len(d) - 1
    bound = float(d.mean() - stats.t.isf(alpha, df) * se)
    upper = float(d.mean() + stats.t.isf(alpha, df) * se)
    verdict: Literal["pass", "fail", "inconclusive"] = "inconclusive"
    if bound > -margin:
        verdict = "pass"
    elif upper < -margin:
        verdict = "fail"
    p = _upper_tail(d.mean() + margin, se, df)
    needed = required_n(float(d.std(ddof=1)), margin, alpha=alpha, power=power)
    return MarginTest(p, bound, verdict, needed)


def equivalence(
    one: ArrayLike, two: ArrayLike, *, margin: float, alpha: float = 0.05, power: float = 0.9
) -> MarginTest:
    """Do two independent groups differ by less than ``margin``? Two one-sided Welch tests (TOST).

    ``n_needed`` is the number of clusters in each group.
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    se = float(np.sqrt(parts.sum()))
    squares = (parts**2 / np.array([len(a) - 1, len(b) - 1])).sum()
    df = float(parts.sum() ** 2 / squares) if squares > 0 else float(len(a) + len(b) - 2)
    d = float(a.mean() - b.mean())
    p = max(_upper_tail(d + margin, se, df), _upper_tail(margin - d, se, df))
    reach = float(stats.t.isf(alpha, df)) * se
    bound = d + reach if d >= 0 else d - reach
    verdict: Literal["pass", "fail", "inconclusive"] = "inconclusive"
    if abs(bound) < margin:
        verdict = "pass"
    elif abs(d) - reach > margin:
        verdict = "fail"
    sd = float(np.sqrt(a.var(ddof=1) + b.var(ddof=1)))
    # a TOST misses on either side, so each side may miss half as often
    needed = required_n(sd, margin, alpha=alpha, power=(1 + power) / 2)
    return MarginTest(p, bound, verdict, needed)


def _upper_tail(distance: float, se: float, df: float) -> float:
    if se == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / se, df))
