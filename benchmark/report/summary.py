"""The headline, computed once for the console, the figures and the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmark.report.manifest import ComparisonRecord, MetricRecord, SystemRecord
from benchmark.report.model import RunView

NAN = float("nan")


@dataclass(frozen=True)
class Cell:
    """A mean of one group.

    ``worst`` is "", "worst", or "tentative" where the group is small or resampling disagrees.
    """

    mean: float
    low: float
    high: float
    n_clusters: int
    failures: int
    size_class: str
    worst: str = ""


@dataclass(frozen=True)
class Disparity:
    """A gap beside what chance alone gives.

    ``low`` and ``high`` bound the *deficit* (how far the worst group is behind the mean of the
    others), not the range ``gap``: an interval of a range never contains zero and would make every
    system look unfair.
    """

    gap: float
    null_mean: float
    null_p95: float
    excess: float
    best: str
    worst: str
    low: float
    high: float
    p_holm: float
    mde: float
    verdict: str
    reason: str


@dataclass(frozen=True)
class Line:
    """One system in one metric across the groups of one axis, in display order."""

    system: SystemRecord
    metric: MetricRecord
    overall: Cell
    groups: tuple[Cell, ...]
    disparity: Disparity | None


_ABSENT = Cell(NAN, NAN, NAN, 0, 0, "empty")


def lines(view: RunView, metric: MetricRecord, axis: str) -> tuple[Line, ...]:
    """The systems of a run in one metric, in the manifest's order."""
    levels = view.levels(axis)
    cells = {
        (row["system"], row["arm"], part, row["group"]): row
        for part in ("", axis)
        for row in view.group_rows.get((metric.name, part), ())
    }
    gaps = view.gap_rows.get((metric.name, axis), ())
    disparities = {(row["system"], row["arm"]): row for row in gaps}
    result = []
    for key, system in view.by_key.items():
        found = disparities.get(key)
        worst = _text(found["worst_group"]) if found and _float(found["gap"]) > 0 else ""
        frequency = float(found["worst_frequency"]) if found else NAN
        overall = cells.get((*key, "", ""))
        result.append(
            Line(
                system=system,
                metric=metric,
                overall=_cell(overall, "") if overall else _ABSENT,
                groups=tuple(
                    _cell(row, _worst(row, level == worst, frequency))
                    if (row := cells.get((*key, axis, level)))
                    else _ABSENT
                    for level in levels
                ),
                disparity=_disparity(found) if found else None,
            )
        )
    return tuple(result)


def _worst(row: Mapping[Any, Any], is_worst: bool, frequency: float) -> str:
    """A small group is never alone the ground of a claim, so as the worst it is tentative."""
    if not is_worst:
        return ""
    return "tentative" if frequency < 0.5 or row["size_class"] == "small" else "worst"


def _cell(row: Mapping[Any, Any], worst: str) -> Cell:
    return Cell(
        mean=_float(row["mean"]),
        low=_float(row["ci_low"]),
        high=_float(row["ci_high"]),
        n_clusters=_int(row["n_clusters"]),
        failures=_int(row["failures"]),
        size_class=str(row["size_class"]),
        worst=worst,
    )


def _disparity(row: Mapping[Any, Any]) -> Disparity:
    return Disparity(
        gap=_float(row["gap"]),
        null_mean=_float(row["null_mean"]),
        null_p95=_float(row["null_p95"]),
        excess=_float(row["excess"]),
        best=_text(row["best_group"]),
        worst=_text(row["worst_group"]),
        low=_float(row["ci_low"]),
        high=_float(row["ci_high"]),
        p_holm=_float(row["p_holm"]),
        mde=_float(row["mde"]),
        verdict=str(row["verdict"]),
        reason=_text(row["reason"]),
    )


def _float(value: Any) -> float:
    return NAN if value is None or value is pd.NA else float(value)


def _int(value: Any) -> int:
    number = _float(value)
    return 0 if math.isnan(number) else int(number)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Effect:
    """One target of an arm comparison: ``value`` is arm minus baseline in the metric's units."""

    target: str
    axis: str
    value: float
    low: float
    high: float
    p_holm: float
    n_seeds: int
    verdict: str
    sentence: str


def effects(
    view: RunView, comparison: ComparisonRecord, metric: str, axis: str
) -> tuple[Effect, ...]:
    """Effects of one comparison on one metric: overall first, groups in order, then spreads."""
    key = (comparison.system, comparison.arm, comparison.baseline, metric)
    rows = [row for row in view.effect_rows.get(key, ()) if row["axis"] in {"", axis}]
    order = {
        t: i for i, t in enumerate(("overall", *view.levels(axis), "worst", "gap", "range", "v_dc"))
    }
    found = [
        Effect(
            target=str(row["target"]),
            axis=str(row["axis"]),
            value=_float(row["effect"]),
            low=_float(row["ci_low"]),
            high=_float(row["ci_high"]),
            p_holm=_float(row["p_holm"]),
            n_seeds=_int(row["n_seeds"]),
            verdict=str(row["verdict"]),
            sentence=_text(row["sentence"]),
        )
        for row in rows
    ]
    unique = {e.target: e for e in sorted(found, key=lambda e: e.axis != axis, reverse=True)}
    return tuple(sorted(unique.values(), key=lambda e: order.get(e.target, len(order))))


def seed_means(view: RunView, system: str, arm: str, metric: str, axis: str) -> pd.DataFrame:
    """Mean of cluster means, one row per seed and one column per group; for thin lines in figures.

    The intervals of the report come from the tables, never from here.
    """
    samples = view.samples
    if metric not in samples or axis not in samples:
        return pd.DataFrame()
    part = samples[(samples["system"] == system) & (samples["arm"] == arm)]
    clusters = part.groupby(["seed", axis, "cluster"], observed=True)[metric].mean()
    return clusters.groupby(level=[0, 1]).mean().unstack()
