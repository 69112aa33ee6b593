"""Hosts train in every arm, with plug-ins, and end with the same bytes after being killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.errors import SpecError
from benchmark.losses.base import Instruments
from benchmark.schedules import ARMS, FAMILIES
from benchmark.training import (
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingPool,
    TrainingUnit,
    calibrate,
    load_host,
    run_training,
    train_arm,
)
from benchmark.training.setup import assemble

HOST_NAMES = ("nafnet16", "retinexnet", "drbn")
SHORT = Recipe(steps=2, batch=2, scale="none", share_log=1)


def trained(
    host: str,
    arm: str,
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    *,
    checkpoint: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> TrainedArm:
    unit = TrainingUnit(host, arm, 0, recipe)
    return train_arm(
        unit,
        data,
        calibrate(unit, data, instruments=instruments),
        instruments=instruments,
        validation=data,
        checkpoint=checkpoint,
        advance=advance,
    )


@pytest.mark.parametrize("host", HOST_NAMES)
def test_every_host_trains_in_every_arm_from_one_start(
    host: str, data: TrainingData, instruments: Instruments
) -> None:
    first = None
    # the arms of one kind run through the same code: one host goes through them all
    for arm in ARMS.names() if host == "nafnet16" else ("matched", "cals", "region", "dwa"):
        found = trained(host, arm, SHORT, data, instruments)
        assert (found.log.loss > 0).all(), arm
        assert (found.log.shares[:, [0, 2]] > 0).all(), arm
        # what is measured before the first step is the same: weights and pictures are
        first = found.log.terms[0] if first is None else first
        if arm != "region":  # whose terms are means over places by their weights
            assert torch.equal(found.log.terms[0].nan_to_num(), first.nan_to_num()), arm
    enhanced = TrainedHost(HOSTS.get(host), found.state).enhance(torch.rand(1, 3, 30, 21))
    assert enhanced.shape == (1, 3, 30, 21)
    assert enhanced.isfinite().all()


@pytest.mark.parametrize("host", ["nafnet16", "retinexnet"])
def test_learning_brings_every_host_nearer(
    host: str, data: TrainingData, instruments: Instruments
) -> None:
    recipe = Recipe(steps=12, batch=4, scale="none", share_log=0, terms=("charbonnier", "nlpd"))
    log = trained(host, "uniform", recipe, data, instruments).log
    assert log.loss[-3:].mean() < 0.7 * log.loss[0]


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("host", [*HOST_NAMES, "nafnet16+skf"])
def test_killed_it_ends_with_the_same_bytes(
    host: str, data: TrainingData, instruments: Instruments, tmp_path: Path
) -> None:
    recipe = replace(SHORT, steps=3, checkpoint_every=1)
    done: list[int] = []

    def kill(steps: int) -> None:
        done.append(steps)
        if len(done) == 2:
            raise KilledError

    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError):
        trained(host, "cals", recipe, data, instruments, checkpoint=path, advance=kill)
    resumed: list[int] = []
    second = trained(
        host, "cals", recipe, data, instruments, checkpoint=path, advance=resumed.append
    )
    assert resumed == [2, 1]
    through = trained(host, "cals", recipe, data, instruments)
    for name, value in through.state.items():
        assert torch.equal(value, second.state[name]), name
    second.save(tmp_path)
    images = torch.rand(1, 3, 20, 24)
    expected = TrainedHost(HOSTS.get(host), through.state).enhance(images)
    assert torch.equal(load_host(host, tmp_path).enhance(images), expected)


def test_a_plug_in_starts_every_arm_alike_and_learns_with_its_host(
    data: TrainingData, instruments: Instruments
) -> None:
    units = [TrainingUnit("drbn+skf", arm, 3, SHORT) for arm in ("matched", "cals")]
    one, other = (assemble(unit, data, instruments, device="cpu").network for unit in units)
    start = dict(one.named_parameters())
    assert all(torch.equal(p, start[n]) for n, p in other.named_parameters())
    found = train_arm(
        units[0],
        data,
        calibrate(units[0], data, instruments=instruments),
        instruments=instruments,
    )
    moved = [name for name, value in start.items() if not torch.equal(value, found.state[name])]
    assert any(name.startswith("embeddings.") for name in moved)
    assert any(name.startswith("host.") for name in moved)


@pytest.mark.parametrize("arm", ARMS.names())
def test_contexts_that_are_not_there_and_terms_that_there_are_not(
    arm: str, data: TrainingData, instruments: Instruments
) -> None:
    """One context alone, nobody with a face, and no term of two families."""
    pool = data.pool
    rows = np.flatnonzero(pool.labels == 0)
    alone = TrainingPool(
        inputs=pool.inputs[rows],
        references=pool.references[rows],
        landmarks=np.full((len(rows), 5, 2), np.nan, np.float32),
        labels=pool.labels[rows],
        samples=tuple(pool.samples[row] for row in rows),
    )
    recipe = replace(SHORT, scale="calib_param", scale_samples=4)
    recipe = replace(recipe, terms=("charbonnier", "nlpd", "chroma"))
    found = trained("curve", arm, recipe, TrainingData(alone, data.contexts[rows]), instruments)
    log = found.log
    assert (log.loss > 0).all()
    assert log.terms[:, 1:].isnan().all()
    absent = [FAMILIES.index(family) for family in ("str", "id", "rec")]
    assert (log.terms[:, 0, absent] == 0).all()
    assert (log.weights[:, 0, absent] == 0).all()
    torch.testing.assert_close(log.weights[:, 0].sum(1), torch.ones(2))
    assert all(value.isfinite().all() for value in found.state.values())


def test_a_face_term_where_nobody_has_a_face_breaks_nothing(
    data: TrainingData, instruments: Instruments
) -> None:
    faceless = replace(data.pool, landmarks=np.full_like(data.pool.landmarks, np.nan))
    log = trained("curve", "cals", SHORT, TrainingData(faceless, data.contexts), instruments).log
    assert log.terms[:, [0, 2]].isfinite().all()
    assert (log.loss > 0).all()


def test_arms_as_published_are_trained_as_published(tmp_path: Path) -> None:
    payload = {"host": "curve", "arm": "zero-dce", "seed": 0, "recipe": {"precision": "bf16"}}
    with pytest.raises(SpecError, match="zero-dce is trained as it was published"):
        run_training(payload, pool=tmp_path, calibration=None, out=tmp_path)
