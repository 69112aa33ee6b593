"""Runs for bundles: those of the gate's tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _runs() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "regression" / "runs.py"
    specification = importlib.util.spec_from_file_location("small_runs", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["small_runs"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose aggregates follow from its samples."""
    folder: Path = _runs().write_run(tmp_path_factory.mktemp("runs") / "faces-1")
    return folder
