"""Arms differ in the schedule alone, to the bit; a killed training ends as if it had not been."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.errors import SpecError, StoreError, TrainingError
from benchmark.losses.base import Instruments
from benchmark.schedules import ARMS, FAMILIES
from benchmark.schedules.gate import Gate
from benchmark.schedules.table import ContextTable
from benchmark.training import (
    Calibration,
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingUnit,
    calibrate,
    load_host,
    run_calibration,
    run_training,
    train_arm,
)
from benchmark.training.setup import assemble
from benchmark.training.stages import load_calibration
from benchmark.training.trainer import learning_rate

EQUAL_ROWS = ContextTable(((0.31, 0.17, 0.13, 0.11, 0.19, 0.09),) * 4)


def trained(
    arm: str,
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
) -> TrainedArm:
    unit = TrainingUnit("curve", arm, seed, recipe)
    calibration = calibrate(unit, data, instruments=instruments)
    return train_arm(
        unit,
        data,
        calibration,
        instruments=instruments,
        validation=data,
        checkpoint=checkpoint,
    )


def same_weights(one: TrainedArm, other: TrainedArm) -> bool:
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def test_equal_rows_make_cals_and_matched_the_same_to_the_bit(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    """Nothing differs between arms but the schedule: with one table row there is no difference."""
    equal = replace(recipe, table=EQUAL_ROWS)
    first = trained("cals", equal, data, instruments)
    for arm in ("matched", "oracle", "shuffled"):
        other = trained(arm, equal, data, instruments)
        assert torch.equal(first.log.loss, other.log.loss)
        assert torch.equal(first.log.weights.nan_to_num(), other.log.weights.nan_to_num())
        if arm == "matched":
            assert same_weights(first, other)


def test_with_the_real_table_the_arms_do_differ(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    assert not same_weights(
        trained("cals", recipe, data, instruments), trained("matched", recipe, data, instruments)
    )


def test_a_closed_gate_makes_the_scheduled_arms_the_same_to_the_bit(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    closed = replace(recipe, gate=Gate(start=1.0, full=1.0))
    first = trained("cals", closed, data, instruments)
    for arm in ("matched", "oracle", "shuffled", "context-static"):
        assert same_weights(first, trained(arm, closed, data, instruments))


def test_all_arms_start_alike_and_see_the_same_samples(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    setups = [
        assemble(TrainingUnit("curve", arm, 3, recipe), data, instruments, device="cpu")
        for arm in ARMS.names()
    ]
    first = setups[0]
    for setup in setups[1:]:
        np.testing.assert_array_equal(setup.course.order, first.course.order)
        pairs = zip(setup.network.parameters(), first.network.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_every_term_is_evaluated_in_every_arm(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    log = trained("fidelity", recipe, data, instruments).log
    present = log.terms[:, [0, 2]][..., :5]
    assert (present > 0).all()
    assert log.terms[:, [1, 3]].isnan().all()
    assert log.weights[:, 0, 1:].max() == 0


@pytest.mark.parametrize("arm", ARMS.names())
def test_every_registered_arm_trains(
    arm: str, recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    log = trained(arm, replace(recipe, steps=2), data, instruments).log
    assert (log.loss > 0).all()
    torch.testing.assert_close(log.weights[:, [0, 2]].sum(2), torch.ones(2, 2))


def test_seeds_differ_and_repeat(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    state = torch.random.get_rng_state()
    one, again = (trained("cals", recipe, data, instruments, seed=1) for _ in range(2))
    assert same_weights(one, again)
    assert not same_weights(one, trained("cals", recipe, data, instruments, seed=2))
    assert torch.equal(state, torch.random.get_rng_state())


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "case",
    [
        ("cals", 1, 0.0),
        ("cals", 3, 0.0),
        ("cals", 7, 0.0),
        ("cals", 5, 0.9),
        ("dwa", 7, 0.0),
        ("uncertainty", 7, 0.0),
        ("cals-iter", 3, 0.0),
        ("cals-iter", 7, 0.0),
    ],
)
def test_a_killed_training_ends_with_the_same_bytes(
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    tmp_path: Path,
    case: tuple[str, int, float],
) -> None:
    arm, kill_after, ema = case
    recipe = replace(recipe, ema=ema)
    unit = TrainingUnit("curve", arm, 0, recipe)
    calibration = calibrate(unit, data, instruments=instruments)
    steps = []

    def killer(done: int) -> None:
        steps.append(done)
        if sum(steps) == kill_after:
            raise KilledError

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KilledError):
        train_arm(
            unit,
            data,
            calibration,
            instruments=instruments,
            validation=data,
            checkpoint=checkpoint,
            advance=killer,
        )
    resumed: list[int] = []
    second = train_arm(
        unit,
        data,
        calibration,
        instruments=instruments,
        validation=data,
        checkpoint=checkpoint,
        advance=resumed.append,
    )
    assert sum(resumed) == recipe.steps
    assert resumed[0] == max(kill_after // 3 * 3, 1)
    through = train_arm(unit, data, calibration, instruments=instruments, validation=data)
    for name, result in (("through", through), ("resumed", second)):
        result.save(tmp_path / name)
    for file in sorted(path.name for path in (tmp_path / "through").iterdir()):
        one, other = ((tmp_path / name / file).read_bytes() for name in ("through", "resumed"))
        assert one == other, file


@pytest.mark.parametrize("damage", ["truncated", "garbage", "of another arm"])
def test_a_bad_checkpoint_costs_time_only(
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    tmp_path: Path,
    damage: str,
) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    trained("matched", recipe, data, instruments, checkpoint=checkpoint)
    if damage == "truncated":
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    elif damage == "garbage":
        checkpoint.write_bytes(b"\xff" * 300)
    through = trained("cals", recipe, data, instruments)
    assert same_weights(through, trained("cals", recipe, data, instruments, checkpoint=checkpoint))


def test_training_lowers_the_objective_and_brightens(
    data: TrainingData, instruments: Instruments
) -> None:
    recipe = Recipe(steps=40, batch=8, scale_samples=16)
    result = trained("cals", recipe, data, instruments)
    assert result.log.loss[-4:].mean() < 0.6 * result.log.loss[0]
    enhancer = TrainedHost(HOSTS.get("curve"), result.state)
    inputs, references = (
        torch.as_tensor(images).permute(0, 3, 1, 2) / 255
        for images in (data.pool.inputs, data.pool.references)
    )
    before = (inputs - references).square().mean()
    assert (enhancer.enhance(inputs) - references).square().mean() < before / 4


def test_gradient_shares_are_logged_at_the_middles_of_equal_parts(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    log = trained("cals", recipe, data, instruments).log
    assert log.share_steps.tolist() == [2, 6]
    assert (log.shares[:, [0, 2]] > 0).all()
    assert (log.shares[:, [1, 3]] == 0).all()
    assert (log.balance == 1).all()


def test_grad_share_gives_each_context_the_gradient_of_the_baseline(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    balanced = replace(recipe, context_balance="grad_share")
    assert (trained("matched", balanced, data, instruments).log.balance == 1).all()
    factors = trained("cals", balanced, data, instruments).log.balance
    assert (factors[[0, 2]] != 1).all()
    assert (factors[[1, 3]] == 1).all()


def test_calibration_is_one_for_all_arms_and_has_unit_fidelity(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    found = [
        calibrate(TrainingUnit("curve", arm, 0, recipe), data, instruments=instruments)
        for arm in ("cals", "matched")
    ]
    assert found[0] == found[1]
    assert found[0].divisors[0] == 1
    assert all(np.isfinite(found[0].divisors))
    assert min(found[0].divisors) > 0
    assert found[0].samples == 12
    assert Calibration.from_dict(json.loads(json.dumps(found[0].as_dict()))) == found[0]


@pytest.mark.parametrize("scale", ["calib_param", "calib_mag"])
def test_calibration_is_the_ratio_that_it_says(
    scale: str, recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    """All samples in one batch, gradients by plain autograd."""
    unit = TrainingUnit("curve", "cals", 0, replace(recipe, scale=scale))
    found = calibrate(unit, data, instruments=instruments)
    setup = assemble(unit, data, instruments, device="cpu")
    losses = setup.losses(setup.first_samples(12)).mean(0)
    sizes = []
    for column in range(len(FAMILIES)):
        if scale == "calib_mag":
            sizes.append(losses[column].item())
            continue
        setup.network.zero_grad()
        losses[column].backward(retain_graph=True)
        flat = torch.cat([p.grad.flatten() for p in setup.network.parameters()])
        sizes.append(flat.norm().item())
    expected = np.array(sizes) / sizes[0]
    np.testing.assert_allclose(found.divisors, expected, rtol=1e-4)


def test_no_calibration_divides_by_one(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    unit = TrainingUnit("curve", "cals", 0, replace(recipe, scale="none"))
    assert set(calibrate(unit, data, instruments=instruments).divisors) == {1.0}


def test_a_damaged_objective_is_an_error_not_a_result(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    unit = TrainingUnit("curve", "cals", 0, recipe)
    calibration = Calibration("none", 0, (1.0, 0.0, 1.0, 1.0, 1.0, 1.0))
    with pytest.raises(TrainingError, match="at step 0"):
        train_arm(unit, data, calibration, instruments=instruments)


def test_stages_pass_results_through_folders(
    recipe: Recipe, data: TrainingData, instruments: Instruments, tmp_path: Path
) -> None:
    pool, calibration, out, scratch = (tmp_path / n for n in ("pool", "calib", "out", "scratch"))
    data.save(pool)
    payload = {"host": "curve", "seed": 0, "steps": 8}
    payload["recipe"] = {"batch": 4, "scale_samples": 12, "share_log": 2}
    payload = json.loads(json.dumps(payload))
    run_calibration(payload, pool=pool, out=calibration, instruments=instruments)
    run_training(
        payload | {"arm": "cals"},
        pool=pool,
        calibration=calibration,
        out=out,
        scratch=scratch,
        instruments=instruments,
    )
    direct = trained("cals", recipe, data, instruments)
    loaded = TrainedArm.load(out)
    assert same_weights(direct, loaded)
    assert torch.equal(loaded.log.loss, direct.log.loss)
    image = torch.rand(1, 3, 20, 30)
    expected = TrainedHost(HOSTS.get("curve"), direct.state).enhance(image)
    assert torch.equal(load_host("curve", out).enhance(image), expected)
    with pytest.raises(StoreError, match="not of other"):
        load_host("other", out)
    (out / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(StoreError, match="cannot be read"):
        load_host("curve", out)
    with pytest.raises(StoreError, match="cannot be read"):
        load_calibration(tmp_path)


def test_recipe_survives_json_and_refuses_what_it_does_not_know(recipe: Recipe) -> None:
    unit = TrainingUnit("curve", "cals", 5, replace(recipe, table=EQUAL_ROWS, gate=Gate(0.1)))
    assert TrainingUnit.from_dict(json.loads(json.dumps(unit.as_dict()))) == unit
    with pytest.raises(SpecError, match="no stepps"):
        Recipe.from_dict({"stepps": 3})
    with pytest.raises(SpecError, match="steps"):
        Recipe(steps=0)


def test_learning_rate_rises_and_falls() -> None:
    recipe = Recipe(steps=100, rate=1.0, rise=0.1)
    rates = [learning_rate(step, recipe) for step in range(100)]
    assert rates.index(max(rates)) == 10
    assert max(rates) <= 1
    assert rates[0] == pytest.approx(0.05)
    assert 0 < rates[-1] < 1e-3
    assert learning_rate(0, Recipe(steps=1, rise=0.0, rate=1.0)) == pytest.approx(0.5)
