"""A baseline that several tests hold their candidates against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.regression.baseline import set_baseline

from .runs import Edit, ManifestEdit, write_run

MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that became the baseline."""
    return write_run(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Path:
    """A baseline folder; tests that write copy it."""
    folder = tmp_path_factory.mktemp("baselines") / "faces"
    set_baseline(folder, run_folder, reason="the first one")
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a candidate."""

    def make(
        name: str = "second",
        *,
        people: int = 12,
        seeds: tuple[int, ...] = (0,),
        edit: Edit | None = None,
        manifest_edit: ManifestEdit | None = None,
    ) -> Path:
        return write_run(
            tmp_path / name, people=people, seeds=seeds, edit=edit, manifest_edit=manifest_edit
        )

    return make
