"""The group table: what every group got, how sure that is, and how large the group is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.fairness.estimates import Estimates
from benchmark.fairness.intervals import mean_intervals
from benchmark.fairness.model import Policy
from benchmark.fairness.power import detectable
from benchmark.fairness.resampling import Floats
from benchmark.fairness.spread import Spread

GROUP_COLUMNS = (
    "system",
    "arm",
    "metric",
    "axis",
    "group",
    "n_items",
    "n_clusters",
    "mean",
    "ci_low",
    "ci_high",
    "ci_method",
    "sd",
    "p10",
    "failures",
    "coverage",
    "size_class",
    "worst_frequency",
    "mde",
)
_ITEMS_FOR_P10 = 50


def group_table(
    found: Estimates, spread: Spread, variants: Sequence[tuple[str, str]], policy: Policy
) -> pd.DataFrame:
    """One row per column and group, with the sort keys ``_variant``, ``_metric``, ``_group``."""
    data, parts, m = found.columns, found.parts, found.moments
    low, high, method = mean_intervals(
        data.values,
        parts.cell_group,
        m,
        found.replicates,
        rate=data.rate,
        items=data.items,
        level=1 - policy.alpha,
    )
    k, j = m.mean.shape
    mde = spread.contrast_mde
    if found.layout.role == "overall":
        mde = detectable(np.sqrt(m.variance), m.n - 1, alpha=policy.alpha, power=policy.power)
    per_group: dict[str, NDArray[np.generic]] = {
        "n_items": data.expected.astype(np.int64),
        "n_clusters": m.n.astype(np.int64),
        "mean": m.mean,
        "ci_low": low,
        "ci_high": high,
        "ci_method": method,
        "sd": m.sd,
        "p10": _tail(found),
        "failures": data.failures.astype(np.int64),
        "coverage": data.coverage,
        "size_class": size_class(m.n, policy),
        "worst_frequency": spread.worst_frequency,
        "mde": mde,
    }
    table = pd.DataFrame({name: column.T.ravel() for name, column in per_group.items()})
    variant, metric = np.repeat(data.variant, k), np.repeat(data.metric, k)
    group = np.tile(np.arange(k), j)
    table["system"] = [variants[int(v)][0] for v in variant]
    table["arm"] = [variants[int(v)][1] for v in variant]
    table["metric"] = [data.info[int(i)].name for i in metric]
    table["axis"] = found.layout.axis
    table["group"] = [found.layout.names[g] for g in group]
    return table[list(GROUP_COLUMNS)].assign(_variant=variant, _metric=metric, _group=group)


def size_class(n: Floats, policy: Policy) -> NDArray[np.object_]:
    """full, small, insufficient or empty, by the number of measured clusters."""
    names = np.array(["empty", "insufficient", "small", "full"], dtype=object)
    bounds = np.array([1, policy.n_min, policy.n_full])
    classes: NDArray[np.object_] = names[np.searchsorted(bounds, n, side="right")]
    return classes


def _tail(found: Estimates) -> Floats:
    """``[K, J]`` the value that the worse-off tenth of clusters does not reach.

    Higher-is-better metrics: the 10th percentile of cluster means; lower-is-better: the 90th.
    NaN below 50 measured items, where it would be one person's value.
    """
    data, out = found.columns, np.full(found.moments.mean.shape, np.nan)
    for group in range(len(out)):
        cells = data.values[found.parts.cell_group == group]
        for columns, share in ((data.direction > 0, 0.1), (data.direction < 0, 0.9)):
            use = columns & (data.items[group] >= _ITEMS_FOR_P10)
            if use.any() and len(cells):
                out[group, use] = np.nanquantile(cells[:, use], share, axis=0)
    return out
