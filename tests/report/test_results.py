"""The notebook's door to a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark.errors import DataError
from benchmark.report import model
from benchmark.results import load_run


def test_tables_and_slices_of_a_run(run_folder: Path) -> None:
    results = load_run(run_folder)
    frame = results.metric_frame(
        "psnr", system="gamma", sensitive_features="tone_level", control_features="illumination"
    )
    rows = results.samples[(results.samples["system"] == "gamma") & results.samples["psnr"].notna()]
    expected = rows.groupby(["illumination", "tone_level"])["psnr"].mean()
    for key, value in frame.by_group.items():
        assert value == pytest.approx(expected[key])
    assert {"gap", "null_mean", "verdict"} <= set(results.gaps)
    assert len(results.effects) > 0


def test_slices_that_are_none_are_refused(run_folder: Path) -> None:
    results = load_run(run_folder)
    for metric, system, axis, said in (
        ("pnsr", "gamma", "tone_level", "no column pnsr"),
        ("psnr", "gama", "tone_level", "no samples of 'gama'"),
        ("psnr", "gamma", "height", "no column height"),
        ("sample", "gamma", "tone_level", "sample holds no numbers"),
    ):
        with pytest.raises(DataError, match=said):
            results.metric_frame(metric, system=system, sensitive_features=axis)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.json"):
        load_run(tmp_path)


def test_tables_that_were_edited_are_refused(run_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    groups = pd.read_parquet(copy / "groups.parquet")
    groups.assign(mean=1.0).to_parquet(copy / "groups.parquet", index=False)
    with pytest.raises(DataError, match=r"groups\.parquet is not the file that the run wrote"):
        load_run(copy)
    assert len(model.load_run(copy).groups) == len(groups), "a report of it can still be drawn"
