"""Training without references: lowers its own objective, pairs its arms, resumes to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.enhancers.hosts import HOSTS, Host, TrainedHost
from benchmark.errors import SpecError, TrainingError, UnknownNameError, WeightsError
from benchmark.losses.base import Instruments
from benchmark.losses.reconstruction import Reconstruction
from benchmark.losses.unsupervised import TERMS, WEIGHTS
from benchmark.registry import Entry
from benchmark.schedules.table import FAMILIES
from benchmark.schedules.unsupervised import UNSUPERVISED, UnsupervisedArm
from benchmark.training import (
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingUnit,
    calibrate,
    load_host,
    run_training,
    train_arm,
)
from benchmark.training.unsupervised import train_unsupervised

_BRANCHES = [("curve", "zero-dce"), ("curve", "zero-dce+sdag"), ("curve-full", "zero-dce")]


@pytest.fixture(scope="module")
def guided(instruments: Instruments) -> Instruments:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = Reconstruction(4)
    return replace(instruments, reconstruction=lambda source: network)


def unit_of(arm: str, recipe: Recipe, *, host: str = "curve", seed: int = 0) -> TrainingUnit:
    return TrainingUnit(host, arm, seed, recipe)


def same_weights(one: TrainedArm, other: TrainedArm) -> bool:
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state)


@pytest.mark.parametrize(("host", "arm"), _BRANCHES)
def test_training_lowers_its_own_objective_and_brightens(
    host: str, arm: str, data: TrainingData, guided: Instruments
) -> None:
    recipe = Recipe(steps=25, batch=8, scale_samples=8)
    result = train_unsupervised(unit_of(arm, recipe, host=host), data, instruments=guided)
    assert result.log.loss[-4:].mean() < 0.7 * result.log.loss[:4].mean()
    images = torch.as_tensor(data.pool.inputs).permute(0, 3, 1, 2) / 255
    outputs = TrainedHost(HOSTS.get(host), result.state).enhance(images)
    assert abs(outputs.mean() - 0.6) < abs(images.mean() - 0.6) - 0.05
    assert outputs.min() >= 0
    assert outputs.max() <= 1


def test_references_are_never_read(recipe: Recipe, data: TrainingData, guided: Instruments) -> None:
    pool = data.pool
    blind = replace(pool, references=np.zeros_like(pool.references))
    one, other = (
        train_unsupervised(unit_of("zero-dce+sdag", recipe), given, instruments=guided)
        for given in (data, TrainingData(blind, data.contexts))
    )
    assert same_weights(one, other)


def test_arms_of_a_seed_are_pairs_and_differ_in_guidance_alone(
    recipe: Recipe, data: TrainingData, guided: Instruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, sdag = (
        train_unsupervised(unit_of(arm, recipe), data, instruments=guided)
        for arm in ("zero-dce", "zero-dce+sdag")
    )
    four = slice(0, len(TERMS))
    assert torch.equal(plain.log.terms[0, [0, 2], four], sdag.log.terms[0, [0, 2], four])
    assert (plain.log.terms[:, [0, 2], -1] == 0).all()
    assert (sdag.log.terms[:, [0, 2], -1] > 0).all()
    assert not same_weights(plain, sdag)
    weights = sdag.log.weights[:, [0, 2]]
    torch.testing.assert_close(weights[..., four], torch.tensor(WEIGHTS).expand(8, 2, 4))
    assert weights[..., -1].unique().numel() == 1
    # with no share of the gradient, guidance changes no bit
    nothing = UnsupervisedArm("nothing", "sdag", share=0.0)
    monkeypatch.setitem(UNSUPERVISED._entries, "nothing", Entry("nothing", nothing, "", "test"))
    absent = train_unsupervised(unit_of("nothing", recipe), data, instruments=guided)
    assert same_weights(plain, absent)


def test_guidance_starts_with_its_share_of_the_gradient(
    recipe: Recipe, data: TrainingData, guided: Instruments
) -> None:
    """All samples in one batch, gradients by plain autograd."""
    from benchmark.losses.sdag import Sdag
    from benchmark.losses.unsupervised import ZeroReference

    whole = replace(recipe, steps=6, batch=4, scale_samples=24)
    log = train_unsupervised(unit_of("zero-dce+sdag", whole), data, instruments=guided).log
    network = HOSTS.get("curve").factory(0)
    images = torch.as_tensor(data.pool.inputs).permute(0, 3, 1, 2) / 255
    outputs, curves = network.estimate(images)
    own = (ZeroReference()(images, outputs, curves) @ torch.tensor(WEIGHTS)).mean()
    guide = Sdag.build(guided)(outputs, {}).mean()
    parameters = list(network.parameters())
    gradients = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, retain_graph=True)])
        for loss in (own, guide)
    ]
    expected = 0.15 * gradients[0].norm() / gradients[1].norm()
    torch.testing.assert_close(log.weights[0, 0, -1], expected, rtol=1e-4, atol=0)


def test_seeds_differ_and_repeat(recipe: Recipe, data: TrainingData, guided: Instruments) -> None:
    state = torch.random.get_rng_state()
    one, again, other = (
        train_unsupervised(unit_of("zero-dce", recipe, seed=seed), data, instruments=guided)
        for seed in (1, 1, 2)
    )
    assert same_weights(one, again)
    assert not same_weights(one, other)
    assert torch.equal(state, torch.random.get_rng_state())


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "case",
    [("zero-dce", 1, 0.9), ("zero-dce+sdag", 5, 0.0)],
)
def test_a_killed_training_ends_with_the_same_bytes(
    case: tuple[str, int, float],
    recipe: Recipe,
    data: TrainingData,
    guided: Instruments,
    tmp_path: Path,
) -> None:
    arm, kill_after, ema = case
    unit = unit_of(arm, replace(recipe, ema=ema))
    checkpoint = tmp_path / "checkpoint.safetensors"
    steps: list[int] = []

    def killer(done: int) -> None:
        steps.append(done)
        if sum(steps) == kill_after:
            raise KilledError

    with pytest.raises(KilledError):
        train_unsupervised(unit, data, instruments=guided, checkpoint=checkpoint, advance=killer)
    resumed: list[int] = []
    second = train_unsupervised(
        unit, data, instruments=guided, checkpoint=checkpoint, advance=resumed.append
    )
    assert sum(resumed) == recipe.steps
    assert resumed[0] == max(kill_after // 3 * 3, 1)
    through = train_unsupervised(unit, data, instruments=guided)
    for name, result in (("through", through), ("resumed", second)):
        result.save(tmp_path / name)
    for file in sorted(path.name for path in (tmp_path / "through").iterdir()):
        one, other = ((tmp_path / name / file).read_bytes() for name in ("through", "resumed"))
        assert one == other, file
    loaded = TrainedArm.load(tmp_path / "through")
    assert loaded.unit == unit
    assert same_weights(loaded, through)


def test_a_checkpoint_of_another_arm_costs_time_only(
    recipe: Recipe, data: TrainingData, guided: Instruments, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train_unsupervised(unit_of("zero-dce+sdag", recipe), data, instruments=guided, checkpoint=path)
    unit = unit_of("zero-dce", recipe)
    resumed = train_unsupervised(unit, data, instruments=guided, checkpoint=path)
    assert same_weights(resumed, train_unsupervised(unit, data, instruments=guided))


def absent(source: str) -> nn.Module:
    raise WeightsError(f"no {source} one", mend="fetch it")


class Straight(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class Broken(nn.Module):
    """Redraws nothing after the first looks."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.left = good

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        return images.flip(3) * (1.0 if self.left >= 0 else torch.nan)


