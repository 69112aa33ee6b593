"""Published networks without their weights: structure, strict loading, sizes, and refusals."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.base import Enhancer
from benchmark.enhancers.contamination import LEAKS, SEEN, all_seen, seen, trained_on
from benchmark.enhancers.published import PUBLISHED, Published
from benchmark.enhancers.published.enhancer import Network, PublishedEnhancer, fill
from benchmark.enhancers.published.zero_dce import ZeroDce, bend
from benchmark.enhancers.published.zero_dce_pp import ZeroDcePlusPlus
from benchmark.errors import WeightsError
from benchmark.files import sha256_of_file
from benchmark.registry import Entry
from benchmark.spec.datasets import OVERLAPS
from benchmark.weights import WEIGHTS, WeightStore

BY_NAME = {system.name: system for system in PUBLISHED}
#: One system of each architecture; the others differ from it in their weights alone.
ARCHITECTURES = {system.network: system for system in PUBLISHED}
EACH = pytest.mark.parametrize(
    "system", [pytest.param(s, id=s.network) for s in ARCHITECTURES.values()]
)
EVERY = pytest.mark.parametrize("system", [pytest.param(s, id=s.name) for s in PUBLISHED])


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


def images(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 0.4


# --- the catalogue -------------------------------------------------------------------------------


@EVERY
def test_the_registry_says_all_there_is_to_know(system: Published) -> None:
    entry = ENHANCERS.entry(system.name)
    assert entry.meta["kind"] == "published"
    assert entry.meta["parameters"] == system.parameters
    assert entry.meta["trained_on"] == trained_on(system.name)
    assert all(entry.meta[key] for key in ("citation", "source", "licence", "weights"))
    for name in system.weights:
        weight = WEIGHTS.get(name)
        assert weight.licence == system.licence
        assert weight.used_for == f"the enhancer {system.name}"
        assert weight.url.startswith(f"https://raw.githubusercontent.com/{system.source}/")
        assert all(len(digest) == 64 for digest in weight.sha256)


def test_no_two_systems_share_a_weight_file_or_its_place() -> None:
    names = [name for system in PUBLISHED for name in system.weights]
    assert len(set(names)) == len(names)
    assert len({WEIGHTS.get(name).file for name in names}) == len(names)


@EVERY
def test_without_its_weights_a_system_names_the_mending_command(
    system: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights fetch {system.weights[0]}"):
        ENHANCERS.get(system.name)()


# --- structure -----------------------------------------------------------------------------------


@EVERY
def test_has_the_declared_number_of_parameters(system: Published) -> None:
    network = system.build()
    assert isinstance(network, Network)
    assert sum(parameter.numel() for parameter in network.parameters()) == system.parameters


@EACH
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (13, 2), (37, 50), (48, 24)])
def test_any_size_keeps_its_shape(system: Published, size: tuple[int, int]) -> None:
    output = PublishedEnhancer(system.build()).enhance(images(2, *size))
    assert output.shape == (2, 3, *size)
    assert output.dtype == torch.float32
    assert output.isfinite().all()


@EACH
def test_does_not_depend_on_the_batch_and_leaves_its_argument_alone(system: Published) -> None:
    enhancer = PublishedEnhancer(system.build())
    batch = images(5, 33, 46)
    before = batch.clone()
    together = enhancer.enhance(batch)
    alone = torch.cat([enhancer.enhance(image[None]) for image in batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(batch, before)
    assert torch.equal(together, enhancer.enhance(batch))


def test_large_batches_go_through_in_pieces_in_order() -> None:
    sizes: list[int] = []

    class Doubling(Network):
        def forward(self, images: Tensor) -> Tensor:
            sizes.append(len(images))
            return images * 2

    batch = images(7, 256, 400)
    assert torch.equal(PublishedEnhancer(Doubling()).enhance(batch), batch * 2)
    assert sizes == [2, 2, 2, 1]


def test_a_curve_keeps_the_range_and_its_ends() -> None:
    grid = torch.linspace(0, 1, 11)[None, None, None].expand(1, 3, 1, 11)
    for strength in (-1.0, -0.3, 0.0, 0.8, 1.0):
        bent = bend(grid, torch.full_like(grid, strength))
        assert (bent >= 0).all()
        assert (bent <= 1).all()
        assert torch.equal(bent[..., [0, -1]], grid[..., [0, -1]])
        assert (bent.diff() >= 0).all()


def test_curves_of_two_layers_by_hand() -> None:
    """With only the last bias set, every pixel is bent by the same eight curves per colour."""
    network = ZeroDce()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    strengths = torch.linspace(-0.9, 0.4, 24)
    network.e_conv7.bias.data.copy_(strengths.atanh())
    batch = images(1, 4, 5)
    expected = batch.double()
    for step in strengths.double().reshape(8, 3):
        expected = expected + step[:, None, None] * (expected**2 - expected)
    torch.testing.assert_close(network(batch), expected.float(), rtol=1e-5, atol=1e-6)


def test_a_curve_estimated_small_is_smooth_and_covers_uneven_sizes() -> None:
    network = ZeroDcePlusPlus().eval()
    for parameter in network.parameters():
        parameter.data.mul_(4)
    flat = torch.full((1, 3, 50, 31), 0.3)
    ragged, whole = network(flat), network(flat.new_full((1, 3, 60, 36), 0.3))
    # repeating the edge of a constant image makes the larger constant image
    torch.testing.assert_close(ragged, whole[..., :50, :31])


# --- loading -------------------------------------------------------------------------------------


def declared(
    system: Published, state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WeightStore:
    """A store where the system's weights are a file of ``state``, with the right digest."""
    store = WeightStore(tmp_path / "store")
    store.folder.mkdir()
    for name in system.weights:
        weight = WEIGHTS.get(name)
        path = store.folder / weight.file
        torch.save(state, path)
        entry = Entry(name, replace(weight, sha256=(sha256_of_file(path),)), "", "test")
        monkeypatch.setitem(WEIGHTS._entries, name, entry)
    return store


