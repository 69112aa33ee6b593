"""From metric names to the scorers that compute them, and what cannot be computed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from benchmark.judges import JUDGES
from benchmark.metrics.base import SCORERS, MetricSpec, Scorer, Unavailable
from benchmark.registry import unknown_name

_PYIQA = "pyiqa:"


@dataclass(frozen=True)
class PlannedScorer:
    """A scorer of a run.

    Attributes:
        name: for :func:`make_scorer`.
        identity: what its numbers depend on besides the images, for content keys.
        metrics: the asked-for metrics that it computes.
    """

    name: str
    identity: dict[str, str]
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class ScorerPlan:
    """How the metrics of a run are computed.

    Attributes:
        scorers: by name, in order of first need.
        metrics: declarations of the metrics that can be computed, in the order asked for.
        unavailable: metrics that cannot be computed here, with the mending command.
        specs: declarations of all metrics asked for, computable here or not.
    """

    scorers: dict[str, PlannedScorer]
    metrics: dict[str, MetricSpec]
    unavailable: dict[str, Unavailable]
    specs: dict[str, MetricSpec]


def plan_scorers(metrics: Iterable[str]) -> ScorerPlan:
    """Find the scorers of some metrics; never touches the network.

    Raises:
        UnknownNameError: for a metric that nothing computes, with the nearest names.
    """
    wanted: dict[str, list[str]] = {}
    for metric in dict.fromkeys(metrics):
        wanted.setdefault(scorer_of(metric), []).append(metric)
    plan = ScorerPlan({}, {}, {}, {})
    for name, names in wanted.items():
        scorer = make_scorer(name)
        declared = {spec.name: spec for spec in scorer.specs}
        plan.specs.update({metric: declared[metric] for metric in names})
        lack = scorer.unavailable()
        if lack is not None:
            plan.unavailable.update(dict.fromkeys(names, lack))
            continue
        plan.scorers[name] = PlannedScorer(name, scorer.identity(), tuple(names))
        plan.metrics.update({metric: declared[metric] for metric in names})
    return plan


def make_scorer(name: str, device: str = "cpu") -> Scorer:
    """The scorer called ``name``.

    Args:
        name: in the registry, ``pyiqa:NAME`` for a metric of pyiqa, or ``SCORER:JUDGE`` for a
            scorer with another judge than the one of record, as in ``faces:deepface-arcface``.
        device: where torch runs.

    Raises:
        UnknownNameError: with the nearest names, if there is none.
    """
    if name.startswith(_PYIQA):
        from benchmark.metrics.pyiqa_metrics import PyiqaMetric

        return PyiqaMetric(name.removeprefix(_PYIQA), device=device)
    scorer, _, judge = name.partition(":")
    factory: Callable[..., Scorer] = SCORERS.get(scorer)
    return factory(device=device, judge=judge) if judge else factory(device=device)


def scorer_of(metric: str) -> str:
    """The scorer that computes a metric.

    Raises:
        UnknownNameError: with the nearest names, if there is none.
    """
    if metric.startswith(_PYIQA):
        return metric
    table = metric_names()
    base, _, judge = metric.partition(":")
    kind = SCORERS.entry(table[base]).meta.get("judge") if base in table else None
    if judge and kind is not None and JUDGES.get(judge).kind == kind:
        chosen = f"{table[base]}:{judge}"
        if metric in {spec.name for spec in make_scorer(chosen).specs}:
            return chosen
    if metric not in table:
        raise unknown_name("metric", metric, tuple(sorted(table)))
    return table[metric]


def judged_by(metric: str, judges: Mapping[str, str]) -> str:
    """The same question put to another judge, where it is one for a judge of that kind.

    Args:
        metric: a name without a judge, or with one, which is then kept.
        judges: kind of judge, as in its card, and the judge to ask.

    Returns:
        ``metric:JUDGE`` if that judge can answer, otherwise ``metric``.
    """
    table = metric_names()
    if metric not in table:
        return metric
    judge = judges.get(SCORERS.entry(table[metric]).meta.get("judge", ""))
    if judge is None:
        return metric
    JUDGES.entry(judge)
    named = f"{metric}:{judge}"
    known = {spec.name for spec in make_scorer(f"{table[metric]}:{judge}").specs}
    return named if named in known else metric


def metric_specs() -> dict[str, MetricSpec]:
    """Declarations of every metric with a name of its own, by name."""
    return dict(sorted(plan_scorers(metric_names()).specs.items()))


def metric_names() -> dict[str, str]:
    """Every metric with a name of its own, and its scorer; built-in ones without an import."""
    table = {}
    for entry in SCORERS:
        names = entry.meta.get("metrics")
        if names is None:  # a plug-in: its class says which
            names = [spec.name for spec in SCORERS.get(entry.name).specs]
        table.update(dict.fromkeys(names, entry.name))
    return table
