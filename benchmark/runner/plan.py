"""From a request to units of work, in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.assets import load_record
from benchmark.enhancers import ENHANCERS
from benchmark.judges.base import Kind
from benchmark.metrics import ScorerPlan, Unavailable, plan_scorers
from benchmark.runner.observations import NullTest, Observed, plan_null_test, plan_observers
from benchmark.runner.request import Request, SystemRun
from benchmark.runner.store import Store
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

    def __iter__(self) -> Iterator[Unit]:
        yield self.data
        yield from self.shared
        yield from self.trainings.values()
        yield from self.enhancements.values()
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
    shared, trainings = _training_units(request)
    enhancements = {
        run: _enhance_unit(request, run, data, trainings.get(run)) for run in request.systems
    }
    scorers = plan_scorers(request.metrics)
    scorers = _with_what_there_is(scorers, request)
    preparations = {
        name: Unit(
            "prepare",
            f"references for {name}",
            {"scorer": name, "identity": scorer.identity},
            {"data": data.need()},
            request.device,
        )
        for name, scorer in scorers.scorers.items()
    }
    scores = {
        (run, name): Unit(
            "score",
            f"{run.title}: {name}",
            {"scorer": name, "identity": scorer.identity},
            {
                "data": data.need(),
                "outputs": enhancements[run].need(),
                "state": preparations[name].need(),
            },
            request.device,
        )
        for run in request.systems
        for name, scorer in scorers.scorers.items()
    }
    observed, notes = _observed(request, data, enhancements)
    null_test = plan_null_test(
        request, lambda run, pictures: _enhance_unit(request, run, pictures, trainings.get(run))
    )
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
    )
    return replace(draft, analysis=_analysis_unit(request, draft))


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
    payload |= {"degradation": degradation, "seed": DATA_SEED}
    return Unit("data", title, payload, hints=hints)


def _training_units(request: Request) -> tuple[tuple[Unit, ...], dict[SystemRun, Unit]]:
    if not request.studies:
        return (), {}
    training = request.profile.training
    pool = Unit(
        "pool",
        "training pool",
        {
            "samples": training.samples,
            "predictor": "cnn",
            "seed": DATA_SEED,
            "assets": _assets("context-cnn"),
        },
        device=request.device,
    )
    calibrations: dict[tuple[str, int], Unit] = {}
    trainings: dict[SystemRun, Unit] = {}
    for study in request.studies:
        for run in (r for r in request.systems if r.enhancer == study.host and r.arm):
            calibration = calibrations.setdefault(
                (study.host, run.seed),
                Unit(
                    "calibrate",
                    f"{study.host} seed {run.seed}",
                    {
                        "host": study.host,
                        "seed": run.seed,
                        "steps": training.steps,
                        "assets": _assets("face-embedder"),
                    },
                    {"pool": pool.need()},
                    request.device,
                ),
            )
            trainings[run] = Unit(
                "train",
                run.title,
                {
                    "host": study.host,
                    "arm": run.arm,
                    "seed": run.seed,
                    "steps": training.steps,
                    "assets": _assets("face-embedder"),
                },
                {"pool": pool.need(), "calibration": calibration.need()},
                request.device,
            )
    return (pool, *calibrations.values()), trainings


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


def _assets(*names: str) -> dict[str, str]:
    """Digests of the suite's own weights that a unit looks through: new weights, new results."""
    return {name: load_record(name).sha256 for name in names}


def _enhance_unit(request: Request, run: SystemRun, data: Unit, training: Unit | None) -> Unit:
    needs = {"data": data.need()}
    if training is not None:
        needs["weights"] = training.need()
    payload: dict[str, Any] = {"enhancer": run.enhancer}
    if training is None and (files := ENHANCERS.entry(run.enhancer).meta.get("weights")):
        # it was asked for by name: absent weights are an error now, not a failure of the system
        payload["weights"] = {name: require(name).sha256 for name in files}
    return Unit("enhance", run.title, payload, needs, request.device)


def _analysis_unit(request: Request, plan: Plan) -> Unit:
    spec, scorers = request.task.spec, plan.scorers
    needs = {"data": plan.data.need()}
    numbers: dict[SystemRun | None, str] = {None: "clean"}
    for number, run in enumerate(request.systems):
        numbers[run] = f"{number}"
        needs[f"{number}"] = plan.enhancements[run].need()
        needs |= {f"{number}/{name}": plan.scores[run, name].need() for name in scorers.scorers}
        if plan.null_test is not None:
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
        "comparisons": [
            [study.host, arm, study.baseline]
            for study in request.studies
            for arm in study.arms
            if arm != study.baseline
        ],
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
