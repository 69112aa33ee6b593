"""``manifest.json``: what a run says about itself; the reader's side is ``report.manifest``."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import __version__
from benchmark.assets import load_record
from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.adapters.outside import Outside
from benchmark.enhancers.contamination import LEAKS, Seen, declared, remark, seen
from benchmark.enhancers.published.outputs import published_outputs
from benchmark.metrics.base import MetricSpec
from benchmark.runner.plan import Plan
from benchmark.runner.request import Request
from benchmark.runner.store import Store
from benchmark.runner.systems import SystemRun
from benchmark.runner.units import DATA_SEED
from benchmark.training.pools import PREDICTOR

_NON_COMMERCIAL = re.compile(r"(?i)\bnc\b|noncommercial|non-commercial")
_LIBRARIES = (
    *("torch", "numpy", "pandas", "scipy", "scikit-image", "datasets", "fairlearn", "pyiqa"),
    *("lpips", "deepface", "dlib-bin"),
)


@dataclass(frozen=True)
class Phase:
    """One stage of a run: seconds it took now, how many units it has and how many were cached."""

    name: str
    seconds: float
    units: int
    cached: int


def make_manifest(
    request: Request, plan: Plan, store: Store, folder: Path, phases: tuple[Phase, ...]
) -> dict[str, Any]:
    """Everything but ``run_id`` and ``files``."""
    spec = request.task.spec
    samples = pd.read_parquet(folder / "samples.parquet")
    return {
        "format": 1,
        "task": {
            "name": spec.name,
            "version": spec.version,
            "title": spec.title,
            "question": spec.question,
        },
        "profile": request.profile_name,
        "device": request.device,
        "n_samples": int(samples["sample"].nunique()),
        "seeds": sorted({run.seed for run in request.systems if run.arm}),
        "created_with": _versions(),
        "phases": [asdict(phase) | {"seconds": round(phase.seconds, 2)} for phase in phases],
        "systems": _systems(request, folder),
        "metrics": [_metric(request, plan, name) for name in request.metrics],
        "axes": [
            {"name": a.name, "role": a.role, "levels": _levels(samples, a.name, a.levels)}
            | {"excluded": list(a.excluded), "source": a.source, "title": a.title or a.name}
            for a in request.axes
        ],
        "headline": {"axis": request.headline_axis, **_headline(request)},
        "comparisons": [
            {"system": system, "arm": arm, "baseline": baseline}
            for system, arm, baseline in request.comparisons
        ],
        "notes": [
            *spec.limits,
            *(request.real.notes() if request.real else []),
            *_scorer_notes(plan, store),
            *plan.notes,
        ],
        "protocol": spec.protocol,
        "instruments": [
            {"name": one.name, "metrics": list(one.metrics), "identity": one.identity}
            for one in plan.scorers.scorers.values()
        ],
        "predictor": _predictor(request, plan, store),
        "warnings": _warnings(request, plan, store, samples),
        "licences": _licences(request, plan),
        "statistics": spec.policy.model_dump(mode="json")
        | {"replicates": request.profile.replicates, "seed": DATA_SEED},
        "specification": spec.model_dump(mode="json"),
        # with samples.parquet, all that it takes to compute the tables of aggregates again
        "analysis": dict(plan.analysis.payload),
        "data": dict(plan.data.payload),
        "failures": _failures(plan, store),
        "keys": {unit.title + " " + unit.stage: unit.key for unit in plan},
    }


def _failures(plan: Plan, store: Store) -> list[dict[str, str]]:
    """Units that could not be computed; what their systems lack has a status in the tables."""
    from benchmark.training.failure import failure

    found = ((unit, failure(store.require(*unit.need()))) for unit in plan.trainings.values())
    return [
        {"unit": unit.title, "stage": unit.stage, "status": "failed", "reason": error.what}
        for unit, error in found
        if error is not None
    ]


def _predictor(request: Request, plan: Plan, store: Store) -> dict[str, Any] | None:
    """How well the contexts were known that schedules went by; None where nothing was trained.

    The suite's own network has a card of held-out data; what others know is counted on the pool.
    """
    if not request.studies:
        return None
    if request.task.spec.contexts == "cnn":
        record = load_record("context-cnn")
        return {"name": record.name, "sha256": record.sha256, "card": record.card}
    pool = next(iter(plan.trainings.values())).needs["pool"]
    told: dict[str, Any] = json.loads((store.require(*pool) / PREDICTOR).read_text("utf-8"))
    return told | {"measured_on": "the training pictures of this run"}


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"equilux": __version__, "python": platform.python_version()} | libraries


def _levels(samples: pd.DataFrame, axis: str, declared: list[str]) -> list[str]:
    found = sorted(samples[axis].dropna().unique())
    return [*declared, *(level for level in found if level not in declared)]


def _headline(request: Request) -> dict[str, str]:
    """The headline metrics; one that was deselected gives way to the first that is measured."""
    wanted = request.task.spec.metrics.headline.model_dump(exclude_none=True)
    first = request.metrics[0]
    return {role: name if name in request.metrics else first for role, name in wanted.items()}


def _systems(request: Request, folder: Path) -> list[dict[str, Any]]:
    timings = pd.read_parquet(folder / "timings.parquet")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for run in request.systems:
        mine = (timings["system"] == run.system) & (timings["arm"] == run.arm)
        latency = float(timings.loc[mine, "median_ms"].median())
        rows.setdefault(
            (run.system, run.arm),
            {
                "system": run.system,
                "arm": run.arm,
                "label": f"{run.system} {run.arm}".strip(),
                "latency_ms": round(latency, 3) if np.isfinite(latency) else None,
                **_description(request, run),
            },
        )
    return list(rows.values())


def _description(request: Request, run: SystemRun) -> dict[str, Any]:
    facts = _trained(run) if run.arm else _outside(run, run.outside) if run.outside else _known(run)
    if run.submission is not None and not run.arm:
        facts |= {"kind": "submission"}
    if request.real is not None:
        found = _seen(run, request.real.mapping.name)
        facts["note"] += f"; {remark(found)}"
        facts["seen"] = found.how
    return facts


def _trained(run: SystemRun) -> dict[str, Any]:
    from benchmark.enhancers.hosts import HOSTS

    host = HOSTS.get(run.enhancer)
    return {
        "kind": "trained",
        "parameters": host.parameters,
        "licence": host.licence,
        "note": HOSTS.entry(run.enhancer).summary,
    }


def _known(run: SystemRun) -> dict[str, Any]:
    entry = ENHANCERS.entry(run.enhancer)
    reference = run.enhancer in {"input", "oracle"}
    learned = entry.meta.get("trained_on")
    return {
        "kind": "reference" if reference else entry.meta.get("kind", "classical"),
        "parameters": int(entry.meta.get("parameters", 0)),
        "licence": str(entry.meta.get("licence", "unknown")),
        "note": entry.summary + (f"; trained on {', '.join(learned)}" if learned else ""),
    }


def _outside(run: SystemRun, outside: Outside) -> dict[str, Any]:
    """A row that no registered enhancer stands behind: by its submitter's word, or nobody's."""
    known, spec = published_outputs(outside.sha256), run.submission
    notes = [spec.title] if spec else [known.summary] if known else ["not registered: ad hoc"]
    notes += [known.caution] if known and known.caution else []
    learned = [line.dataset for line in spec.training_data] if spec else []
    notes += [f"trained on {', '.join(learned)}"] if learned else []
    return {
        "kind": "published" if known and not spec else "submission",
        "parameters": outside.parameters(),
        "licence": spec.licence if spec else known.licence if known else "unknown",
        "note": "; ".join(notes),
    }


def _seen(run: SystemRun, dataset: str) -> Seen:
    """What a system has seen of the data at hand, by its submitter's word or as is recorded."""
    if run.arm:
        return Seen(dataset, "none", "trained here, on the mixture of the suite's own pictures")
    if run.submission is not None:
        return declared(run.submission.training_data, dataset)
    if run.outside is not None:
        known = published_outputs(run.outside.sha256)
        return seen(known.name if known else "", dataset)
    entry = ENHANCERS.entry(run.enhancer)
    if entry.meta.get("kind") == "trained":
        return Seen(dataset, "none", "trained by the suite, on its own pictures")
    if entry.origin == "equilux" and entry.meta.get("kind") != "published":
        return Seen(dataset, "none", "it learns nothing")
    return seen(entry.name, dataset)


