"""What changed between two runs on the same samples, without a verdict on whether it may."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.errors import DataError
from benchmark.fairness import AxisInfo, Policy
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.claims import EFFECT_COLUMNS, effect_rows, judge
from benchmark.fairness.study import study
from benchmark.regression import comparable
from benchmark.regression.facts import Side, metric_info, read_run
from benchmark.regression.movers import Mover, movers

_SEED, _REPLICATES, _MOVERS = 0, 2000, 5
_ROUNDING = 1e-3
_ARMS = ("A", "B")
#: What a run says of itself that is no property of what was measured.
_LABELS = frozenset({"run_id", "manifest_sha256"})


@dataclass(frozen=True)
class Difference:
    """Two runs side by side.

    Attributes:
        one, two: their names.
        terms: what they say of themselves that differs: key, then, now.
        effects: one row for every system, metric and target (everybody, groups, gaps) with the
            paired change, its interval, its Holm-adjusted p-value and a verdict; columns as in
            ``effects.parquet``.
        moved: the samples that lost most in every system and metric.
        unchanged: systems of which no value moved by more than rounding.
        only_one, only_two: systems that the other run lacks.
    """

    one: str
    two: str
    terms: tuple[tuple[str, Any, Any], ...]
    effects: pd.DataFrame
    moved: tuple[Mover, ...]
    unchanged: tuple[str, ...]
    only_one: tuple[str, ...]
    only_two: tuple[str, ...]


def compare(one: str | Path, two: str | Path) -> Difference:
    """Compare two finished runs.

    Raises:
        DataError: if one is unfinished, or they were made on different samples.
    """
    return difference(read_run(Path(one)), read_run(Path(two)))


def difference(one: Side, two: Side) -> Difference:
    """Compare two sides; changes are B minus A."""
    axes = [axis for axis in one.facts.axes if axis.role != "control"]
    names = [axis.name for axis in axes]
    other = comparable.different_samples(one, two, names)
    if other:
        raise DataError(
            f"the runs have different samples: {'; '.join(other)}",
            where=f"{one.name} and {two.name}",
            mend="compare runs of one task, profile and dataset",
        )
    both = {metric.name: metric for metric in two.facts.measured}
    metrics = [m for m in one.facts.measured if m.name in both]
    wanted = [metric.name for metric in metrics]
    pairs = comparable.matched(one, two, wanted, names)
    noise = comparable.noise_floor(one, wanted, _ROUNDING)
    keys, others = ([s.key for s in side.facts.systems] for side in (one, two))
    common = [key for key in keys if key in set(others)]
    still = [key for key in common if not comparable.any_moved(pairs, key, wanted, noise)]
    changed = [key for key in common if key not in still]
    roles = [AxisInfo(axis.name, axis.role, axis.levels, axis.excluded) for axis in axes]
    info = [metric_info(metric) for metric in metrics]
    rows = comparable.stacked(
        pairs[comparable.is_one_of(pairs, changed)], wanted, names, arms=_ARMS
    )
    policy = Policy(bootstrap=_REPLICATES, min_seeds=1)
    data = study(rows, info, roles)
    effects = []
    for number, (layout, parts) in enumerate(data.layouts(roles) if data.variants else ()):
        if layout.role == "crossing":
            continue
        comparisons = [(_label(key), _ARMS[1], _ARMS[0]) for key in changed]
        found = effect_rows(data, layout, Bootstrap(parts, _SEED, _REPLICATES), comparisons, policy)
        effects.append(found.assign(_axis=number))
    table = judge(pd.concat(effects, ignore_index=True) if effects else pd.DataFrame(), policy)
    order = ["_comparison", "_metric", "_axis", "_group"]
    table = table.sort_values(order, kind="stable", ignore_index=True)
    lost = movers(pairs, changed, metrics, axes=names, noise=noise, count=_MOVERS)
    return Difference(
        one.facts.run_id,
        two.facts.run_id,
        tuple(_terms(one, two)),
        table[list(EFFECT_COLUMNS)],
        tuple(lost),
        tuple(_label(key) for key in still),
        tuple(_label(key) for key in keys if key not in set(others)),
        tuple(_label(key) for key in others if key not in set(keys)),
    )


def _label(key: tuple[str, str]) -> str:
    return " ".join(key).strip()


def _terms(one: Side, two: Side) -> list[tuple[str, Any, Any]]:
    first, second = (
        {
            key: value
            for key, value in side.facts.model_dump(mode="json").items()
            if key not in _LABELS
        }
        for side in (one, two)
    )
    for facts in (first, second):
        # by name, so that one more in a list is not a change of everything after it
        for key, name in (("metrics", "name"), ("instruments", "name"), ("axes", "name")):
            facts[key] = {item[name]: item for item in facts[key]}
        facts["systems"] = {_label((s["system"], s["arm"])): s for s in facts["systems"]}
    return list(comparable.changed_keys(first, second))
