"""Published weights and the pictures of their known answers, where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.files import sha256_of_file
from benchmark.weights import WEIGHTS, WeightStore

from .pictures import Pairs, read_all


@pytest.fixture(scope="session")
def lol(shared_data: Path) -> Pairs:
    """LOL v1 eval15."""
    folder = shared_data / "lol"
    if not (folder / "low").is_dir():
        pytest.skip(f"no LOL images at {folder}")
    paths = sorted((folder / "low").iterdir(), key=lambda path: int(path.stem))
    names = tuple(path.name for path in paths)
    assert len(names) == 15
    return Pairs(names, read_all(folder / "low", names), read_all(folder / "high", names))


@pytest.fixture(scope="session")
def published_store(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., WeightStore]:
    """Puts the named weights into a store, each found by its declared digest."""
    store = WeightStore(tmp_path_factory.mktemp("weights"))
    files = (path for path in (shared_data / "weights").rglob("*") if path.is_file())
    by_digest = {sha256_of_file(path): path for path in files}

    def put(*names: str) -> WeightStore:
        for name in names:
            found = next(filter(None, map(by_digest.get, WEIGHTS.get(name).sha256)), None)
            if found is None:
                pytest.skip(f"the weights {name!r} are not among the test data")
            store.add(name, found)
        return store

    return put
