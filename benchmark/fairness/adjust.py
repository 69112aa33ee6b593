"""Corrections for testing many hypotheses; NaN p-values are tests that were not made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from benchmark.fairness.resampling import Floats


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values (Holm 1979); controls the family-wise error.

    Args:
        p: ``[m]`` p-values. NaN entries stay NaN and do not count in m.
    """
    return _adjust(np.asarray(p, dtype=np.float64), _holm)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini and Hochberg's (1995) adjusted p-values; false discovery rate, for screening only.

    Args:
        p: ``[m]`` p-values. NaN entries stay NaN and do not count in m.
    """
    return _adjust(np.asarray(p, dtype=np.float64), _step_up)


def _adjust(p: Floats, rule: Callable[[Floats], Floats]) -> Floats:
    out = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    order = np.argsort(p[tested], kind="stable")
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(rule(p[tested][order]), 1.0)
    out[tested] = adjusted
    return out


def _holm(ordered: Floats) -> Floats:
    m = len(ordered)
    return np.maximum.accumulate((m - np.arange(m)) * ordered) if m else ordered


def _step_up(ordered: Floats) -> Floats:
    m = len(ordered)
    raw = ordered * m / np.arange(1, m + 1)
    return np.minimum.accumulate(raw[::-1])[::-1] if m else ordered
