"""Runs to report on, written and rendered once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.report import render_report
from benchmark.report.model import RunView, load_run

from .synthetic_run import Options, write_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary run with its report."""
    folder = write_run(tmp_path_factory.mktemp("runs") / "ordinary")
    render_report(folder)
    return folder


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one seed and seven groups whose names try to run, without two of its pictures."""
    options = Options(seeds=(0,), hostile=True, groups=7, parts=True)
    folder = write_run(tmp_path_factory.mktemp("runs") / "hostile", options)
    (folder / "gallery" / "0-gamma-0.png").unlink()
    (folder / "gallery" / "1-gamma-0.png").write_bytes(b"not a picture")
    render_report(folder)
    return folder


@pytest.fixture(scope="session")
def view(run_folder: Path) -> RunView:
    """The ordinary run in memory."""
    return load_run(run_folder)


@pytest.fixture(scope="session")
def hostile(hostile_folder: Path) -> RunView:
    """The hostile run in memory."""
    return load_run(hostile_folder)


@pytest.fixture(scope="session")
def full_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every optional table."""
    folder = write_run(tmp_path_factory.mktemp("runs") / "full", Options(parts=True))
    render_report(folder)
    return folder


@pytest.fixture(scope="session")
def full(full_folder: Path) -> RunView:
    """The run with every optional table in memory."""
    return load_run(full_folder)
