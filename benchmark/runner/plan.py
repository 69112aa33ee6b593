"""From a request to units of work, in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmark.assets import load_record
from benchmark.metrics import ScorerPlan, Unavailable, plan_scorers
from benchmark.runner.request import Request, SystemRun
from benchmark.runner.store import Store
from benchmark.runner.units import Stage, Unit

#: Seed of everything about the evaluation data; training seeds are separate and never meet it.
DATA_SEED = 20_230_617


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
    """

    data: Unit
    shared: tuple[Unit, ...]
    trainings: dict[SystemRun, Unit]
    enhancements: dict[SystemRun, Unit]
    preparations: dict[str, Unit]
    scores: dict[tuple[SystemRun, str], Unit]
    analysis: Unit
    scorers: ScorerPlan

    def __iter__(self) -> Iterator[Unit]:
        yield self.data
        yield from self.shared
        yield from self.trainings.values()
        yield from self.enhancements.values()
        yield from self.preparations.values()
        yield from self.scores.values()
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
    return Plan(
        data,
        shared,
        trainings,
        enhancements,
        preparations,
        scores,
        _analysis_unit(request, data, enhancements, scores, scorers),
        scorers,
    )


def _data_unit(request: Request) -> Unit:
    spec = request.task.spec
    degradation = spec.degradation.model_dump(mode="json")
    if request.real is not None:
        payload: dict[str, Any] = {
            "source": "folder",
            "digest": request.real.digest,
            "mapping": request.real.mapping.model_dump(mode="json"),
        }
        hints = {"folder": str(request.real.folder.resolve())}
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
    return Unit("enhance", run.title, {"enhancer": run.enhancer}, needs, request.device)


def _analysis_unit(
    request: Request,
    data: Unit,
    enhancements: dict[SystemRun, Unit],
    scores: dict[tuple[SystemRun, str], Unit],
    scorers: ScorerPlan,
) -> Unit:
    spec = request.task.spec
    needs = {"data": data.need()}
    for number, run in enumerate(request.systems):
        needs[f"{number}"] = enhancements[run].need()
        needs |= {f"{number}/{name}": scores[run, name].need() for name in scorers.scorers}
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
        "seed": DATA_SEED,
    }
    return Unit("analyse", "group statistics", payload, needs)


def _declared(spec: Any) -> dict[str, Any]:
    return {"direction": spec.direction, "kind": spec.kind, "ratio_scale": spec.ratio_scale}
