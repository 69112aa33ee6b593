"""What a recipe can ask for beside the default: moving divisors, rounds, an adversary."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import HOSTS, Host
from benchmark.errors import DataError, SpecError
from benchmark.judges.semantics import SceneBank, SceneNet
from benchmark.losses.adversarial import AdversaryRecipe
from benchmark.losses.base import Instruments
from benchmark.registry import Entry
from benchmark.schedules import FAMILIES
from benchmark.schedules.rounds import Rounds, ascended, deviations
from benchmark.schedules.table import ContextTable
from benchmark.training import (
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingUnit,
    calibrate,
    train_arm,
)
from benchmark.training.rounds import Validation
from benchmark.training.setup import assemble

EQUAL_ROWS = ContextTable(((0.31, 0.17, 0.13, 0.11, 0.19, 0.09),) * 4)
PRESENT = [0, 2]


def trained(
    arm: str,
    recipe: Recipe,
    data: TrainingData,
    instruments: Instruments,
    *,
    checkpoint: Path | None = None,
    kill_after: int = -1,
) -> TrainedArm:
    unit = TrainingUnit("curve", arm, 0, recipe)
    calibration = calibrate(unit, data, instruments=instruments)
    left = [kill_after]

    def count(done: int) -> None:
        left[0] -= done
        if left[0] == 0:
            raise InterruptedError

    return train_arm(
        unit,
        data,
        calibration,
        instruments=instruments,
        validation=data,
        checkpoint=checkpoint,
        advance=count,
    )


def same_weights(one: TrainedArm, other: TrainedArm) -> bool:
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state)


@pytest.fixture(scope="module")
def with_bank(instruments: Instruments) -> Instruments:
    bank = SceneBank(initialised(SceneNet, 0), "ab" * 32)
    return replace(instruments, segmenter=lambda: bank)


def test_the_running_scale_divides_by_the_running_means_of_the_log(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    log = trained("cals", replace(recipe, scale="ema_mag"), data, instruments).log
    means = log.terms[:, PRESENT].mean(1).double().numpy()
    running = np.zeros(len(FAMILIES))
    for step in range(recipe.steps):
        running = 0.99 * running + 0.01 * means[step]
        corrected = running / (1 - 0.99 ** (step + 1))
        np.testing.assert_allclose(log.divisors[step], corrected / corrected[0], rtol=1e-5)


def test_gradnorm_measures_every_term_and_moves_the_divisors(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    unit = TrainingUnit("curve", "cals", 0, replace(recipe, scale="gradnorm"))
    log = trained("cals", unit.recipe, data, instruments).log
    setup = assemble(unit, data, instruments, device="cpu")
    losses = setup.losses(setup.course.order[0])
    losses[:, 1].mean().backward()
    flat = torch.cat([p.grad.flatten() for p in setup.network.parameters() if p.grad is not None])
    assert log.term_norms[0, 1].item() == pytest.approx(flat.norm().item(), rel=1e-4)
    assert (log.divisors[0] == 1).all()
    assert (log.divisors[-1] != 1).all()
    # the multipliers share as many units as there are terms
    torch.testing.assert_close((1 / log.divisors).sum(1), torch.full((recipe.steps,), 6.0))


def test_frozen_scales_log_one_row_of_divisors(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    log = trained("cals", recipe, data, instruments).log
    assert (log.divisors == log.divisors[0]).all()
    assert log.divisors[0, 0] == 1
    assert log.term_norms.isnan().all()


@pytest.mark.parametrize("scale", ["ema_mag", "gradnorm"])
def test_a_killed_training_with_moving_divisors_ends_with_the_same_weights(
    scale: str, recipe: Recipe, data: TrainingData, instruments: Instruments, tmp_path: Path
) -> None:
    moving, at = replace(recipe, scale=scale), tmp_path / "checkpoint.safetensors"
    with pytest.raises(InterruptedError):
        trained("cals", moving, data, instruments, checkpoint=at, kill_after=5)
    resumed = trained("cals", moving, data, instruments, checkpoint=at)
    assert same_weights(resumed, trained("cals", moving, data, instruments))


@pytest.mark.parametrize("scale", ["ema_mag", "gradnorm"])
def test_balance_needs_frozen_divisors(scale: str) -> None:
    with pytest.raises(SpecError, match="grad_share"):
        Recipe(scale=scale, context_balance="grad_share")


def test_rounds_follow_the_formula_on_the_validation_split(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    """Two rounds of four steps, found again from trainings of four steps in either arm."""
    two = replace(recipe, rounds=Rounds(count=2), checkpoint_every=4)
    log = trained("cals-iter", two, data, instruments).log
    table = recipe.table.weights()
    np.testing.assert_array_equal(log.rows[0], table)
    found = []
    for arm in ("cals", "matched"):
        unit = TrainingUnit("curve", arm, 0, two)
        half = _halfway(unit, data, instruments)
        found.append(Validation(data, two.terms, instruments, device="cpu").errors(half))
    behind = deviations(*found, data.pool.labels, 4)
    assert (behind[PRESENT] != 0).any()
    assert (behind[[1, 3]] == 0).all()
    expected = ascended(table, behind, two.rounds, floor=recipe.table.floor)
    np.testing.assert_allclose(log.rows[1], expected, rtol=1e-6)
    assert (log.rows[1] - log.rows[0]).abs().max() <= 0.1 + 1e-12


def _halfway(unit: TrainingUnit, data: TrainingData, instruments: Instruments) -> torch.nn.Module:
    """The network after four of eight steps, from the training's own checkpoint."""
    import tempfile

    from safetensors.torch import load_file

    calibration = calibrate(unit, data, instruments=instruments)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "c.safetensors"

        def stop(done: int, left: list[int] = [4]) -> None:  # noqa: B006
            left[0] -= done
            if left[0] == 0:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            train_arm(unit, data, calibration, instruments=instruments, checkpoint=at, advance=stop)
        kept = load_file(at)
    network = assemble(unit, data, instruments, device="cpu").network
    network.load_state_dict(
        {n.removeprefix("network."): t for n, t in kept.items() if n.startswith("network.")}
    )
    return network


