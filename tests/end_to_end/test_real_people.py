"""The same task on photographs of 49 real people, where they are at hand."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from .conftest import only_run

pytestmark = pytest.mark.slow


def test_london_runs_to_its_report_and_agrees_with_the_probe(
    shared_data: Path, call: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder = shared_data / "faces" / "london"
    if not folder.is_dir():
        pytest.skip(f"no photographs at {folder}")
    metrics = ("detected", "id_cosine", "psnr")
    result = call(
        # the photographs are those of every profile; trainings, of which there are none, are not
        *("run", "--task", "face-identity", "--data", folder, "--mapping", "london"),
        *("--profile", "smoke"),
        *("--system", "input", "--system", "gamma", "--system", "oracle"),
        *(word for metric in metrics for word in ("--metric", metric)),
        *("--device", "cpu", "--cache", tmp_path / "cache", "--runs", tmp_path / "runs"),
    )
    assert result.returncode == 0, result.stderr
    run = only_run(tmp_path / "runs")
    assert (run / "report.html").is_file()
    groups = pd.read_parquet(run / "groups.parquet")
    by_group = groups[groups["axis"] == "ethnicity"].set_index(["system", "metric", "group"])
    detected = by_group["mean"].xs("detected", level="metric")
    # every face is found in the clean views; in the dark, those of black people far less often:
    # the direction that the rendered probe predicts
    assert (detected["oracle"] > 0.95).all()
    assert detected["gamma"]["black"] < detected["gamma"]["white"] - 0.2
    assert detected["gamma"]["black"] == detected["gamma"].min()
    # nine to sixteen people: small, shown, with intervals, not hidden
    people = by_group.loc["gamma", "detected"]
    assert people.loc["black", "n_clusters"] == 13
    assert people.loc["white", "n_clusters"] == 16
    assert set(people.loc[["black", "white"], "size_class"]) == {"small"}
    assert people["ci_low"].notna().all()
