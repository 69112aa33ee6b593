"""Training with the authors' losses: they fall, weights move, seeds repeat, breakage is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import HOSTS, Host, TrainedHost
from benchmark.enhancers.published.enlightengan import EnlightenGan
from benchmark.enhancers.published.hwmnet import HwmNet
from benchmark.enhancers.published.kind import Kind, KindPlusPlus
from benchmark.enhancers.published.llflow import LlFlow
from benchmark.enhancers.published.mirnet import MirNet
from benchmark.enhancers.published.snr import SnrNet
from benchmark.errors import SpecError, TrainingError, WeightsError
from benchmark.losses.base import Instruments
from benchmark.losses.own import OWN, Batch, enlightengan, kind
from benchmark.losses.own.base import Optimiser
from benchmark.losses.own.features import SelfFeatures, load_features
from benchmark.registry import Entry
from benchmark.training import (
    Recipe,
    TrainedArm,
    TrainingData,
    TrainingUnit,
    load_host,
    run_training,
)
from benchmark.training.own import train_own
from benchmark.weights import WeightStore

REDUCED: dict[str, Callable[[], nn.Module]] = {
    "kind": lambda: Kind(4),
    "kind-pp": lambda: KindPlusPlus(4),
    "enlightengan": lambda: EnlightenGan(4),
    "mirnet": lambda: MirNet(8, groups=1, blocks=1),
    "hwmnet": lambda: HwmNet(8, depth=3),
    "snr": lambda: SnrNet(4, inner=16, layers=1),
    "llflow-s": lambda: LlFlow(8, 1, 1, (0,), hidden=4),
}
EACH = pytest.mark.parametrize("name", list(REDUCED))


class TinyFeatures(nn.Module):
    """In place of VGG-16."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(8)
            self.layer = nn.Conv2d(3, 6, 3, stride=4)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images).relu()


@pytest.fixture(autouse=True)
def _few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts of few channels, and the authors' losses at a rate that shows in a few steps."""
    for name, build in REDUCED.items():
        host = Host(name, partial(initialised, build), 0, "Apache-2.0", "nobody")
        monkeypatch.setitem(HOSTS._entries, name, Entry(name, host, "", "test"))
        objective = OWN.get(name)
        quick = replace(objective.optimiser, rate=4e-3)
        monkeypatch.setattr(objective, "optimiser", quick)
    monkeypatch.setattr(OWN.get("enlightengan"), "width", 4)


@pytest.fixture(scope="module")
def tools(instruments: Instruments) -> Instruments:
    return replace(instruments, features=TinyFeatures)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe(steps=6, batch=4, checkpoint_every=2)


def unit_of(name: str, recipe: Recipe, seed: int = 0) -> TrainingUnit:
    return TrainingUnit(name, "own", seed, recipe)


def total(result: TrainedArm, player: str) -> Tensor:
    """What a player minimised, at the steps at which it moved."""
    objective = OWN.get(result.unit.host)
    columns = [name.startswith(f"{player}.") for name in objective.columns()]
    terms = result.log.terms[:, [0, 2]][:, :, columns].mean(1)
    values = terms @ torch.tensor(list(objective.terms[player].values()))
    return values[values.isfinite()]


@EACH
def test_every_player_lowers_its_objective_and_moves(
    name: str, data: TrainingData, tools: Instruments
) -> None:
    steps = 16
    result = train_own(unit_of(name, Recipe(steps=steps, batch=4)), data, instruments=tools)
    for player in OWN.get(name).terms:
        values = total(result, player)
        assert len(values) == steps / (2 if name.startswith("kind") else 1)
        # what a generator minimises moves with its judges
        if player != "generator":
            assert values[-3:].mean() < 0.97 * values[:3].mean(), player
    before = HOSTS.get(name).factory(0).state_dict()
    moved = {key for key, value in result.state.items() if not torch.equal(value, before[key])}
    prefixes = {key.partition(".")[0] for key in moved}
    if name.startswith("kind"):
        assert prefixes == {key.partition(".")[0] for key in before}
    assert len(moved) > len(before) / 2
    images = torch.as_tensor(data.pool.inputs).permute(0, 3, 1, 2) / 255
    assert TrainedHost(HOSTS.get(name), result.state).enhance(images).isfinite().all()


