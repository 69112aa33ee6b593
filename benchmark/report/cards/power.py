"""What could be found: the smallest deficit that the sizes of a task would probably show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.fairness.power import detectable
from benchmark.report.model import RunView

#: Spread of a yes-or-no outcome at its largest, where no run tells it.
WORST_RATE = 0.5


@dataclass(frozen=True)
class Detectable:
    """One metric.

    Attributes:
        metric: whose.
        sd: spread of subjects that was assumed, in the metric's unit; NaN if unknown.
        assumed: where the spread is from.
        by_size: label of a size -> smallest detectable deficit, in the metric's unit.
        seen: median over systems of what the run itself could have missed; NaN without a run.
    """

    metric: str
    sd: float
    assumed: str
    by_size: Mapping[str, float]
    seen: float


def deficit_se(sd: float, sizes: Sequence[int]) -> tuple[float, float]:
    """Standard error and degrees of freedom of smallest group minus mean of the others.

    Independent groups of equal spread: ``sd * sqrt(1/n_0 + sum_i 1/n_i / (K-1)^2)``. Where the same
    subject is in every group the truth is smaller, so this is a bound.

    Args:
        sd: of subjects within a group.
        sizes: subjects in each group, at least two groups.
    """
    smallest, *others = sorted(sizes)
    k = len(others)
    se = sd * math.sqrt(1 / smallest + sum(1 / n for n in others) / k**2)
    return se, float(sum(sizes) - len(sizes))


def table(
    names: Sequence[str],
    sizes: Mapping[str, Sequence[int]],
    *,
    alpha: float,
    kinds: Mapping[str, str],
    view: RunView | None,
) -> tuple[Detectable, ...]:
    """The detectable deficit of every metric at every size.

    Args:
        names: of metrics.
        sizes: label -> subjects in each group; sizes with fewer than two groups are left out.
        alpha: two-sided, of one question; corrections for several make it harder.
        kinds: ``value`` or ``rate`` of every metric.
        view: a run to take the spread from, or None.
    """
    found = []
    for name in names:
        sd, assumed = _spread(name, view)
        if math.isnan(sd) and kinds.get(name) == "rate":
            sd, assumed = WORST_RATE, "the largest possible"
        if math.isnan(sd):
            continue
        by_size = {}
        for label, groups in sizes.items():
            if len(groups) > 1 and min(groups) > 1:
                se, df = deficit_se(sd, groups)
                by_size[label] = float(detectable(se, df, alpha=alpha))
        found.append(Detectable(name, sd, assumed, by_size, _seen(name, view)))
    return tuple(found)


def _spread(name: str, view: RunView | None) -> tuple[float, str]:
    """The largest spread within any group of the headline axis, references left out."""
    if view is None:
        return math.nan, ""
    table = view.groups
    rows = table[(table["metric"] == name) & (table["axis"] == view.manifest.headline.axis)]
    kinds = {key: record.kind for key, record in view.by_key.items()}
    keys = zip(rows["system"], rows["arm"], strict=True)
    measured = pd.Series([kinds[key] != "reference" for key in keys], rows.index, dtype=bool)
    rows = rows[measured].dropna(subset=["sd"])
    if rows.empty:
        return math.nan, ""
    worst = rows.sort_values("sd", kind="stable").iloc[-1]
    return float(worst["sd"]), f"{worst['system']} {worst['arm']}".strip()


def _seen(name: str, view: RunView | None) -> float:
    if view is None:
        return math.nan
    table = view.gaps
    rows = table[(table["metric"] == name) & (table["axis"] == view.manifest.headline.axis)]
    return float(rows["mde"].median()) if len(rows) else math.nan
