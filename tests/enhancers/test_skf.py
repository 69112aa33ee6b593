"""SKF's attention and its plug: counted parameters, rows of attention, hosts left whole."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.contexts import CONTEXTS
from benchmark.enhancers.curve import CurveNetwork
from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.enhancers.skf.attention import SemanticEmbedding
from benchmark.enhancers.skf.plug import SemanticHost, with_semantics
from benchmark.errors import WeightsError
from benchmark.judges.semantics import SceneBank, SceneNet, load_bank
from benchmark.losses.instruments import default_instruments
from benchmark.training import (
    Recipe,
    TrainingData,
    TrainingPool,
    TrainingUnit,
    calibrate,
    load_host,
    train_arm,
)


def bank(seed: int = 0, digest: str = "ab" * 32) -> SceneBank:
    return SceneBank(initialised(SceneNet, seed), digest)


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


PLUGGED = {
    name: with_semantics(HOSTS.get(name), bank=bank, widths=SceneNet.widths)
    for name in ("curve", "drbn", "retinexnet", "nafnet16")
}


@pytest.mark.parametrize(
    ("semantic", "channels", "counted"),
    [
        (96, 32, 26_812),  # DRBN, three sizes
        (48, 16, 7_238),
        (59, 16, 7_414),
        (48, 64, 93_494),  # LLFlow-S, three levels
        (96, 64, 96_566),
        (192, 64, 102_710),
    ],
)
def test_has_the_parameters_of_the_release(semantic: int, channels: int, counted: int) -> None:
    assert size(SemanticEmbedding(semantic, channels)) == counted


def test_rows_of_attention_sum_to_one_and_follow_the_formula() -> None:
    block = initialised(lambda: SemanticEmbedding(5, 8), 1).double()
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 8, 6, 7, generator=generator, dtype=torch.float64)
    semantics = torch.rand(2, 5, 3, 2, generator=generator, dtype=torch.float64)
    normal, attention, values = block.attend(features, semantics)
    assert attention.shape == (2, 2, 4, 4)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 2, 4, dtype=torch.float64))
    # by hand, for the second sample, second head, third row
    keys = block.keys_values(normal)[1, 4:8].flatten(1)
    grown = nn.functional.interpolate(semantics, (6, 7))
    query = block.queries(block.norm(block.enter(grown)))[1, 6].flatten()
    cosines = torch.stack([query @ key / (query.norm() * key.norm()) for key in keys])
    weights = cosines.exp() / cosines.exp().sum()
    torch.testing.assert_close(attention[1, 1, 2], weights)
    torch.testing.assert_close(values[1, 1], block.keys_values(normal)[1, 12:].flatten(1))
    expected = block.leave((attention @ values).reshape(features.shape))
    inner = expected + features
    torch.testing.assert_close(
        block(features, semantics), inner + block.feed_forward(block.norm_after(inner))
    )


def test_the_paper_adds_to_the_feature_and_the_release_to_the_normalised_one() -> None:
    paper, release = (
        initialised(partial(SemanticEmbedding, 5, 8, form=form), 1) for form in ("paper", "release")
    )
    features, semantics = torch.rand(1, 8, 4, 4), torch.rand(1, 5, 4, 4)
    for block in (paper, release):
        nn.init.zeros_(block.leave.weight)
        nn.init.zeros_(block.feed_forward.leave.weight)
    torch.testing.assert_close(paper(features, semantics), features)
    torch.testing.assert_close(release(features, semantics), release.norm(features))


@pytest.mark.parametrize("name", PLUGGED)
def test_a_plugged_host_starts_near_its_host_and_learns_everywhere(name: str) -> None:
    build = PLUGGED[name].factory
    network, again = build(3), build(3)
    assert isinstance(network, SemanticHost)
    assert size(network) == PLUGGED[name].parameters
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    images = torch.rand(2, 3, 40, 36, generator=torch.Generator().manual_seed(2))
    output = network(images)
    assert output.shape == images.shape
    gradients = torch.autograd.grad(output.square().sum(), list(network.parameters()))
    assert all(g.isfinite().all() for g in gradients)
    assert all(g.abs().max() > 0 for g in gradients[-3:])


@pytest.mark.parametrize("shape", [(33, 47), (64, 64), (17, 90)])
def test_any_size_and_no_sample_depends_on_its_batch(shape: tuple[int, int]) -> None:
    network = PLUGGED["curve"].factory(0).eval()
    images = torch.rand(3, 3, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert whole.shape == images.shape
    torch.testing.assert_close(whole, alone, rtol=1e-4, atol=1e-5)


def test_semantics_reach_the_output() -> None:
    plain, taps = CurveNetwork(0), HOSTS.get("curve").taps
    networks = [
        initialised(partial(SemanticHost, copy.deepcopy(plain), taps, bank(seed)), 5)
        for seed in (0, 1)
    ]
    images = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    first, second = (network(images) for network in networks)
    assert not torch.equal(first, second)


def test_the_bank_is_neither_trained_nor_stored_but_checked() -> None:
    network = PLUGGED["curve"].factory(0).train()
    assert isinstance(network, SemanticHost)
    state = network.state_dict()
    assert not any("bank" in name for name in state)
    assert all(isinstance(value, Tensor) for value in state.values())
    frozen = network._bank[0]
    assert not any(module.training for module in frozen.modules())
    assert not any(p.requires_grad for p in frozen.parameters())
    network.load_state_dict(state)
    stranger = SemanticHost(CurveNetwork(0), HOSTS.get("curve").taps, bank(0, "cd" * 32))
    with pytest.raises(WeightsError, match="another knowledge bank"):
        stranger.load_state_dict(state)


def test_a_copy_has_attention_of_its_own() -> None:
    network = PLUGGED["curve"].factory(0)
    twin = copy.deepcopy(network)
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(network(images), twin(images))
    for parameter in network.get_submodule("embeddings").parameters():
        nn.init.constant_(parameter, 0.3)
    assert not torch.allclose(network(images), twin(images))


@pytest.mark.parametrize("name", PLUGGED)
def test_is_registered_and_trained_with_the_suite_s_own_bank(name: str) -> None:
    registered = HOSTS.get(f"{name}+skf")
    assert registered.name == f"{name}+skf"
    network = registered.factory(1)
    assert isinstance(network, SemanticHost)
    assert size(network) == registered.parameters == PLUGGED[name].parameters
    assert network._bank[0].digest == load_bank().digest
    images = torch.rand(1, 3, 24, 30)
    again = TrainedHost(registered, network.state_dict())
    torch.testing.assert_close(again.enhance(images), network(images))


@pytest.mark.slow
def test_trains_in_an_arm_with_sch_and_continues_with_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    references = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    pool = TrainingPool(
        inputs=references // 4,
        references=references,
        landmarks=np.full((8, 5, 2), np.nan, np.float32),
        labels=np.arange(8) % len(CONTEXTS),
        samples=tuple(map(str, range(8))),
    )
    data = TrainingData(pool, np.eye(len(CONTEXTS))[pool.labels])
    recipe = Recipe(steps=4, terms=("charbonnier", "sch"), scale_samples=8, checkpoint_every=2)
    unit = TrainingUnit("curve+skf", "cals", 0, recipe)
    instruments = default_instruments()
    scale = calibrate(unit, data, instruments=instruments)
    through = train_arm(unit, data, scale, instruments=instruments)

    def kill(steps: int) -> None:
        done.append(steps)
        if len(done) == 3:
            raise KeyboardInterrupt

    done: list[int] = []
    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train_arm(unit, data, scale, instruments=instruments, checkpoint=path, advance=kill)
    continued = train_arm(unit, data, scale, instruments=instruments, checkpoint=path)
    assert (through.log.terms[..., 4].nan_to_num() > 0).any()  # col
    for name, value in through.state.items():
        assert torch.equal(value, continued.state[name])
    continued.save(tmp_path)
    images = torch.rand(1, 3, 40, 40)
    loaded = load_host("curve+skf", tmp_path).enhance(images)
    expected = TrainedHost(HOSTS.get("curve+skf"), through.state).enhance(images)
    assert torch.equal(loaded, expected)
