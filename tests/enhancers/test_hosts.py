"""Hosts by name, with and without plug-ins: counted, repeatable, and strict about weights."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmark.enhancers.hosts import HOSTS, PLUGINS, Host, TrainedHost
from benchmark.enhancers.nafnet import build
from benchmark.errors import SpecError, UnknownNameError, WeightsError
from benchmark.registry import Entry

HOST_NAMES = ("curve", "nafnet16", "nafnet32", "retinexnet", "drbn")


def pictures(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", HOST_NAMES)
def test_a_seed_gives_one_network_of_the_counted_size(name: str) -> None:
    host = HOSTS.get(name)
    state = torch.random.get_rng_state()
    one, again, other = (host.factory(seed) for seed in (1, 1, 2))
    assert host.name == name
    assert torch.equal(state, torch.random.get_rng_state())
    assert sum(p.numel() for p in one.parameters()) == host.parameters
    pairs = zip(one.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(
        not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", HOST_NAMES)
def test_taps_are_layers_that_put_out_what_they_say(name: str) -> None:
    host = HOSTS.get(name)
    network, seen = host.factory(0), []
    for tap in host.taps:
        network.get_submodule(tap.layer).register_forward_hook(
            lambda module, inputs, output: seen.append(output.shape[1])
        )
    images = pictures(1, 3, 35, 22)
    assert network(images).shape == images.shape
    assert seen == [tap.channels for tap in host.taps]
    assert [tap.level for tap in host.taps] == [0, 1, 2]


def test_nafnets_are_of_the_sizes_in_the_documents() -> None:
    sizes = [HOSTS.get(f"nafnet{width}").parameters for width in (16, 32)]
    assert sizes == [1_137_203, 4_497_507]


def test_nafnet_is_spandrels_network_to_rounding() -> None:
    from spandrel.architectures.NAFNet import NAFNet, NAFNetArch

    own = build(4)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # beta and gamma start at zero and would hide every block
        for parameter in own.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    theirs = NAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1, 1, 1, 1], dec_blk_nums=[1, 1, 1, 1])
    theirs.load_state_dict(own.state_dict())
    images = pictures(2, 3, 37, 20)
    torch.testing.assert_close(own(images), theirs(images), rtol=1e-4, atol=1e-5)
    recognised = NAFNetArch().load(own.state_dict())
    torch.testing.assert_close(recognised.model(images), theirs(images))


def test_any_plug_in_makes_a_host_of_any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def brighter(host: Host) -> Host:
        def factory(seed: int) -> nn.Module:
            return nn.Sequential(host.factory(seed), nn.Hardtanh(0.2, 1.0))

        return Host(f"{host.name}+lit", factory, host.parameters, host.licence, host.citation)

    monkeypatch.setitem(PLUGINS._entries, "lit", Entry("lit", brighter, "made lighter", "test"))
    assert "curve+lit" in HOSTS
    assert "curve+skf+lit" in HOSTS
    assert "curve+dim" not in HOSTS
    assert "lit" not in HOSTS
    host = HOSTS.get("nafnet16+skf+lit")
    assert host.name == "nafnet16+skf+lit"
    assert HOSTS.entry("nafnet16+lit").summary.endswith("; made lighter")
    assert host.parameters == HOSTS.get("nafnet16+skf").parameters > 1_137_203
    with pytest.raises(UnknownNameError, match="plug-in called 'skff'"):
        HOSTS.get("curve+skff")
    with pytest.raises(UnknownNameError, match="host called 'curv'"):
        HOSTS.get("curv+skf")
    # what hides its layers takes no plug-in that looks inside
    with pytest.raises(SpecError, match="tapped"):
        HOSTS.get("curve+lit+skf")


def relabelled(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = dict(state)
    renamed["layer.0"] = renamed.pop("layers.0.weight")
    renamed["layers.6.bias"] = torch.zeros(5)
    return renamed


@pytest.mark.parametrize("write", [save_file, torch.save], ids=["safetensors", "pth"])
def test_weights_of_another_architecture_are_told_by_their_keys(
    write: Callable[[dict[str, Tensor], Path], None], tmp_path: Path
) -> None:
    host, path = HOSTS.get("curve"), tmp_path / f"w.{write.__name__}"
    path = path.with_suffix(".safetensors" if write is save_file else ".pth")
    state = host.factory(4).state_dict()
    write(state, path)
    loaded = TrainedHost.from_file(host, path)
    images = pictures(1, 3, 20, 24)
    assert torch.equal(loaded.enhance(images), host.factory(4)(images))
    write(relabelled(state), path)
    with pytest.raises(WeightsError) as caught:
        TrainedHost.from_file(host, path)
    assert "missing: layers.0.weight" in caught.value.what
    assert "left over: layer.0" in caught.value.what
    assert "of another shape: layers.6.bias [5] instead of [24]" in caught.value.what
    assert caught.value.where == str(path)
    assert "training of curve" in str(caught.value.mend)
    with pytest.raises(WeightsError, match="another architecture than NAFNet"):
        TrainedHost(HOSTS.get("nafnet16"), state)


@pytest.mark.parametrize("write", [save_file, torch.save], ids=["safetensors", "pth"])
def test_truncated_weights_are_refused(
    write: Callable[[dict[str, Tensor], Path], None], tmp_path: Path
) -> None:
    host = HOSTS.get("curve")
    path = tmp_path / ("w.safetensors" if write is save_file else "w.pth")
    write(host.factory(0).state_dict(), path)
    whole = path.read_bytes()
    for kept in (0, 7, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:kept])
        with pytest.raises(WeightsError, match=r"cannot read weights|refused"):
            TrainedHost.from_file(host, path)


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    host, path, planted = HOSTS.get("curve"), tmp_path / "w.pth", tmp_path / "planted"
    state = dict(host.factory(0).state_dict()) | {"code": Planted(planted)}
    torch.save(state, path)
    for bad in (path.read_bytes(), pickle.dumps({"code": Planted(planted)})):
        path.write_bytes(bad)
        with pytest.raises(WeightsError, match="refused"):
            TrainedHost.from_file(host, path)
        assert not planted.exists()
