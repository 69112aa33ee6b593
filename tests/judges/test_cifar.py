from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import WeightsError
from benchmark.files import sha256_of_file
from benchmark.judges.base import Reader, make_judge
from benchmark.judges.cifar import CLASSES, CifarResNet
from benchmark.weights import WEIGHTS


def accept(name: str, folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Put a state dict where the weights of ``name`` belong and let its digest be right."""
    weight = WEIGHTS.get(name)
    path = folder / weight.file
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    entry = WEIGHTS.entry(name)
    WEIGHTS._entries[name] = replace(entry, target=replace(weight, sha256=(sha256_of_file(path),)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty weight store."""
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    before = dict(WEIGHTS._entries)
    yield tmp_path
    WEIGHTS._entries.clear()
    WEIGHTS._entries.update(before)


@pytest.fixture
def network() -> CifarResNet:
    torch.manual_seed(0)
    return CifarResNet(3).eval()


def reader(name: str = "cifar10-resnet20") -> Reader:
    judge = make_judge(name, "reader")
    assert isinstance(judge, Reader)
    return judge


@pytest.mark.parametrize(("blocks", "parameters"), [(3, 269_722), (9, 853_018)])
def test_the_networks_have_the_size_of_the_paper(blocks: int, parameters: int) -> None:
    network = CifarResNet(blocks)
    assert sum(p.numel() for p in network.parameters()) == parameters  # "0.27M" and "0.85M"
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == 6 * blocks + 2
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_the_answer_is_the_class_of_the_largest_output(folder: Path, network: CifarResNet) -> None:
    accept("cifar10-resnet20", folder, network.state_dict())
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    found = reader().read(images)
    chances = network(images).softmax(1).detach().numpy()
    assert list(found.labels) == [CLASSES[k] for k in chances.argmax(1)]
    np.testing.assert_allclose(found.confidence, chances.max(1), rtol=1e-5)
    assert found.confidence.dtype == np.float64
    alone = reader().read(images[2:3])
    assert alone.labels[0] == found.labels[2]
    large = torch.nn.functional.interpolate(images, scale_factor=3.0, mode="nearest")
    assert reader().read(large).confidence == pytest.approx(found.confidence, abs=0.05)
    identity = reader().identity()
    assert identity["weights"] == sha256_of_file(next(folder.iterdir()))


def test_absent_and_foreign_weights_are_refused(folder: Path, network: CifarResNet) -> None:
    images = torch.rand(1, 3, 32, 32)
    with pytest.raises(WeightsError) as absent:
        reader().read(images)
    assert absent.value.mend == "python -m benchmark weights fetch cifar10-resnet20"
    accept("cifar10-resnet56", folder, network.state_dict())
    with pytest.raises(WeightsError, match="another architecture than CifarResNet"):
        reader("cifar10-resnet56").read(images)
