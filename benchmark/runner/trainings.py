"""Units of training: the pool, the calibrations and the arms, the same for every task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.assets import load_record
from benchmark.losses.own import OWN
from benchmark.runner.request import Request
from benchmark.runner.systems import SystemRun
from benchmark.runner.units import DATA_SEED, VALIDATION_SEED, Unit
from benchmark.schedules import ARMS
from benchmark.schedules.own import OWN_ARMS
from benchmark.schedules.unsupervised import UNSUPERVISED
from benchmark.training.recipe import Recipe
from benchmark.weights import require

#: The suite's own networks that loss terms look through.
_LOSS_ASSETS = ("face-embedder", "sign-reader")
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
            payload["assets"] = _assets(*_LOSS_ASSETS)
            calibration = Unit(
                "calibrate",
                f"{study.host} seed {run.seed}",
                payload | _settings({k: v for k, v in recipe.items() if k in _CALIBRATED}),
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
                payload | {"arm": run.arm} | _settings(recipe),
                needs,
                request.device,
            )
    return tuple(shared.values()), trainings


def _pool(request: Request, samples: int, seed: int) -> Unit:
    return Unit(
        "pool",
        "training pool" if seed == DATA_SEED else "validation pool",
        {
            "samples": samples,
            "predictor": "cnn",
            "seed": seed,
            "assets": _assets("context-cnn"),
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
    return Unit(
        "train",
        run.title,
        {
            "host": run.enhancer,
            "arm": run.arm,
            "seed": run.seed,
            "steps": request.profile.training.steps,
            "assets": _assets(*assets),
            "weights": {name: require(name).sha256 for name in weights},
        }
        | _settings(recipe),
        {"pool": pool.need()},
        request.device,
    )


def _assets(*names: str) -> dict[str, str]:
    """Digests of the suite's own weights that a unit looks through: new weights, new results."""
    return {name: load_record(name).sha256 for name in names}