def test_a_damaged_objective_names_the_step_and_the_term(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    # one look weighs the term, two are the first steps
    damaged = replace(instruments, reconstruction=lambda source: Broken(3))
    with pytest.raises(TrainingError, match=r"at step 2 \(guidance\)"):
        train_unsupervised(unit_of("zero-dce+sdag", recipe), data, instruments=damaged)


def test_guidance_without_a_gradient_is_refused(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    blind = replace(instruments, reconstruction=lambda source: Straight())
    with pytest.raises(TrainingError, match="cannot be weighted"):
        train_unsupervised(unit_of("zero-dce+sdag-l1", recipe), data, instruments=blind)


def test_a_wrong_request_says_what_is_wrong(
    recipe: Recipe, data: TrainingData, instruments: Instruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownNameError, match="zero-dce"):
        train_unsupervised(unit_of("zero-dec", recipe), data, instruments=instruments)
    without = replace(instruments, reconstruction=absent)
    with pytest.raises(WeightsError, match="no published one"):
        train_unsupervised(unit_of("zero-dce+sdag", recipe), data, instruments=without)
    host = Host("straight", lambda seed: Straight(), 0, "Apache-2.0", "nobody")
    monkeypatch.setitem(HOSTS._entries, "straight", Entry("straight", host, "", "test"))
    with pytest.raises(SpecError, match="does not tell its curves"):
        train_unsupervised(
            unit_of("zero-dce", recipe, host="straight"), data, instruments=instruments
        )


def test_stages_pass_results_through_folders(
    recipe: Recipe, data: TrainingData, guided: Instruments, tmp_path: Path
) -> None:
    pool, out = tmp_path / "pool", tmp_path / "out"
    data.save(pool)
    payload = {"host": "curve", "arm": "zero-dce+sdag", "seed": 0, "steps": 8}
    payload["recipe"] = {"batch": 4, "scale_samples": 12}
    run_training(payload, pool=pool, calibration=None, out=out, instruments=guided)
    plain = replace(recipe, checkpoint_every=50, share_log=4)
    direct = train_unsupervised(unit_of("zero-dce+sdag", plain), data, instruments=guided)
    image = torch.rand(1, 3, 20, 30)
    expected = TrainedHost(HOSTS.get("curve"), direct.state).enhance(image)
    assert torch.equal(load_host("curve", out).enhance(image), expected)
    # what has no schedule cannot do without calibration, nor the other way round
    with pytest.raises(UnknownNameError, match="unsupervised arm"):
        run_training(
            payload | {"arm": "cals"}, pool=pool, calibration=None, out=out, instruments=guided
        )


def test_sdag_plugs_into_training_with_pairs_too(
    recipe: Recipe, data: TrainingData, guided: Instruments
) -> None:
    both = replace(recipe, steps=3, terms=("charbonnier", "sdag"))
    unit = unit_of("uniform", both)
    calibration = calibrate(unit, data, instruments=guided)
    log = train_arm(unit, data, calibration, instruments=guided).log
    present = log.terms[:, [0, 2]]
    column = FAMILIES.index("rec")
    assert (present[..., column] > 0).all()
    assert (log.weights[:, [0, 2], column] > 0).all()
