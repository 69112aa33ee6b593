"""The null test: means over pictures, failures left out, an interval where there can be one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.runner.sets import phantom_table, set_level_tables


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


def test_a_system_without_any_output_has_empty_rows_and_costs_the_others_nothing(
    tmp_path: Path,
) -> None:
    """As after a training that could not go on: judges had nothing to look at."""
    rng, count = np.random.default_rng(0), 24
    levels = ["dark", "light"]
    frame = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(count)], "cluster": [f"c{i}" for i in range(count)]}
    ).assign(tone_level=np.tile(levels, count // 2))
    seen = rng.random((count, 2)).astype(np.float32)
    inputs = {}
    for name, values in {"clean": seen, "0": seen[::-1], "1": np.empty((count, 0))}.items():
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "values.npy", values.astype(np.float32))
        inputs[f"{name}@judge"] = folder
    policy = {"alpha": 0.05, "n_min": 4, "n_full": 8, "coverage_tolerance": 0.01}
    judge = {"name": "judge", "levels": levels, "attribute_aware": False}
    wanted = {"axis": "tone_level", "levels": levels, "judges": [judge]}
    payload = {
        "reader": None,
        "phantoms": None,
        "representation": wanted,
        "distribution": wanted,
        "policy": policy,
        "replicates": 120,
        "seed": 0,
        "systems": [["gamma", "", -1], ["curve", "cals", 0]],
    }
    tables = set_level_tables(frame.assign(status="ok"), frame, inputs, payload)
    shown = tables["representation"].set_index(["system", "group"])
    # a failed output is a miss
    assert (shown.loc["curve", "hit"] == 0).all()
    assert (shown.loc["gamma", "hit"] > 0).all()
    assert tables["distribution"].set_index("system").loc["curve", "kid"].isna().all()