@EACH
def test_a_state_is_loaded_whole(
    system: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = system.build()
    extra = {f"{prefix}x.weight": torch.zeros(1) for prefix in network.training_only}
    store = declared(system, network.state_dict() | extra, tmp_path, monkeypatch)
    before = torch.random.get_rng_state()
    enhancer = system(store)
    assert torch.equal(before, torch.random.get_rng_state())
    assert isinstance(enhancer, Enhancer)
    assert not any(parameter.requires_grad for parameter in enhancer.network.parameters())
    batch = images(1, 20, 30)
    with torch.inference_mode():
        assert torch.equal(enhancer.enhance(batch), network.eval()(batch))


@EACH
def test_weights_of_another_architecture_are_refused_with_the_keys(
    system: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "zero-dce" if not system.name.startswith("zero-dce") else "drbn"
    state = BY_NAME[other].build().state_dict()
    store = declared(system, state, tmp_path, monkeypatch)
    lacking = min(system.build().state_dict().keys() - state.keys())
    with pytest.raises(WeightsError, match="another architecture") as caught:
        system(store)
    assert f"missing: {lacking}" in str(caught.value)
    assert "left over: " in str(caught.value)
    assert WEIGHTS.get(system.weights[0]).file in str(caught.value)


def test_another_shape_is_refused_with_both_shapes() -> None:
    network = ZeroDce()
    state = network.state_dict() | {"e_conv7.bias": torch.zeros(3)}
    with pytest.raises(WeightsError, match=r"another shape: e_conv7.bias \[3\] instead of \[24\]"):
        fill(network, state, where="x.pth")


def test_one_tensor_too_few_or_too_many_is_refused() -> None:
    state = ZeroDce().state_dict()
    fewer = {key: value for key, value in state.items() if key != "e_conv3.bias"}
    with pytest.raises(WeightsError, match=r"\(missing: e_conv3.bias\)"):
        fill(ZeroDce(), fewer, where="x.pth")
    with pytest.raises(WeightsError, match=r"\(left over: e_conv8.bias\)"):
        fill(ZeroDce(), state | {"e_conv8.bias": torch.zeros(1)}, where="x.pth")


def test_truncated_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = BY_NAME["zero-dce"]
    store = declared(system, ZeroDce().state_dict(), tmp_path, monkeypatch)
    path = store.folder / WEIGHTS.get("zero-dce").file
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="not the file 'zero-dce'"):
        system(store)
    # and where the digest is that of the truncated file
    cut = replace(WEIGHTS.get("zero-dce"), sha256=(sha256_of_file(path),))
    monkeypatch.setitem(WEIGHTS._entries, "zero-dce", Entry("zero-dce", cut, "", "test"))
    with pytest.raises(WeightsError, match="cannot read weights"):
        system(store)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_with_code_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = BY_NAME["zero-dce"]
    store = declared(system, {}, tmp_path, monkeypatch)
    path = store.folder / WEIGHTS.get("zero-dce").file
    path.write_bytes(pickle.dumps(_Bomb(tmp_path / "touched")))
    bomb = replace(WEIGHTS.get("zero-dce"), sha256=(sha256_of_file(path),))
    monkeypatch.setitem(WEIGHTS._entries, "zero-dce", Entry("zero-dce", bomb, "", "test"))
    with pytest.raises(WeightsError, match="could run its code"):
        system(store)
    assert not (tmp_path / "touched").exists()


def test_subnormal_weights_become_zero_and_change_nothing() -> None:
    network = ZeroDce().eval()
    state = network.state_dict()
    small = state["e_conv4.weight"].abs() < 0.01
    state["e_conv4.weight"] = state["e_conv4.weight"].masked_fill(small, 1e-42)
    network.load_state_dict(state)
    flushed = ZeroDce().eval()
    fill(flushed, state, where="")
    assert (flushed.e_conv4.weight[small] == 0).all()
    assert torch.equal(flushed.e_conv4.weight[~small], network.e_conv4.weight[~small])
    batch = images(1, 12, 12)
    with torch.inference_mode():
        assert torch.equal(flushed(batch), network(batch))


# --- contamination -------------------------------------------------------------------------------


@EVERY
def test_every_system_says_what_it_has_seen_and_by_whose_word(system: Published) -> None:
    assert SEEN[system.name]
    for line in SEEN[system.name]:
        assert line.evidence in line.sentence()
    assert seen(system.name, "lol-v1").how != "unknown" or system.name in {
        *("zero-dce-sdag", "sci-easy", "sci-difficult")
    }


def test_what_is_not_recorded_is_unknown_and_not_none() -> None:
    assert seen("zero-dce", "somewhere").how == "unknown"
    assert seen("nobody", "lol-v1").how == "unknown"


def test_data_that_share_pictures_with_what_was_learned_from_count_as_seen() -> None:
    found = seen("drbn", "lol-v1")
    assert found.how == "overlaps"
    assert "lol-v2" in found.evidence
    assert "GSAD, issue 36" in found.evidence
    assert seen("iat-lol-v1", "lol-v2").how == "overlaps"
    # what is said outright is not overruled, and what was not learned from has no neighbours
    assert seen("snr-lol-v2-synthetic", "lol-v1").how == "unknown"
    assert seen("zero-dce", "lol-v2").how == "unknown"
    assert {line.dataset: line.how for line in all_seen("drbn")} == {
        "lol-v2": "trained",
        "lol-v1": "overlaps",
    }


def test_every_overlap_names_its_source() -> None:
    for text in OVERLAPS.values():
        assert re.search(r"\(.*(README|issue|abstract).*\)$", text), text


def test_the_leak_accounts_for_all_fifteen_test_scenes() -> None:
    leak = LEAKS["lol-v1"]
    assert len(leak.shared) == 14
    assert len({*leak.shared, *leak.clean}) == 15
    assert "14 of the 15" in leak.statement
    # no test picture is itself a training picture
    assert not {*leak.shared, *leak.clean} & {t for found in leak.shared.values() for t in found}