@pytest.mark.parametrize("name", ["enlightengan", "llflow-s", "kind"])
def test_seeds_repeat_and_differ(
    name: str, recipe: Recipe, data: TrainingData, tools: Instruments
) -> None:
    state = torch.random.get_rng_state()
    one, again, other = (
        train_own(unit_of(name, recipe, seed), data, instruments=tools) for seed in (1, 1, 2)
    )
    assert all(torch.equal(one.state[key], again.state[key]) for key in one.state)
    assert not all(torch.equal(one.state[key], other.state[key]) for key in one.state)
    assert torch.equal(state, torch.random.get_rng_state())


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "case", [("enlightengan", 0.9), ("mirnet", 0.0), ("kind", 0.0), ("llflow-s", 0.5)]
)
def test_a_killed_training_ends_with_the_same_bytes(
    case: tuple[str, float],
    recipe: Recipe,
    data: TrainingData,
    tools: Instruments,
    tmp_path: Path,
) -> None:
    name, ema = case
    unit = unit_of(name, replace(recipe, ema=ema))
    checkpoint = tmp_path / "checkpoint.safetensors"
    steps: list[int] = []

    def killer(done: int) -> None:
        steps.append(done)
        if sum(steps) == 5:
            raise KilledError

    with pytest.raises(KilledError):
        train_own(unit, data, instruments=tools, checkpoint=checkpoint, advance=killer)
    resumed: list[int] = []
    second = train_own(unit, data, instruments=tools, checkpoint=checkpoint, advance=resumed.append)
    assert resumed == [4, 1, 1]
    through = train_own(unit, data, instruments=tools)
    for folder, result in (("through", through), ("resumed", second)):
        result.save(tmp_path / folder)
    for file in sorted(path.name for path in (tmp_path / "through").iterdir()):
        one, other = ((tmp_path / folder / file).read_bytes() for folder in ("through", "resumed"))
        assert one == other, file


