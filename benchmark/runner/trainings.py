"""Units of training: the pool, the calibrations and the arms, the same for every task."""

from __future__ import annotations

from benchmark.assets import load_record
from benchmark.runner.request import Request
from benchmark.runner.systems import SystemRun
from benchmark.runner.units import DATA_SEED, Unit
from benchmark.schedules.unsupervised import UNSUPERVISED
from benchmark.weights import require

#: The suite's own networks that loss terms look through.
_LOSS_ASSETS = ("face-embedder", "sign-reader")


def plan_trainings(request: Request) -> tuple[tuple[Unit, ...], dict[SystemRun, Unit]]:
    """The pool and the calibrations that trainings share, and one training per host, arm and seed.

    Nothing of the task but its hosts and the size of its training is in them: tasks with the same
    profile share every training.
    """
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
            if run.arm in UNSUPERVISED:
                trainings[run] = _without_references(request, run, pool)
                continue
            calibration = calibrations.setdefault(
                (study.host, run.seed),
                Unit(
                    "calibrate",
                    f"{study.host} seed {run.seed}",
                    {
                        "host": study.host,
                        "seed": run.seed,
                        "steps": training.steps,
                        "assets": _assets(*_LOSS_ASSETS),
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
                    "assets": _assets(*_LOSS_ASSETS),
                },
                {"pool": pool.need(), "calibration": calibration.need()},
                request.device,
            )
    return (pool, *calibrations.values()), trainings


def _without_references(request: Request, run: SystemRun, pool: Unit) -> Unit:
    """The training of an unsupervised arm, which weighs its guidance itself.

    Raises:
        WeightsError: if what guides it is absent, with the command that brings it.
    """
    arm = UNSUPERVISED.get(run.arm)
    return Unit(
        "train",
        run.title,
        {
            "host": run.enhancer,
            "arm": run.arm,
            "seed": run.seed,
            "steps": request.profile.training.steps,
            "assets": _assets(*filter(None, [arm.asset])),
            "weights": {name: require(name).sha256 for name in filter(None, [arm.weights])},
        },
        {"pool": pool.need()},
        request.device,
    )


def _assets(*names: str) -> dict[str, str]:
    """Digests of the suite's own weights that a unit looks through: new weights, new results."""
    return {name: load_record(name).sha256 for name in names}
