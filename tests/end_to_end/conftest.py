"""A task small enough to run whole many times."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

TINY = {
    "subjects: 10": "subjects: 8",
    "samples: 24": "samples: 8",
    "steps: 24": "steps: 6",
    "replicates: 1000": "replicates: 200",
    "systems: [input, gamma, clahe, lime, oracle]": "systems: [input, gamma, oracle]",
}


@pytest.fixture(scope="session")
def tiny_task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The face task with a smoke profile of a few seconds."""
    text = (REPOSITORY / "tasks" / "face-identity" / "task.yaml").read_text(encoding="utf-8")
    for before, after in TINY.items():
        assert before in text, f"the task no longer says {before!r}"
        text = text.replace(before, after)
    path = tmp_path_factory.mktemp("tasks") / "face-identity" / "task.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def command() -> Callable[..., list[str]]:
    """The command line as a user types it."""

    def build(*arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "benchmark", *map(str, arguments)]

    return build


@pytest.fixture(scope="session")
def call(command: Callable[..., list[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line to its end."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            cwd=REPOSITORY,
            env=os.environ | environment,
        )

    return run


def tables(folder: Path) -> dict[str, bytes]:
    """The bytes of every table whose content is reproducible (timings are not)."""
    return {p.name: p.read_bytes() for p in folder.glob("*.parquet") if p.stem != "timings"}


def only_run(runs: Path) -> Path:
    """The one run folder under ``runs``."""
    (folder,) = runs.iterdir()
    return folder


def run_arguments(task: Path, folder: Path) -> Sequence[str | Path]:
    """Arguments of the small run with its own cache and run folders."""
    return (
        *("run", "--task", task, "--profile", "smoke", "--device", "cpu"),
        *("--cache", folder / "cache", "--runs", folder / "runs"),
    )
