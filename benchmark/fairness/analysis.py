"""One call from the samples table to all tables of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.claims import EFFECT_COLUMNS, effect_rows, judge
from benchmark.fairness.estimates import columns, estimate, metric_blocks
from benchmark.fairness.gaps import (
    GAP_COLUMNS,
    PAIR_COLUMNS,
    STRATA_COLUMNS,
    conclude,
    gap_table,
    pair_table,
    pair_tests,
    strata_table,
)
from benchmark.fairness.groups import GROUP_COLUMNS, group_table
from benchmark.fairness.model import Analysis, AxisInfo, MetricInfo, Policy
from benchmark.fairness.spread import spread
from benchmark.fairness.study import Layout, Study, study
from benchmark.fairness.tiers import TIER_COLUMNS, tier_table

_COLUMNS = {
    "groups": GROUP_COLUMNS,
    "gaps": GAP_COLUMNS,
    "effects": EFFECT_COLUMNS,
    "tiers": TIER_COLUMNS,
    "pairs": PAIR_COLUMNS,
    "strata": STRATA_COLUMNS,
}
_ORDER = ("_variant", "_metric", "_axis", "_group")


def analyse(
    samples: pd.DataFrame,
    *,
    metrics: Sequence[MetricInfo],
    axes: Sequence[AxisInfo],
    policy: Policy | None = None,
    comparisons: Sequence[tuple[str, str, str]] = (),
    seed: int = 0,
) -> Analysis:
    """Measure every group, gap and effect of arms.

    Args:
        samples: columns system, arm, seed, sample, cluster, status, one per axis and one per
            metric; one row per system, arm, seed and sample. A row whose status is not ``ok`` is a
            failure of its group, and a value that is not finite lowers the group's coverage.
        metrics: what to judge, in the order of display.
        axes: what to judge it by. Crossings of every sensitive with every context axis are added.
        policy: thresholds; the defaults of the specification if None.
        comparisons: (system, arm, baseline arm) triples.
        seed: fixes all resampling. The same samples in any order give the same bytes.

    Raises:
        DataError: if the samples table does not have what was asked for.
    """
    policy = policy or Policy()
    data = study(samples, metrics, axes)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in _COLUMNS}
    for number, (layout, partition) in enumerate(data.layouts(axes) if data.variants else ()):
        boot = Bootstrap(partition, seed, policy.bootstrap)
        for name, frame in _one_axis(data, layout, boot, policy):
            parts[name].append(frame.assign(_axis=number))
        effects = effect_rows(data, layout, boot, comparisons, policy)
        parts["effects"].append(effects.assign(_axis=number, _variant=effects.get("_comparison")))
    tables = {name: _joined(frames, _COLUMNS[name]) for name, frames in parts.items()}
    tables["gaps"] = conclude(tables["gaps"], policy)
    tables["effects"] = judge(tables["effects"], policy)
    return Analysis(**{name: tables[name][list(_COLUMNS[name])] for name in _COLUMNS})


def _one_axis(
    data: Study, layout: Layout, boot: Bootstrap, policy: Policy
) -> Iterator[tuple[str, pd.DataFrame]]:
    """All tables of one axis but the effects, as (name of table, part of it)."""
    for metrics in metric_blocks(data, layout, policy):
        found = estimate(layout, boot, columns(data, boot.parts, metrics), policy)
        wide = spread(found, policy)
        yield "groups", group_table(found, wide, data.variants, policy)
        if layout.role in ("overall", "sensitive"):
            yield "tiers", tier_table(found, data, seed=boot.seed, policy=policy)
        if layout.role == "overall":
            continue
        tests = pair_tests(found, seed=boot.seed, policy=policy)
        yield "gaps", gap_table(found, wide, tests, data.variants, policy)
        yield "pairs", pair_table(found, tests, data.variants)
        if layout.role == "crossing":
            yield "strata", strata_table(found, wide, data.variants)


def _joined(frames: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """The parts as one table in the order of system or comparison, metric, axis and group."""
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=[*columns, *_ORDER])
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values(list(_ORDER), kind="stable", ignore_index=True)
