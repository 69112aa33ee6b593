"""Who judges, and how unequal the judges are before any enhancement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.assets import asset_names, load_record
from benchmark.judges import JUDGES, JudgeCard
from benchmark.metrics.base import MetricSpec
from benchmark.metrics.planning import make_scorer, scorer_of
from benchmark.report.model import RunView
from benchmark.report.records import Digest, digest
from benchmark.report.summary import Cell, lines
from benchmark.spec.task import TaskSpec

#: Metrics of the face scorer that its detector takes part in, and whether the recogniser does too.
_DETECTED = {"detected": False, "tar": True, "tar_gain": True}
_DETECTOR = "dlib-hog"
_ORACLE = "oracle"


@dataclass(frozen=True)
class JudgeUse:
    """A judge, what it is asked for, and its own training record where the suite trained it."""

    card: JudgeCard
    used_for: tuple[str, ...]
    record: Digest | None


@dataclass(frozen=True)
class CleanRow:
    """What a metric gives for the clean references themselves, overall and per group."""

    metric: str
    axis: str
    overall: Cell
    groups: tuple[tuple[str, Cell], ...]


def declaration(metric: str) -> MetricSpec:
    """What a metric declares, whether or not its judge's weights are at hand."""
    specs = make_scorer(scorer_of(metric)).specs
    return next(spec for spec in specs if spec.name == metric)


@dataclass(frozen=True)
class Ceiling:
    """How often a judge is right on the clean pictures of one group."""

    judge: str
    what: str
    axis: str
    group: str
    rate: float
    n: int


def ceilings(view: RunView) -> tuple[Ceiling, ...]:
    """What attribute judges and readers of a run get right before anything was enhanced."""
    found: dict[Ceiling, None] = {}
    for table, rate, what in (
        (view.representation, "ceiling", "sees the group"),
        (view.outcomes, "accuracy_reference", "reads rightly"),
    ):
        first = table.drop_duplicates(["judge", "axis", "group"])
        for row in first.to_dict("records"):
            axis, group = str(row["axis"] or ""), str(row["group"] or "")
            judge, n = str(row["judge"]), int(row["n"])
            found[Ceiling(judge, what, axis, group, float(row[rate]), n)] = None
    return tuple(found)


def judges_of(metric: str) -> tuple[str, ...]:
    """Names of the judges that a metric relies on; none for formulas without a network."""
    scorer = make_scorer(scorer_of(metric))
    base = metric.partition(":")[0]
    found = [str(getattr(scorer, "judge", ""))] if _DETECTED.get(base, True) else []
    found += [_DETECTOR] * (base in _DETECTED) + [metric]
    return tuple(dict.fromkeys(name for name in found if name in JUDGES))


def judges(task: TaskSpec, metrics: Iterable[str]) -> tuple[JudgeUse, ...]:
    """Every judge of a task, in order of first use."""
    uses: dict[str, list[str]] = {}
    for metric in metrics:
        for name in judges_of(metric):
            uses.setdefault(name, []).append(metric)
    for part, names in (
        ("representation", task.representation.judges if task.representation else []),
        ("distribution", task.distribution.features if task.distribution else []),
    ):
        for name in names:
            uses.setdefault(name, []).append(part)
    return tuple(
        JudgeUse(JUDGES.get(name), tuple(used), _record(name))
        for name, used in uses.items()
        if name in JUDGES
    )


def _record(name: str) -> Digest | None:
    """The record of the weights called as the judge is, or as what it is (``fundus-segmenter``)."""
    own = [a for a in asset_names() if a == name or a.startswith(f"{name}-")]
    return digest(load_record(own[0]).card) if own else None


def clean_rows(view: RunView, metrics: Iterable[str]) -> tuple[CleanRow, ...]:
    """The oracle's row in every metric that has a judge, on the headline and sensitive axes."""
    roles = {axis.name: axis.role for axis in view.manifest.axes}
    chosen = [
        axis
        for axis in view.axes
        if axis == view.manifest.headline.axis or roles.get(axis) == "sensitive"
    ]
    measured = {record.name: record for record in view.metrics_in(view.groups)}
    found = []
    for name in metrics:
        if name not in measured or not judges_of(name):
            continue
        for axis in chosen:
            levels = view.levels(axis)
            row = next(
                (r for r in lines(view, measured[name], axis) if r.system.system == _ORACLE), None
            )
            if row is not None and row.overall.n_clusters:
                groups = tuple(zip(levels, row.groups, strict=True))
                found.append(CleanRow(name, axis, row.overall, groups))
    return tuple(found)
