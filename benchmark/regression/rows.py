"""The verdicts of a gate, one row each: groups, what lies between them, floors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from benchmark.fairness.arms import paired
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.estimates import columns
from benchmark.fairness.gate import Losses, adjusted, deciding_n, losses, verdicts, worst_bound
from benchmark.fairness.model import MetricInfo
from benchmark.fairness.moments import moments
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Layout, Study, study
from benchmark.regression.comparable import stacked
from benchmark.regression.facts import Facts, axis_info, metric_info
from benchmark.spec.gate import GatePolicy

RowVerdict = Literal["pass", "fail", "inconclusive"]
RowKind = Literal["group", "gap", "v_dc", "levelled_down", "floor"]

#: Fixes the bootstrap; the same files give the same bytes.
_SEED = 0
_ARMS = ("baseline", "candidate")
_NO_CHANGE = "no value of this system moved"


@dataclass(frozen=True)
class Row:
    """One verdict.

    Attributes:
        system, arm, metric, axis: about what.
        kind, target: group, or what lies between groups; the group's name or the kind.
        n: clusters behind it.
        before, after: the two values; of a floor, the floor and the worst group's bound.
        loss, low, high: what was lost, positive is harm, with one-sided bounds on either side.
        harm, allowed: the margins.
        p, p_holm: of "lost at most ``harm``".
        verdict: pass, fail or inconclusive.
        needed: clusters that would decide an inconclusive row; 0 if none would or none is needed.
        reason: one clause for people.
    """

    system: str
    arm: str
    metric: str
    axis: str
    kind: RowKind
    target: str
    n: int
    before: float
    after: float
    loss: float
    low: float
    high: float
    harm: float
    allowed: float
    p: float
    p_holm: float
    verdict: RowVerdict
    needed: int
    reason: str

    @property
    def label(self) -> str:
        """System and arm as one name."""
        return f"{self.system} {self.arm}".strip()


@dataclass(frozen=True)
class Scene:
    """Everything that is judged, coded once.

    Attributes:
        data: the matched rows; every system has the arms ``baseline`` and ``candidate``.
        info: the gated metrics.
        layouts: the groups of every gated axis, with the draws of their partition.
        policy: margins and levels.
    """

    data: Study
    info: tuple[MetricInfo, ...]
    layouts: tuple[tuple[Layout, Bootstrap], ...]
    policy: GatePolicy


def scene(pairs: pd.DataFrame, facts: Facts, policy: GatePolicy) -> Scene:
    """Code the matched rows of two runs.

    Args:
        pairs: as from :func:`benchmark.regression.comparable.matched`.
        facts: of the baseline.
        policy: says which metrics and axes.
    """
    declared = {metric.name: metric for metric in facts.measured}
    info = tuple(metric_info(declared[name]) for name in policy.metrics)
    axes = [axis_info(axis) for axis in facts.axes if axis.name in policy.axes]
    data = study(stacked(pairs, list(policy.metrics), policy.axes, arms=_ARMS), info, axes)
    layouts = tuple(
        (layout, Bootstrap(parts, _SEED, policy.replicates))
        for layout, parts in data.layouts(axes)
        if layout.axis in policy.axes
    )
    return Scene(data, info, layouts, policy)


def rows_of(here: Scene, system: str, arm: str, *, unchanged: bool) -> Iterator[Row]:
    """Every verdict on one system; one that did not change passes without a test."""
    name, metrics = f"{system} {arm}".strip(), list(range(len(here.info)))
    found = []
    for layout, boot in here.layouts:
        data = paired(
            here.data, boot.parts, system=name, arm=_ARMS[1], baseline=_ARMS[0], metrics=metrics
        )
        found.append(losses(layout, boot, data, here.info, here.policy))
    p_holm = _one_family(found, unchanged)
    for (layout, boot), one, p in zip(here.layouts, found, p_holm, strict=True):
        about = (system, arm, layout.axis)
        yield from _judged(about, one, p, here, unchanged=unchanged)
        yield from _floors(about, layout, boot, here)


def _one_family(found: Sequence[Losses], unchanged: bool) -> list[Floats]:
    """Holm over all axes and metrics of a system; what did not change is not tested."""
    p = np.concatenate([one.p for one in found])
    if unchanged:
        p = np.full_like(p, np.nan)
    kinds = [kind for one in found for kind in one.kinds]
    ends = np.cumsum([len(one.kinds) for one in found])[:-1]
    return np.split(adjusted(p, kinds), ends)


def _judged(
    about: tuple[str, str, str],
    found: Losses,
    p_holm: Floats,
    here: Scene,
    *,
    unchanged: bool,
) -> Iterator[Row]:
    system, arm, axis = about
    said = verdicts(found, p_holm, here.policy)
    for j, metric in enumerate(here.info):
        for t, (target, kind) in enumerate(zip(found.targets, found.kinds, strict=True)):
            if not found.n[t, j] and not np.isfinite(found.loss[t, j]):
                continue  # a level without a sample, or nothing to compare it with
            number = {
                key: float(getattr(found, key)[t, j])
                for key in ("before", "after", "loss", "low", "high", "harm", "allowed", "n", "sd")
            }
            verdict: RowVerdict = "pass" if unchanged else said[t][j]
            tested = bool(np.isfinite(found.p[t, j]))
            runs, needed = bool(found.runs[t, j]), 0
            if verdict == "inconclusive" and not runs:
                needed = deciding_n(
                    **{key: number[key] for key in ("loss", "sd", "harm", "allowed", "n")},
                    policy=here.policy,
                )
            yield Row(
                system=system,
                arm=arm,
                metric=metric.name,
                axis=axis,
                kind=kind,
                target=target,
                n=int(number.pop("n")),
                p=float(found.p[t, j]) if not unchanged else float("nan"),
                p_holm=float(p_holm[t, j]),
                verdict=verdict,
                needed=needed,
                reason=_NO_CHANGE
                if unchanged
                else _reason(verdict, kind, tested=tested, runs=runs, needed=needed),
                **{key: value for key, value in number.items() if key != "sd"},
            )


def _reason(verdict: RowVerdict, kind: RowKind, *, tested: bool, runs: bool, needed: int) -> str:
    if verdict == "inconclusive":
        if not tested:
            return "too few clusters to be judged"
        if runs:
            return "its training runs differ too much: more seeds would decide"
        return f"{needed} clusters would decide" if needed else "the margins leave no way to decide"
    return {
        ("fail", "group"): "lost more than the harm margin",
        ("fail", "gap"): "the pinned gap grew by more than the harm margin",
        ("fail", "v_dc"): "the spread between groups grew by more than the harm margin",
        ("fail", "levelled_down"): "the gap shrank because the best group fell",
        ("pass", "levelled_down"): "no sign of levelling down",
    }.get((verdict, kind), "any loss is smaller than the allowed one")


def _floors(
    about: tuple[str, str, str],
    layout: Layout,
    boot: Bootstrap,
    here: Scene,
) -> Iterator[Row]:
    """Absolute floors: the worst group's bound must not be beyond them, whatever was before."""
    system, arm, axis = about
    floors = here.policy.floors
    chosen = [number for number, metric in enumerate(here.info) if metric.name in floors]
    if not chosen:
        return
    all_cells = columns(here.data, boot.parts, chosen)
    variant = here.data.variants.index((f"{system} {arm}".strip(), _ARMS[1]))
    mine = np.flatnonzero(all_cells.variant == variant)
    found = moments(boot.parts, all_cells.values[:, mine])
    for column, number in enumerate(chosen):
        metric, floor = here.info[number], floors[here.info[number].name]
        worst = worst_bound(found, metric, column, all_cells.items[:, mine[column]], here.policy)
        if worst is None:
            continue
        group, bound = worst
        short = (floor - bound) * metric.direction
        nan = float("nan")
        yield Row(
            system, arm, metric.name, axis, "floor", layout.names[group],
            int(found.n[group, column]), floor, bound, short, nan, nan, 0.0, 0.0, nan, nan,
            "fail" if short > 0 else "pass", 0,
            f"the bound of the worst group is {'beyond' if short > 0 else 'within'} the floor",
        )  # fmt: skip
