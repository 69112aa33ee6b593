"""Taking a judge's own errors out of what it says (Rogan and Gladen 1978, for several levels).

With ``M[a, b] = P(judge names b | truly a)``, estimated on the clean originals, a group whose
outputs truly show the levels in shares q is judged to show ``f = M'q``; so ``q = inverse(M') f``,
brought back to shares (the nearest point of the simplex). It assumes that the judge errs on an
output as it errs on an original of the level shown; where M is nearly singular it says nothing.
"""

from __future__ import annotations

import numpy as np

from benchmark.fairness.resampling import Floats

#: Largest condition number of M for which the correction is not mostly amplified noise.
WORST_CONDITION = 20.0
#: Share of replicates that may fail that test before there is no interval.
_DEGENERATE_SHARE = 0.05


def to_simplex(x: Floats) -> Floats:
    """The nearest point of the simplex to each vector ``x[..., K]`` (Duchi et al. 2008, fig. 1)."""
    k = x.shape[-1]
    ordered = -np.sort(-x, axis=-1)
    excess = np.cumsum(ordered, axis=-1) - 1
    count = np.arange(1, k + 1)
    last = (ordered - excess / count > 0).sum(axis=-1, keepdims=True)
    last = np.maximum(last, 1)
    theta = np.take_along_axis(excess, last - 1, axis=-1) / last
    result: Floats = np.maximum(x - theta, 0.0)
    return result


def confusion(rates: Floats) -> Floats:
    """M ``[..., G, K]`` from judged rates of originals: rows sum to 1, NaN for a row of zeros."""
    total = rates.sum(axis=-1, keepdims=True)
    matrix: Floats = np.divide(rates, total, out=np.full_like(rates, np.nan), where=total > 0)
    return matrix


def corrected(rates: Floats, judge: Floats) -> Floats:
    """True shares of the levels in the outputs of every group.

    Args:
        rates: ``[..., G, V, K]`` rates at which outputs are judged each level; their sum over
            levels is the share of outputs that exist, and is kept.
        judge: ``[..., K, K]`` the matrix M.

    Returns:
        ``[..., G, V, K]``; NaN where M is unknown or its condition number is above 20.
    """
    usable = np.asarray(np.isfinite(judge).all(axis=(-2, -1)))
    safe = np.where(usable[..., None, None], judge, np.eye(judge.shape[-1]))
    with np.errstate(divide="ignore"):
        usable &= np.linalg.cond(safe) <= WORST_CONDITION
    safe = np.where(usable[..., None, None], judge, np.eye(judge.shape[-1]))
    total = rates.sum(axis=-1, keepdims=True)
    shares = np.divide(rates, total, out=np.full_like(rates, np.nan), where=total > 1e-12)
    raw = np.einsum("...gvb,...ba->...gva", shares, np.linalg.inv(safe))
    result: Floats = np.where(usable[..., None, None, None], to_simplex(raw) * total, np.nan)
    return result


def interval(replicates: Floats, *, alpha: float) -> tuple[Floats, Floats]:
    """Percentiles of ``[B, ...]`` replicates; NaN where more than a twentieth are undefined."""
    sound = np.asarray(np.isnan(replicates).mean(axis=0) <= _DEGENERATE_SHARE)
    filled = np.where(sound, replicates, 0.0)
    low, high = np.nanquantile(filled, [alpha / 2, 1 - alpha / 2], axis=0)
    return np.where(sound, low, np.nan), np.where(sound, high, np.nan)
