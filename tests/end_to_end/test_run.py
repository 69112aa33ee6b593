"""The main job as a user runs it: complete, cached, resumable, reproducible."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from .conftest import REPOSITORY, only_run, run_arguments, tables

Call = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(
    tiny_task: Path, call: Call, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str], float]:
    """One run from a cold cache: its folder, what it printed, and the seconds it took."""
    folder = tmp_path_factory.mktemp("finished")
    clock = time.monotonic()
    result = call(*run_arguments(tiny_task, folder))
    assert result.returncode == 0, result.stderr
    return folder, result, time.monotonic() - clock


def test_everything_promised_is_there(
    finished: tuple[Path, subprocess.CompletedProcess[str], float],
) -> None:
    folder, result, _ = finished
    run = only_run(folder / "runs")
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert {"samples.parquet", "groups.parquet", "gaps.parquet", "effects.parquet"} <= set(
        manifest["files"]
    )
    assert (run / "report.html").stat().st_size > 10_000
    assert list((run / "gallery").glob("*.png"))
    samples = pd.read_parquet(run / "samples.parquet")
    systems = {(s["system"], s["arm"]) for s in manifest["systems"]}
    assert systems == set(zip(samples["system"], samples["arm"], strict=True))
    assert ("curve", "cals") in systems
    assert (samples["status"] == "ok").all()
    assert "No claim from 1 seed" in " ".join(result.stdout.split())
    assert "weights fetch squeezenet1_1" in " ".join(result.stdout.split())
    assert "reconstruction" in result.stdout


def test_a_repeated_run_is_served_from_the_cache(
    finished: tuple[Path, subprocess.CompletedProcess[str], float], tiny_task: Path, call: Call
) -> None:
    folder, _, _ = finished
    before = tables(only_run(folder / "runs"))
    result = call(*run_arguments(tiny_task, folder))
    assert "all cached" in result.stderr
    assert tables(only_run(folder / "runs")) == before


def test_without_pictures_tables_are_the_same_and_no_image_is_left(
    finished: tuple[Path, subprocess.CompletedProcess[str], float], tiny_task: Path, call: Call
) -> None:
    folder, _, _ = finished
    before = tables(only_run(folder / "runs"))
    result = call(*run_arguments(tiny_task, folder), "--no-pictures")
    assert result.returncode == 0, result.stderr
    run = only_run(folder / "runs")
    assert tables(run) == before
    shown = {path.relative_to(run).parts[0] for path in run.rglob("*.png")}
    assert shown == {"figures"}  # drawn from the tables
    assert "data:image" not in (run / "report.html").read_text(encoding="utf-8")


def test_a_damaged_cache_entry_is_rebuilt_to_the_same_bytes(
    finished: tuple[Path, subprocess.CompletedProcess[str], float], tiny_task: Path, call: Call
) -> None:
    folder, _, _ = finished
    before = tables(only_run(folder / "runs"))
    victims = [next((folder / "cache" / stage).glob("*/scores.parquet")) for stage in ["score"]]
    victims += [next((folder / "cache" / "analyse").glob("*/gaps.parquet"))]
    for victim in victims:
        victim.write_bytes(b"damaged")
    result = call(*run_arguments(tiny_task, folder))
    assert result.returncode == 0, result.stderr
    assert tables(only_run(folder / "runs")) == before


def test_killed_five_times_it_ends_with_identical_tables(
    finished: tuple[Path, subprocess.CompletedProcess[str], float],
    tiny_task: Path,
    command: Callable[..., list[str]],
    call: Call,
    tmp_path: Path,
) -> None:
    folder, _, seconds = finished
    chance = random.Random(20_261_120)
    arguments = run_arguments(tiny_task, tmp_path)
    killed = 0
    for _ in range(5):
        process = subprocess.Popen(
            command(*arguments),
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(chance.uniform(0.15, 0.45) * seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        assert_group_is_gone(process.pid)
    assert killed > 0, "every run ended before it was killed: raise the range"
    result = call(*arguments)
    assert result.returncode == 0, result.stderr
    assert tables(only_run(tmp_path / "runs")) == tables(only_run(folder / "runs"))


def assert_group_is_gone(group: int) -> None:
    """No worker outlives the process that planned the run."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.2)
    pytest.fail("workers are still there 20 seconds after the run was killed")


@pytest.mark.parametrize("wait", [0.5, 5], ids=["workers-start", "workers-run"])
def test_interrupted_it_exits_130_and_says_how_to_go_on(
    tiny_task: Path, command: Callable[..., list[str]], tmp_path: Path, wait: float
) -> None:
    # a worker of the test runner ignores Ctrl-C, and what it starts would inherit that
    listen = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", listen, *command(*run_arguments(tiny_task, tmp_path))],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("plan:"):
            break
    time.sleep(wait)
    assert process.poll() is None, "the run ended before it was interrupted"
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "the same command goes on" in stderr
    assert "Traceback" not in stderr