def _leaks(request: Request) -> list[str]:
    """What test and training parts of the data at hand share, where that is known."""
    leak = LEAKS.get(request.real.mapping.name) if request.real else None
    return [leak.statement] if leak else []


def _metric(request: Request, plan: Plan, name: str) -> dict[str, Any]:
    spec = plan.scorers.specs[name]
    missing = plan.scorers.unavailable.get(name)
    return {
        "name": name,
        "version": spec.version,
        "direction": spec.direction,
        "unit": spec.unit,
        "range": [float(end) if np.isfinite(end) else None for end in spec.range],
        "summary": spec.summary,
        "kind": spec.kind,
        "ratio_scale": spec.ratio_scale,
        "licence": spec.licence,
        "source": spec.source,
        "deterministic": spec.deterministic,
        "batch_invariant": spec.batch_invariant,
        "role": _role(spec, primary=name in request.task.spec.metrics.primary),
        "available": missing is None,
        "reason": missing.reason if missing else "",
        "mend": missing.mend if missing else "",
        "in_loss": not _loss_instruments().isdisjoint(
            (name.removeprefix("pyiqa:"), name.rpartition(":")[2])
        ),
    }


def _role(spec: MetricSpec, *, primary: bool) -> str:
    """A metric whose best value lies inside its range ranks nobody: it only describes."""
    if primary:
        return "primary"
    return "secondary" if spec.ideal is None else "diagnostic"


