"""The benchmark compares two ways to the same interval; that it is the same is tested here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

_PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "bootstrap.py"


@pytest.fixture(scope="module")
def command() -> ModuleType:
    specification = importlib.util.spec_from_file_location("bootstrap_benchmark", _PATH)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_both_sides_compute_the_same_interval(command: ModuleType) -> None:
    group, _, values = command.rows(1_000, 3, 1_000)
    alone = np.arange(1_000)
    low, high = command.ours(group, alone, values, replicates=2_000, bca=False)
    theirs_low, theirs_high = command.fairlearns(group, values, replicates=60)
    width = high - low
    np.testing.assert_allclose(low / width, theirs_low.to_numpy(float) / width, atol=0.35)
    np.testing.assert_allclose(high / width, theirs_high.to_numpy(float) / width, atol=0.35)


def test_bca_of_clustered_rows_is_wider_than_of_rows_that_stand_alone(command: ModuleType) -> None:
    group, cluster, values = command.rows(6_000, 3, 300)
    low, high = command.ours(group, cluster, values, replicates=500, bca=True)
    alone_low, alone_high = command.ours(group, np.arange(6_000), values, replicates=500, bca=True)
    assert ((high - low) > 2 * (alone_high - alone_low)).all()
