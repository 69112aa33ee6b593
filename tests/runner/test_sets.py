"""The null test: means over pictures, failures left out, an interval where there can be one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.runner.sets import phantom_table


def counts(folder: Path, values: dict[str, list[float]]) -> Path:
    """What one system invented: column ``frangi`` by phantom."""
    rows = [(f"{kind}-{i}", kind, v) for kind, vs in values.items() for i, v in enumerate(vs)]
    folder.mkdir()
    table = pd.DataFrame(rows, columns=["sample", "phantom", "frangi"])
    table.to_parquet(folder / "invented.parquet")
    return folder


def test_means_and_intervals_are_those_of_the_pictures(tmp_path: Path) -> None:
    values = [1.0, 2.0, 6.0, np.nan]
    folder = counts(tmp_path / "a", {"flat": [0.0] * 3, "noise": values})
    table = phantom_table({"0!": folder}, [["gamma", "", -1]]).set_index("phantom")
    assert table.loc["flat", ["invented", "ci_low", "ci_high"]].tolist() == [0, 0, 0]
    row = table.loc["noise"]
    assert (row["n"], row["structure"], row["system"]) == (3, "frangi", "gamma")
    low, high = stats.t.interval(0.95, 2, 3.0, stats.sem(values[:3]))
    assert row["invented"] == pytest.approx(3)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))


def test_a_single_picture_has_no_interval_and_none_has_no_mean(tmp_path: Path) -> None:
    folder = counts(tmp_path / "a", {"flat": [2.0], "noise": [np.nan]})
    table = phantom_table({"0!": folder}, [["curve", "cals", 1]]).set_index("phantom")
    assert table.loc["flat", "invented"] == 2
    assert np.isnan(table.loc["flat", "ci_low"])
    assert table.loc["noise", "n"] == 0
    assert np.isnan(table.loc["noise", "invented"])


def test_every_system_run_has_its_rows(tmp_path: Path) -> None:
    inputs = {f"{i}!": counts(tmp_path / str(i), {"flat": [float(i)] * 2}) for i in range(3)}
    table = phantom_table(inputs, [["input", "", -1], ["curve", "cals", 0], ["curve", "cals", 1]])
    assert table["invented"].tolist() == [0, 1, 2]
    assert table["seed"].tolist() == [-1, 0, 1]
