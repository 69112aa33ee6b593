"""Published weights and the images of their known answers, where they are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmark.weights import WeightStore


@dataclass(frozen=True)
class Pairs:
    """``[N, H, W, 3]`` uint8 pictures of the same scenes, dark and well lit, and their names."""

    names: tuple[str, ...]
    low: NDArray[np.uint8]
    high: NDArray[np.uint8]


@pytest.fixture(scope="session")
def lol(shared_data: Path) -> Pairs:
    """LOL v1 eval15."""
    folder = shared_data / "lol"
    if not (folder / "low").is_dir():
        pytest.skip(f"no LOL images at {folder}")
    names = tuple(sorted((path.name for path in (folder / "low").iterdir()), key=_number))
    assert len(names) == 15
    return Pairs(names, read_all(folder / "low", names), read_all(folder / "high", names))


@pytest.fixture(scope="session")
def published_store(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., WeightStore]:
    """A weight store with the named files in it, each checked against its declared digest."""
    store = WeightStore(tmp_path_factory.mktemp("weights"))
    candidates = [path for path in (shared_data / "weights").rglob("*") if path.is_file()]

    def put(*names: str) -> WeightStore:
        for name in names:
            if store.locate(name) is None:
                _add(store, name, candidates)
        return store

    return put


def _add(store: WeightStore, name: str, candidates: list[Path]) -> None:
    from benchmark.files import sha256_of_file
    from benchmark.weights import WEIGHTS

    accepted = WEIGHTS.get(name).sha256
    for path in candidates:
        if sha256_of_file(path) in accepted:
            store.add(name, path)
            return
    pytest.skip(f"the weights {name!r} are not among the test data")


def read_all(folder: Path, names: Iterable[str]) -> NDArray[np.uint8]:
    """The named RGB pictures of a folder."""
    return np.stack([np.asarray(Image.open(folder / name).convert("RGB")) for name in names])


def to_tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    """``[B, H, W, 3]`` uint8 to ``[B, 3, H, W]`` in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def to_pixels(images: torch.Tensor) -> NDArray[np.uint8]:
    """The inverse, clipped and rounded to 8 bit."""
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).numpy()


def _number(name: str) -> int:
    return int(Path(name).stem)