def test_unpaired_training_never_sees_its_own_reference(
    recipe: Recipe, data: TrainingData, tools: Instruments
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Watching(enlightengan.Judge):
        def forward(self, images: Tensor) -> Tensor:
            seen.append((images, torch.tensor(0)))
            return super().forward(images)

    objective = enlightengan.EnlightenGanObjective(EnlightenGan(4), tools)
    objective.judge = Watching(5, 4)
    references = torch.stack([torch.full((3, 32, 32), value) for value in (0.1, 0.3, 0.5, 0.7)])
    for draw in range(6):
        seen.clear()
        batch = Batch(references * 0.1, references, torch.Generator().manual_seed(draw))
        objective(batch, tuple(objective.terms))
        real = (seen[1][0][:, 0, 0, 0] + 1) / 2
        assert not torch.isclose(real, references[:, 0, 0, 0]).any()
        assert torch.allclose(real.sort().values, references[:, 0, 0, 0])


def test_relativistic_answers_by_hand() -> None:
    fake = torch.tensor([0.2, 0.6]).view(2, 1, 1, 1)
    real = torch.tensor([0.9, 0.1]).view(2, 1, 1, 1)
    expected = [((f - 0.5 - 1) ** 2 + (r - 0.4) ** 2) / 2 for f, r in ((0.2, 0.9), (0.6, 0.1))]
    np.testing.assert_allclose(enlightengan.relativistic(fake, real), expected, rtol=1e-6)


def test_kinds_terms_by_hand() -> None:
    ramp = torch.arange(5.0).square().view(1, 1, 1, 5).expand(1, 1, 4, 5) / 16
    # differences 1 3 5 7 over 16, brought to [0, 1]; none downwards
    along = torch.tensor([0, 2, 4, 6]) / (6 + 16e-4)
    torch.testing.assert_close(kind.slope(ramp, 3)[0, 0, 0], along)
    assert (kind.slope(ramp, 2) == 0).all()
    falling = ramp.flip(3)
    torch.testing.assert_close(kind.slope(falling, 3), kind.slope(ramp, 3).flip(3))
    assert not torch.allclose(kind.slope(falling, 3, signed=True), kind.slope(falling, 3))
    both = 2 * along
    expected = float((both * (-10 * both).exp()).mean())
    assert float(kind.mutual_smoothness(ramp, ramp)) == pytest.approx(expected, rel=1e-5)
    assert float(kind.same_slopes(ramp, ramp)) == 0
    # where the picture is flat too, its slope counts as 0.01
    flat = torch.full((1, 3, 4, 5), 0.5)
    assert float(kind.follows(ramp, flat)) == pytest.approx(float(along.mean()) / 0.01, rel=1e-5)


def test_kind_decomposes_first(tools: Instruments) -> None:
    objective = kind.KindObjective(Kind(4), tools)
    assert objective.turns(0.0) == objective.turns(0.49) == ("decomposition",)
    assert objective.turns(0.5) == objective.turns(0.99) == ("restoration", "adjustment")


def test_sums_and_means_are_the_same_loss(data: TrainingData, tools: Instruments) -> None:
    images = torch.as_tensor(data.pool.inputs[:2]).permute(0, 3, 1, 2) / 255
    batch = Batch(images, images.flip(0), torch.Generator())
    network = SnrNet(4, inner=16, layers=1)
    mean, summed = (
        OWN.get(name)(network, tools)(batch, ("network",))["network.charbonnier"]
        for name in ("mirnet", "snr")
    )
    difference = (network(images) - images.flip(0)).square()
    expected = (difference + 1e-6).sqrt().sum((1, 2, 3))
    torch.testing.assert_close(summed, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(mean * images[0].numel(), summed)


class Broken(nn.Module):
    """Gives up after some looks."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.left = good

    def forward(self, images: Tensor) -> Tensor:
        self.left -= 1
        return images if self.left >= 0 else images * math.nan


def test_a_damaged_objective_names_the_step_and_the_terms(
    recipe: Recipe, data: TrainingData, instruments: Instruments
) -> None:
    # four looks a step: fake and dark, whole and in patches
    damaged = replace(instruments, features=lambda: Broken(6))
    done: list[int] = []
    with pytest.raises(TrainingError, match=r"at step 1 \(generator.features_patch\)") as caught:
        train_own(unit_of("enlightengan", recipe), data, instruments=damaged, advance=done.append)
    assert "enlightengan own seed 0" in str(caught.value)
    assert done == [1]


def test_an_exploding_training_is_named(
    recipe: Recipe, data: TrainingData, tools: Instruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OWN.get("mirnet"), "optimiser", Optimiser(rate=1e30))
    with pytest.raises(TrainingError, match="stopped being finite"):
        train_own(unit_of("mirnet", recipe), data, instruments=tools)


def test_a_wrong_request_says_what_is_wrong(
    recipe: Recipe, data: TrainingData, instruments: Instruments, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match="has no losses of its own"):
        train_own(unit_of("curve", recipe), data, instruments=instruments)

    for setting in ({"processes": 2}, {"compiled": True}, {"precision": "bf16"}):
        with pytest.raises(SpecError, match="one process, in single precision"):
            train_own(unit_of("kind", replace(recipe, **setting)), data, instruments=instruments)

    def absent() -> nn.Module:
        return load_features(WeightStore(tmp_path))

    without = replace(instruments, features=absent)
    with pytest.raises(WeightsError, match="weights fetch vgg16"):
        train_own(unit_of("enlightengan", recipe), data, instruments=without)


def test_every_objective_has_a_host_and_published_settings() -> None:
    for name in OWN.names():
        assert HOSTS.entry(name).name == name
        assert OWN.get(name).columns()


def test_self_features_are_vgg_without_its_last_pooling() -> None:
    from torchvision.models import vgg16

    with torch.device("meta"):
        ours = SelfFeatures()
        theirs = vgg16(weights=None, init_weights=False).features
        shape = ours.features(torch.empty(1, 3, 32, 32)).shape
    assert shape == (1, 512, 4, 4)
    expected = {f"features.{key}" for key in theirs[:26].state_dict()}
    assert set(ours.state_dict()) == expected


def test_the_stage_trains_and_the_result_is_a_host(
    recipe: Recipe, data: TrainingData, tools: Instruments, tmp_path: Path
) -> None:
    pool, out = tmp_path / "pool", tmp_path / "out"
    pool.mkdir()
    out.mkdir()
    data.save(pool)
    settings = {"batch": recipe.batch, "checkpoint_every": recipe.checkpoint_every}
    payload = {"host": "kind", "arm": "own", "seed": 3, "steps": 4, "recipe": settings}
    run_training(payload, pool=pool, calibration=None, out=out, instruments=tools)
    expected = train_own(TrainedArm.load(out).unit, data, instruments=tools)
    enhancer = load_host("kind", out)
    images = torch.as_tensor(data.pool.inputs[:2]).permute(0, 3, 1, 2) / 255
    direct = TrainedHost(HOSTS.get("kind"), expected.state).enhance(images)
    assert torch.equal(enhancer.enhance(images), direct)
