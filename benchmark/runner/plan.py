"""From a request to units of work, in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.assets import load_record
from benchmark.enhancers import ENHANCERS
from benchmark.judges.base import Kind
from benchmark.metrics import SCORERS, ScorerPlan, Unavailable, plan_scorers
from benchmark.runner.lessons import Lessons, plan_lessons, without_unfit
from benchmark.runner.observations import NullTest, Observed, plan_null_test, plan_observers
from benchmark.runner.request import Request
from benchmark.runner.store import Store
from benchmark.runner.systems import SystemRun
from benchmark.runner.trainings import plan_trainings
from benchmark.runner.units import DATA_SEED, Stage, Unit
from benchmark.weights import require


@dataclass(frozen=True)
class Plan:
    """Every unit of a run.

    Attributes:
        data: the evaluation set.
        shared: training pool and calibrations.
        trainings: one per host, arm and seed.
        enhancements: one per system run, in the order of the request.
        preparations: one per scorer.
        scores: one per system run and scorer.
        analysis: the group statistics over everything.
        scorers: which scorer computes which metrics, and what is unavailable.
        observed: by ``representation`` and ``distribution``, where the task has them.
        null_test: what systems make of pictures without structure.
        sanity: checks of the structure metrics on this dataset.
        notes: what was asked for and cannot be had here.
        lessons: readers of their own for every system, under the protocol ``retrained``.
    """

    data: Unit
    shared: tuple[Unit, ...]
    trainings: dict[SystemRun, Unit]
    enhancements: dict[SystemRun, Unit]
    preparations: dict[str, Unit]
    scores: dict[tuple[SystemRun, str], Unit]
    analysis: Unit
    scorers: ScorerPlan
    observed: Mapping[str, Observed] = field(default_factory=dict)
    null_test: NullTest | None = None
    sanity: Unit | None = None
    notes: tuple[str, ...] = ()
    lessons: Lessons | None = None

    def __iter__(self) -> Iterator[Unit]:
        yield self.data
        yield from self.shared
        yield from self.trainings.values()
        yield from self.enhancements.values()
        if self.lessons is not None:
            yield self.lessons.data
            yield from self.lessons.enhancements.values()
            yield from self.lessons.readers.values()
        yield from self.preparations.values()
        yield from self.scores.values()
        for observed in self.observed.values():
            yield from observed.units.values()
        if self.null_test is not None:
            yield self.null_test.data
            yield from self.null_test.enhancements.values()
            yield from self.null_test.counts.values()
        if self.sanity is not None:
            yield self.sanity
        yield self.analysis

    def by_stage(self) -> dict[Stage, list[Unit]]:
        """Units grouped by stage, in order of execution."""
        stages: dict[Stage, list[Unit]] = {}
        for unit in self:
            stages.setdefault(unit.stage, []).append(unit)
        return stages

    def missing(self, store: Store) -> list[Unit]:
        """Units whose result is not in the store."""
        return [unit for unit in self if store.find(unit.stage, unit.key) is None]


def make_plan(request: Request) -> Plan:
    """Plan a request; looks at names and files, computes nothing heavy."""
    data = _data_unit(request)
    shared, trainings = plan_trainings(request)
    enhancements = {
        run: _enhance_unit(request, run, data, trainings.get(run)) for run in request.systems
    }

    def enhance(run: SystemRun, pictures: Unit) -> Unit:
        return _enhance_unit(request, run, pictures, trainings.get(run))

    scorers = _with_what_there_is(plan_scorers(request.metrics), request)
    reader = _reader(scorers)
    lessons = plan_lessons(request, reader["judge"], enhance) if reader else None
    if lessons is not None:
        scorers = without_unfit(scorers)
    preparations, scores = _scoring_units(request, data, enhancements, scorers, lessons)
    observed, notes = _observed(request, data, enhancements)
    null_test = plan_null_test(request, enhance)
    draft = Plan(
        data,
        shared,
        trainings,
        enhancements,
        preparations,
        scores,
        data,  # stands in for the analysis, which needs all the others
        scorers,
        observed,
        null_test,
        _sanity_unit(request, data, scorers),
        notes,
        lessons,
    )
    return replace(draft, analysis=_analysis_unit(request, draft))


def _scoring_units(
    request: Request,
    data: Unit,
    enhancements: Mapping[SystemRun, Unit],
    scorers: ScorerPlan,
    lessons: Lessons | None,
) -> tuple[dict[str, Unit], dict[tuple[SystemRun, str], Unit]]:
    """What systems share of every scorer, and the scores of every system."""
    preparations: dict[str, Unit] = {}
    scores: dict[tuple[SystemRun, str], Unit] = {}
    for name, scorer in scorers.scorers.items():
        payload = {"scorer": name, "identity": scorer.identity}
        taught = lessons if _reads(name) else None
        needs = {"data": data.need()}
        if taught is not None:
            needs["reader"] = taught.untouched.need()
        preparations[name] = Unit(
            "prepare", f"references for {name}", payload, needs, request.device
        )
        for run in request.systems:
            needs = {
                "data": data.need(),
                "outputs": enhancements[run].need(),
                "state": preparations[name].need(),
            }
            if taught is not None:
                needs["reader"] = taught.readers[run].need()
            scores[run, name] = Unit(
                "score", f"{run.title}: {name}", payload, needs, request.device
            )
    return preparations, scores


def _reads(scorer: str) -> bool:
    """Whether a scorer asks a reader."""
    base = scorer.partition(":")[0]
    return base in SCORERS and SCORERS.entry(base).meta.get("judge") == "reader"


def _observed(
    request: Request, data: Unit, enhancements: Mapping[SystemRun, Unit]
) -> tuple[dict[str, Observed], tuple[str, ...]]:
    kinds: dict[str, Kind] = {"representation": "attribute", "distribution": "features"}
    found: dict[str, Observed] = {}
    notes: tuple[str, ...] = ()
    for name, kind in kinds.items():
        observed, lacking = plan_observers(request, kind, data, enhancements)
        notes += lacking
        if observed is not None:
            found[name] = observed
    return found, notes


def _sanity_unit(request: Request, data: Unit, scorers: ScorerPlan) -> Unit | None:
    if not request.task.spec.sanity:
        return None
    payload = {
        "scorers": list(scorers.scorers),
        "identity": {name: scorer.identity for name, scorer in scorers.scorers.items()},
    }
    return Unit("sanity", "metric sanity", payload, {"data": data.need()}, request.device)


def _data_unit(request: Request) -> Unit:
    spec = request.task.spec
    degradation = spec.degradation.model_dump(mode="json")
    if request.real is not None:
        payload: dict[str, Any] = {
            "source": "reference",
            "digest": request.real.digest(),
            "mapping": request.real.mapping.model_dump(mode="json"),
        }
        hints = {"reference": str(request.real.reference)}
        title = request.real.mapping.name
    else:
        payload = {
            "source": "probe",
            "probe": spec.probe.name,
            "effect": spec.probe.effect,
            "subjects": request.profile.subjects,
            "views": request.profile.views,
        }
        hints, title = {}, f"{spec.probe.name} probe"
    seed = DATA_SEED if spec.probe.seed is None else spec.probe.seed
    payload |= {"degradation": degradation, "seed": seed}
    return Unit("data", title, payload, hints=hints)


def _with_what_there_is(plan: ScorerPlan, request: Request) -> ScorerPlan:
    """A metric that needs what the data do not hold is unavailable, which is no failure."""
    at_hand = request.provides | {"weights"}
    lacking = {name: sorted(spec.needs - at_hand) for name, spec in plan.metrics.items()}
    absent = {
        name: Unavailable(f"the data hold no {', '.join(needs)}", "name the column in the mapping")
        for name, needs in lacking.items()
        if needs
    }
    return ScorerPlan(
        {n: s for n, s in plan.scorers.items() if not set(s.metrics) <= set(absent)},
        {n: s for n, s in plan.metrics.items() if n not in absent},
        plan.unavailable | absent,
        plan.specs,
    )


def _enhance_unit(request: Request, run: SystemRun, data: Unit, training: Unit | None) -> Unit:
    needs = {"data": data.need()}
    if training is not None:
        needs["weights"] = training.need()
    if run.outside is not None:
        run.outside.inspect()
        hints = {"path": str(run.outside.path)}
        if run.outside.origin.form == "code":  # without the user's word there were no such run
            hints["trusted"] = "yes"
        found = {"enhancer": run.outside.payload()}
        return Unit("enhance", run.title, found, needs, request.device, hints)
    payload: dict[str, Any] = {"enhancer": run.enhancer}
    if training is None and (files := ENHANCERS.entry(run.enhancer).meta.get("weights")):
        # it was asked for by name: absent weights are an error now, not a failure of the system
        located = [require(name) for name in files]
        if not all(found.weight.sha256 for found in located):
            ENHANCERS.get(run.enhancer)()  # nobody vouches for the file: its keys have to fit
        payload["weights"] = {found.weight.name: found.sha256 for found in located}
    if training is None and (own := ENHANCERS.entry(run.enhancer).meta.get("assets")):
        payload["assets"] = {name: load_record(name).sha256 for name in own}
    return Unit("enhance", run.title, payload, needs, request.device)


def _analysis_unit(request: Request, plan: Plan) -> Unit:
    spec, scorers = request.task.spec, plan.scorers
    needs = {"data": plan.data.need()}
    numbers: dict[SystemRun | None, str] = {None: "clean"}
    for number, run in enumerate(request.systems):
        numbers[run] = f"{number}"
        needs[f"{number}"] = plan.enhancements[run].need()
        needs |= {f"{number}/{name}": plan.scores[run, name].need() for name in scorers.scorers}
        if plan.null_test is not None and run in plan.null_test.counts:
            needs[f"{number}!"] = plan.null_test.counts[run].need()
    for observed in plan.observed.values():
        for (seen, judge), unit in observed.units.items():
            needs[f"{numbers[seen]}@{judge}"] = unit.need()
    payload = {
        "systems": [[run.system, run.arm, run.seed] for run in request.systems],
        "scorers": list(scorers.scorers),
        "metrics": [m for m in request.metrics if m in scorers.metrics],
        "primary": list(spec.metrics.primary),
        "axes": [axis.model_dump(mode="json") for axis in request.axes],
        "policy": spec.policy.model_dump(mode="json"),
        "replicates": request.profile.replicates,
        "comparisons": [list(found) for found in request.comparisons],
        "declared": {name: _declared(spec) for name, spec in scorers.metrics.items()},
        "reader": _reader(scorers),
        "protocol": spec.protocol,
        "representation": None,
        "distribution": None,
        "phantoms": True if plan.null_test else None,
        "seed": DATA_SEED,
    } | {name: observed.payload() for name, observed in plan.observed.items()}
    return Unit("analyse", "group statistics", payload, needs)


def _reader(scorers: ScorerPlan) -> dict[str, str] | None:
    """The judge behind ``accuracy`` and the suffix of its metrics, if all it needs is measured."""
    for metric in scorers.metrics:
        base, colon, judge = metric.partition(":")
        needed = {f"{name}{colon}{judge}" for name in ("accuracy_input", "confidence")}
        if base == "accuracy" and needed <= set(scorers.metrics):
            return {"judge": judge or "sign-judge", "suffix": f"{colon}{judge}"}
    return None


def _declared(spec: Any) -> dict[str, Any]:
    return {"direction": spec.direction, "kind": spec.kind, "ratio_scale": spec.ratio_scale}