def _loss_instruments() -> set[str]:
    """What the training looked through: a metric of that name is no independent evidence."""
    from benchmark.losses import LOSSES
    from benchmark.training import Recipe

    return {LOSSES.get(term).instrument for term in Recipe().terms}


def _scorer_notes(plan: Plan, store: Store) -> list[str]:
    """What the scorers have to say about this dataset, for example the operating point."""
    notes = []
    for unit in plan.preparations.values():
        folder = store.require(*unit.need())
        found = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
        notes += [f"{metric}: {note}" for metric, note in sorted(found.items())]
    return notes


def _warnings(request: Request, plan: Plan, store: Store, samples: pd.DataFrame) -> list[str]:
    from benchmark.training.result import training_notes

    warnings = _leaks(request)
    failed = samples[samples["status"] != "ok"]
    for (system, status), rows in failed.groupby(["system", "status"], sort=True):
        warnings.append(f"{system}: {len(rows)} outputs with status {status}")
    for run in request.systems:
        folder = store.require(*plan.enhancements[run].need())
        errors = json.loads((folder / "errors.json").read_text(encoding="utf-8"))
        warnings += [f"{run.title}: {error}" for error in errors]
    told = _predictor(request, plan, store)
    if told and (silent := told["card"].get("no_answer")):
        warnings.append(
            f"{told['name']} had no answer to {silent} of {told['card']['n']} training pictures: "
            "they count for every context alike"
        )
    for run, unit in plan.trainings.items():
        notes = training_notes(store.require(*unit.need()))
        warnings += [f"{run.title}: {note}" for note in notes]
    if store.rebuilt:
        warnings.append(f"damaged cache entries were rebuilt: {', '.join(store.rebuilt)}")
    seeds = {run.seed for run in request.systems if run.arm}
    if request.studies and len(seeds) < 3:
        warnings.append(f"{len(seeds)} training seed(s): no claim about arms is made below three")
    return warnings


def _licences(request: Request, plan: Plan) -> list[dict[str, str]]:
    spec = request.task.spec
    data = request.real.mapping if request.real else spec
    name = request.real.mapping.title if request.real else f"{spec.probe.name} probe"
    rows = [{"name": name, "kind": "data", "licence": data.licence, "note": ""}]
    specs: list[MetricSpec] = list(plan.scorers.metrics.values())
    for licence in sorted({s.licence for s in specs}):
        names = ", ".join(s.name for s in specs if s.licence == licence)
        note = "non-commercial use only" if _NON_COMMERCIAL.search(licence) else ""
        rows.append({"name": names, "kind": "metric", "licence": licence, "note": note})
    return rows