def test_one_round_and_equal_rows_leave_cals_as_it_is(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    once = replace(recipe, rounds=Rounds(count=1))
    assert same_weights(
        trained("cals-iter", once, data, instruments), trained("cals", once, data, instruments)
    )
    equal = replace(recipe, table=EQUAL_ROWS, rounds=Rounds(count=2))
    assert same_weights(
        trained("cals-iter", equal, data, instruments),
        trained("matched", equal, data, instruments),
    )


def test_a_lost_checkpoint_of_an_iterative_arm_costs_time_only(
    recipe: Recipe, data: TrainingData, instruments: Instruments, tmp_path: Path
) -> None:
    at = tmp_path / "checkpoint.safetensors"
    whole = trained("cals-iter", recipe, data, instruments, checkpoint=at)
    at.unlink()
    assert (tmp_path / "matched-checkpoint.safetensors").is_file()
    assert same_weights(whole, trained("cals-iter", recipe, data, instruments, checkpoint=at))


def test_an_iterative_arm_without_validation_is_refused(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    unit = TrainingUnit("curve", "cals-iter", 0, recipe)
    calibration = calibrate(unit, data, instruments=instruments)
    with pytest.raises(DataError, match="not trained on"):
        train_arm(unit, data, calibration, instruments=instruments)


@pytest.mark.parametrize("form", ["semantic", "plain"])
def test_an_adversary_learns_beside_the_host_and_survives_a_kill(
    form: str, recipe: Recipe, data: TrainingData, with_bank: Instruments, tmp_path: Path
) -> None:
    against = AdversaryRecipe(form=form, width=2, rate=1e-3)
    opposed, at = replace(recipe, adversary=against), tmp_path / "checkpoint.safetensors"
    whole = trained("matched", opposed, data, with_bank)
    plain = trained("matched", recipe, data, with_bank)
    assert not same_weights(whole, plain)
    assert (whole.log.loss > plain.log.loss).all()
    with pytest.raises(InterruptedError):
        trained("matched", opposed, data, with_bank, checkpoint=at, kill_after=5)
    assert same_weights(whole, trained("matched", opposed, data, with_bank, checkpoint=at))


def test_options_survive_json() -> None:
    recipe = Recipe(scale="gradnorm", rounds=Rounds(2, 0.1, 0.2), adversary=AdversaryRecipe())
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


@pytest.fixture
def with_statistics(monkeypatch: pytest.MonkeyPatch) -> str:
    """A host that keeps statistics of its batches beside its weights, as some published ones do."""

    def build(seed: int) -> nn.Module:
        return initialised(
            lambda: nn.Sequential(
                nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1)
            ),
            seed,
        )

    host = Host("normalised", build, 127, "Apache-2.0", "nobody")
    monkeypatch.setitem(HOSTS._entries, host.name, Entry(host.name, host, "", "test"))
    return host.name


def test_averaged_weights_go_with_the_last_count_of_batches(
    with_statistics: str, recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    unit = TrainingUnit(with_statistics, "cals", 0, replace(recipe, ema=0.5))
    calibration = calibrate(unit, data, instruments=instruments)
    averaged = train_arm(unit, data, calibration, instruments=instruments).state
    last = replace(unit, recipe=recipe)
    state = train_arm(last, data, calibration, instruments=instruments).state
    assert averaged["1.num_batches_tracked"] == state["1.num_batches_tracked"] == recipe.steps
    assert not torch.equal(averaged["0.weight"], state["0.weight"])


def test_validation_leaves_a_host_as_it_was(
    with_statistics: str, data: TrainingData, instruments: Instruments
) -> None:
    network = HOSTS.get(with_statistics).factory(0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    judge = Validation(data, ("charbonnier",), instruments, device="cpu")
    once, twice = judge.errors(network), judge.errors(network)
    np.testing.assert_array_equal(once, twice)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
