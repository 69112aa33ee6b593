"""Training as stages between folders: what the runner calls, here or on another machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.errors import SpecError, StoreError
from benchmark.files import write_json
from benchmark.losses.base import Instruments
from benchmark.losses.instruments import default_instruments
from benchmark.schedules.own import OWN_ARMS
from benchmark.training.calibration import Calibration, calibrate
from benchmark.training.failure import heed, recorded
from benchmark.training.own import train_own
from benchmark.training.recipe import Recipe, TrainingUnit
from benchmark.training.result import TrainedArm
from benchmark.training.setup import TrainingData
from benchmark.training.together import launch, speaks_for_all
from benchmark.training.trainer import BASELINE, train_arm
from benchmark.training.unsupervised import train_unsupervised

_CALIBRATION, _CHECKPOINT = "calibration.json", "checkpoint.safetensors"

Payload = Mapping[str, Any]


def run_calibration(
    payload: Payload,
    *,
    pool: Path,
    out: Path,
    device: str = "cpu",
    instruments: Instruments | None = None,
) -> None:
    """Write the divisors of ``payload``'s host and seed to ``out``, or why there are none.

    Args:
        payload: ``host``, ``seed`` and a recipe (:func:`unit_of`).
        pool: folder of a :class:`TrainingData`.
        out: existing folder.
        device: ``cpu`` or ``cuda``.
        instruments: networks that the terms look through; by default the suite's own.
    """
    unit = unit_of({"arm": BASELINE, **payload})
    with recorded(out):
        found = calibrate(
            unit,
            TrainingData.load(pool),
            instruments=instruments or _instruments(),
            device=device,
        )
        write_json(out / _CALIBRATION, found.as_dict())


def run_training(
    payload: Payload,
    *,
    pool: Path,
    calibration: Path | None,
    out: Path,
    validation: Path | None = None,
    scratch: Path | None = None,
    device: str = "cpu",
    instruments: Instruments | None = None,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Train ``payload``'s host in its arm and write the :class:`TrainedArm` to ``out``.

    A training that cannot go on leaves a record of why (:mod:`benchmark.training.failure`).

    Args:
        payload: ``host``, ``arm``, ``seed`` and a recipe (:func:`unit_of`).
        pool: folder of a :class:`TrainingData`.
        calibration: folder that :func:`run_calibration` wrote to; None trains without references,
            in an arm of ``schedules.unsupervised``, or as its authors did, in ``schedules.own``.
        out: existing folder.
        validation: folder of another :class:`TrainingData`, which steers an iterative arm.
        scratch: folder for the checkpoint; a training found there is continued.
        device: ``cpu`` or ``cuda``.
        instruments: networks that the terms look through; by default the suite's own, as always
            where the recipe is for several processes.
        advance: called with the number of steps just done.

    Raises:
        SpecError: for a recipe that cannot be had in this arm.
    """
    folders = _Folders(pool, calibration, out, validation, scratch)
    recipe = unit_of(payload).recipe
    processes = recipe.processes
    if calibration is None and (recipe.compiled or processes > 1 or recipe.precision != "float32"):
        raise SpecError(
            f"the arm {payload['arm']} is trained as it was published: in single precision, by "
            "one process, not compiled",
            mend="leave --precision, --compile and --processes out, or the arm",
        )
    with recorded(out):
        if processes == 1:
            _train(payload, folders, device, instruments, advance)
        else:
            work = (dict(payload), folders, device, None)
            launch(_train, work, kind=device, processes=processes, advance=advance)


@dataclass(frozen=True)
class _Folders:
    """Where a training finds and leaves things; see :func:`run_training`."""

    pool: Path
    calibration: Path | None
    out: Path
    validation: Path | None
    scratch: Path | None


def _train(
    payload: Payload,
    folders: _Folders,
    device: str,
    instruments: Instruments | None,
    advance: Callable[[int], None] | None,
) -> None:
    own = payload["arm"] in OWN_ARMS
    train: Callable[..., TrainedArm] = train_own if own else train_unsupervised
    if folders.calibration is not None:
        train = partial(
            train_arm,
            calibration=load_calibration(folders.calibration),
            validation=TrainingData.load(folders.validation) if folders.validation else None,
        )
    trained = train(
        unit_of(payload),
        TrainingData.load(folders.pool),
        instruments=instruments or _instruments(),
        device=device,
        checkpoint=folders.scratch / _CHECKPOINT if folders.scratch else None,
        advance=advance,
    )
    if speaks_for_all():
        trained.save(folders.out)


def load_host(name: str, folder: Path, device: str = "cpu") -> TrainedHost:
    """The enhancer that a training wrote to ``folder``; it follows its images' device.

    Raises:
        TrainingError: if the training could not go on.
        StoreError: if the folder holds the training of another host, or a damaged one.
    """
    del device
    trained = TrainedArm.load(folder)
    if trained.unit.host != name:
        raise StoreError(
            f"these are the weights of {trained.unit.host}, not of {name}",
            where=str(folder),
            mend="delete this cache entry and run again",
        )
    return TrainedHost(HOSTS.get(name), trained.state)


def load_calibration(folder: Path) -> Calibration:
    """What :func:`run_calibration` wrote.

    Raises:
        TrainingError: if there could be none.
        StoreError: if the file is absent or damaged.
    """
    heed(folder)
    path = folder / _CALIBRATION
    try:
        return Calibration.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"a calibration cannot be read: {error}",
            where=str(path),
            mend="delete this cache entry and run again",
        ) from error


def unit_of(payload: Payload) -> TrainingUnit:
    """The unit of ``host``, ``arm``, ``seed``, ``steps`` and other ``recipe`` settings."""
    recipe = dict(payload.get("recipe", {}))
    if "steps" in payload:
        recipe["steps"] = payload["steps"]
    return TrainingUnit(payload["host"], payload["arm"], payload["seed"], Recipe.from_dict(recipe))


_default: Instruments | None = None


def _instruments() -> Instruments:
    """One object a process, so that trainings in a row share their feature bank."""
    global _default  # noqa: PLW0603
    _default = _default or default_instruments()
    return _default
