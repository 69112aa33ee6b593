"""Precision, compilation and devices: what they may change, and what they must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.errors import EquiluxError, SpecError, TrainingError
from benchmark.losses.base import Instruments
from benchmark.training import (
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingUnit,
    calibrate,
    run_calibration,
    run_training,
    train_arm,
)
from benchmark.training import together as together_module
from benchmark.training.compute import Compute
from benchmark.training.together import Together, compute_of

#: Largest difference of outputs in [0, 1] after three steps, here and in docs/hosts.md.
TOLERANCE = {"together": 1e-4, "devices": 2e-3, "bf16": 3e-2, "fp16": 3e-2}


def trained(
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    *,
    host: str = "curve",
    device: str = "cpu",
    checkpoint: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> TrainedArm:
    unit = TrainingUnit(host, "cals", 0, recipe)
    plain = replace(unit, recipe=replace(recipe, precision="float32", compiled=False))
    scale = calibrate(plain, data, instruments=instruments)
    return train_arm(
        unit,
        data,
        scale,
        instruments=instruments,
        device=device,
        checkpoint=checkpoint,
        advance=advance,
    )


def outputs(found: TrainedArm, data: TrainingData) -> Tensor:
    images = torch.as_tensor(data.pool.inputs).permute(0, 3, 1, 2) / 255
    return TrainedHost(HOSTS.get(found.unit.host), found.state).enhance(images)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe(steps=3, batch=2, checkpoint_every=1, share_log=1, scale="none")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_trains_nearly_the_same_host(
    precision: str, recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    single = trained(recipe, data, instruments)
    reduced = trained(replace(recipe, precision=precision), data, instruments)
    apart = (outputs(single, data) - outputs(reduced, data)).abs().max()
    assert 0 < apart < TOLERANCE[precision]
    assert all(v.dtype == torch.float32 for v in reduced.state.values() if v.is_floating_point())
    assert reduced.log.gradient_norm.isfinite().all()


class KilledError(Exception):
    """Stands for the end of the process."""


def test_killed_in_half_precision_it_ends_with_the_same_bytes(
    recipe: Recipe, data: TrainingData, instruments: Instruments, tmp_path: Path
) -> None:
    """The scale of the loss is part of the checkpoint."""
    reduced = replace(recipe, precision="fp16")
    done: list[int] = []

    def kill(steps: int) -> None:
        done.append(steps)
        if len(done) == 2:
            raise KilledError

    path = tmp_path / "checkpoint"
    with pytest.raises(KilledError):
        trained(reduced, data, instruments, checkpoint=path, advance=kill)
    continued = trained(reduced, data, instruments, checkpoint=path)
    through = trained(reduced, data, instruments)
    assert torch.equal(continued.log.loss, through.log.loss)
    for name, value in through.state.items():
        assert torch.equal(value, continued.state[name])


def test_an_overflowing_gradient_in_fp16_leaves_the_step_out() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    compute = Compute("cpu", precision="fp16")
    before = compute.state_dict()["scale"]
    objective, norm = compute.backward(layer(torch.tensor([[1e38]])).mean(), optimiser, clip=1.0)
    assert norm.isinf()
    assert compute.healthy(objective, norm)
    compute.advance(optimiser)
    assert layer.weight.item() == 1
    state = compute.state_dict()
    assert state["scale"] == before / 2
    again = Compute("cpu", precision="fp16")
    again.load_state_dict(state)
    assert again.state_dict() == state
    assert Compute("cpu").state_dict() == {}


def test_where_torch_compile_fails_the_training_says_so_and_goes_on(
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def no_compiler(network: nn.Module, *, dynamic: bool) -> Callable[[Tensor], Tensor]:
        del network, dynamic

        def fail(images: Tensor) -> Tensor:
            raise RuntimeError("no C++ compiler\nlong story")

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    plain = trained(recipe, data, instruments)
    found = trained(replace(recipe, compiled=True), data, instruments)
    assert plain.notes == ()
    assert found.notes == ("torch.compile was left out: RuntimeError: no C++ compiler",)
    assert all(torch.equal(v, found.state[n]) for n, v in plain.state.items())
    found.save(tmp_path)
    assert TrainedArm.load(tmp_path).notes == found.notes


def test_a_compiled_host_is_what_trains(
    recipe: Recipe, data: TrainingData, instruments: Instruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counting(network: nn.Module, *, dynamic: bool) -> Callable[[Tensor], Tensor]:
        del dynamic

        def forward(images: Tensor) -> Tensor:
            calls.append(len(images))
            return network(images)

        return forward

    plain = trained(recipe, data, instruments)
    monkeypatch.setattr(torch, "compile", counting)
    found = trained(replace(recipe, compiled=True), data, instruments)
    assert calls == [recipe.batch] * (1 + recipe.steps)
    assert all(torch.equal(v, found.state[n]) for n, v in plain.state.items())


def test_alone_in_a_group_is_alone(
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = trained(recipe, data, instruments)
    monkeypatch.setattr("benchmark.training.trainer.compute_of", lambda r, device: Together(device))
    found = trained(recipe, data, instruments)
    assert all(torch.equal(v, found.state[n]) for n, v in plain.state.items())
    assert torch.equal(found.log.shares, plain.log.shares)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(data: TrainingData, tmp_path: Path) -> None:
    pool, scale = tmp_path / "pool", tmp_path / "calibration"
    data.save(pool)
    # what needs no network of the suite's own, in an arm that looks back at all losses
    recipe = {"batch": 4, "terms": ["charbonnier", "chroma"], "scale_samples": 8, "share_log": 2}
    payload = {"host": "curve", "arm": "dwa", "seed": 0, "steps": 4, "recipe": recipe}
    run_calibration(payload, pool=pool, out=scale)
    found = []
    for processes in (1, 2):
        out, told = tmp_path / f"{processes}", []
        payload["recipe"] = recipe | {"processes": processes, "checkpoint_every": 3}
        run_training(
            payload,
            pool=pool,
            calibration=scale,
            out=out,
            scratch=tmp_path / f"scratch{processes}",
            advance=told.append,
        )
        assert sum(told) == 4
        found.append(TrainedArm.load(out))
    one, two = found
    assert (tmp_path / "scratch2" / "checkpoint.safetensors").is_file()
    torch.testing.assert_close(one.log.loss, two.log.loss, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(one.log.shares, two.log.shares, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(
        outputs(one, data), outputs(two, data), rtol=0, atol=TOLERANCE["together"]
    )


def test_what_breaks_in_a_process_is_told_as_if_it_had_broken_here() -> None:
    said: SimpleQueue[object] = SimpleQueue()
    for message in (1, TrainingError("at step 3"), 2, SpecError("later")):
        said.put(message)
    steps: list[int] = []
    ear = together_module._Ear(said, steps.append)
    ear.complain()
    ear.listen()
    assert steps == [1, 2]
    with pytest.raises(TrainingError, match="at step 3"):
        ear.complain()


def test_a_group_that_is_not_there_is_an_error(
    data: TrainingData, instruments: Instruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match="share a batch"):
        Recipe(batch=8, processes=3)
    with pytest.raises(SpecError, match="precision"):
        Recipe(precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="2 processes was started in one"):
        compute_of(Recipe(processes=2), "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")

    def absent(name: str) -> nn.Module:
        raise ImportError(name)

    monkeypatch.setattr(together_module.importlib, "import_module", absent)
    with pytest.raises(EquiluxError, match="accelerate"):
        compute_of(Recipe(processes=2), "cpu")


def test_how_it_is_computed_is_part_of_what_is_trained() -> None:
    plain, other = Recipe(), Recipe(precision="bf16", compiled=True, processes=2)
    assert Recipe.from_dict(json.loads(json.dumps(other.as_dict()))) == other
    assert plain.as_dict() != other.as_dict()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
@pytest.mark.parametrize("host", ["curve", "nafnet16", "drbn"])
def test_a_gpu_trains_the_same_host_to_the_stated_tolerance(
    host: str, recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    here = trained(recipe, data, instruments, host=host)
    there = trained(recipe, data, instruments, host=host, device="cuda")
    torch.testing.assert_close(here.log.loss, there.log.loss, rtol=1e-2, atol=1e-4)
    apart = (outputs(here, data) - outputs(there, data)).abs()
    assert np.isfinite(apart.max())
    assert apart.max() < TOLERANCE["devices"]
