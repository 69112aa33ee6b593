"""Units of training: the pool, the calibrations and the arms, the same for every task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.assets import load_record
from benchmark.contexts import make_predictor
from benchmark.enhancers.hosts import PLUGINS
from benchmark.judges.semantics import ASSET as SCENES
from benchmark.losses import LOSSES
from benchmark.losses.own import OWN
from benchmark.losses.stack import check_families
from benchmark.runner.request import Request
from benchmark.runner.systems import SystemRun
from benchmark.runner.units import DATA_SEED, VALIDATION_SEED, Unit
from benchmark.schedules import ARMS
from benchmark.schedules.own import OWN_ARMS
from benchmark.schedules.unsupervised import UNSUPERVISED
from benchmark.training.recipe import Recipe
from benchmark.weights import require

#: Settings that a calibration depends on; arms that share them share it.
_CALIBRATED = ("batch", "scale", "scale_samples", "terms", "threads")


def plan_trainings(request: Request) -> tuple[tuple[Unit, ...], dict[SystemRun, Unit]]:
    """The pool and the calibrations that trainings share, and one training per host, arm and seed.

    Nothing of the task but its hosts and the size of its training is in them: tasks with the same
    profile share every training.
    """
    if not request.studies:
        return (), {}
    training = request.profile.training
    pool = _pool(request, training.samples, DATA_SEED)
    shared: dict[str, Unit] = {pool.key: pool}
    trainings: dict[SystemRun, Unit] = {}
    for study in request.studies:
        for run in (r for r in request.systems if r.enhancer == study.host and r.arm):
            recipe = {**study.recipe, **study.recipes.get(run.arm, {})}
            if run.arm in UNSUPERVISED or run.arm in OWN_ARMS:
                trainings[run] = _uncalibrated(request, run, pool, recipe)
                continue
            payload = {"host": study.host, "seed": run.seed, "steps": training.steps}
            scaled = {name: value for name, value in recipe.items() if name in _CALIBRATED}
            calibration = Unit(
                "calibrate",
                f"{study.host} seed {run.seed}",
                payload | _settings(scaled) | looked_through(study.host, scaled),
                {"pool": pool.need()},
                request.device,
            )
            needs = {"pool": pool.need(), "calibration": calibration.need()}
            shared[calibration.key] = calibration
            if ARMS.get(run.arm).iterative:
                steering = _pool(request, max(training.samples // 4, 1), VALIDATION_SEED)
                needs["validation"] = steering.need()
                shared[steering.key] = steering
            trainings[run] = Unit(
                "train",
                run.title,
                payload | {"arm": run.arm} | _settings(recipe) | looked_through(study.host, recipe),
                needs,
                request.device,
            )
    return tuple(shared.values()), trainings


def _pool(request: Request, samples: int, seed: int) -> Unit:
    """Pictures and their contexts.

    Raises:
        WeightsError: if the context predictor's model is not at hand or not of its kind.
    """
    told = request.task.spec.contexts
    return Unit(
        "pool",
        "training pool" if seed == DATA_SEED else "validation pool",
        {
            "samples": samples,
            "predictor": told,
            "identity": make_predictor(told).identity(),
            "seed": seed,
        },
        device=request.device,
    )


def _settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe as part of a payload; refused before any work if there is no such setting.

    Raises:
        SpecError: for an unknown or an impossible setting.
    """
    Recipe.from_dict(recipe)
    return {"recipe": dict(recipe)} if recipe else {}


def looked_through(host: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Digests of the networks that the terms, the adversary and the host's plug-ins look through.

    Raises:
        UnknownNameError: for a loss term that does not exist.
        SpecError: for terms that cannot be trained together.
        WeightsError: if weights are absent, with the command that brings them.
    """
    chosen = Recipe.from_dict(recipe)
    terms = {term: LOSSES.entry(term).meta for term in chosen.terms}
    if all("family" in meta for meta in terms.values()):  # else known once they are built
        check_families((term, meta["family"]) for term, meta in terms.items())
    metas = [*terms.values(), *_plugged(host)]
    assets = {name for meta in metas for name in meta.get("assets", ())}
    if chosen.adversary is not None:
        assets.add(SCENES)
    weights = {name for meta in metas for name in meta.get("weights", ())}
    found: dict[str, Any] = {"assets": _assets(*sorted(assets))}
    return found | ({"weights": _weights(*sorted(weights))} if weights else {})


def _plugged(host: str) -> list[Mapping[str, Any]]:
    """What is declared of the plug-ins of ``host+plug-in``."""
    return [PLUGINS.entry(name).meta for name in host.split("+")[1:]]


def _uncalibrated(request: Request, run: SystemRun, pool: Unit, recipe: Mapping[str, Any]) -> Unit:
    """The training of an arm that weighs its terms itself, or as a host's authors do.

    Raises:
        WeightsError: if what its terms look through is absent, with the command that brings it.
    """
    assets: tuple[str, ...] = ()
    if run.arm in OWN_ARMS:
        weights: tuple[str, ...] = OWN.entry(run.enhancer).meta["weights"]
    else:
        arm = UNSUPERVISED.get(run.arm)
        assets, weights = (tuple(filter(None, [name])) for name in (arm.asset, arm.weights))
    plugged = (name for meta in _plugged(run.enhancer) for name in meta.get("assets", ()))
    return Unit(
        "train",
        run.title,
        {
            "host": run.enhancer,
            "arm": run.arm,
            "seed": run.seed,
            "steps": request.profile.training.steps,
            "assets": _assets(*assets, *plugged),
            "weights": _weights(*weights),
        }
        | _settings(recipe),
        {"pool": pool.need()},
        request.device,
    )


def _assets(*names: str) -> dict[str, str]:
    """Digests of the suite's own weights that a unit looks through: new weights, new results."""
    return {name: load_record(name).sha256 for name in names}


def _weights(*names: str) -> dict[str, str]:
    """Digests of published weights that a unit looks through.

    Raises:
        WeightsError: if they are absent, with the command that brings them.
    """
    return {name: require(name).sha256 for name in names}
