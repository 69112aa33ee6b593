"""The structure task on chest radiographs of patients, where they are at hand."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.data.evalset import EvalSet

from .conftest import only_run

pytestmark = pytest.mark.slow


def test_chest_radiographs_run_to_their_report(
    shared_data: Path, call: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder = shared_data / "medical" / "cxr"
    if not folder.is_dir():
        pytest.skip(f"no radiographs at {folder}")
    result = call(
        *("run", "--task", "medical-structure", "--data", folder, "--mapping", "cxr"),
        *("--profile", "smoke", "--system", "input", "--system", "oracle"),
        *("--metric", "dice:lungs", "--metric", "psnr", "--metric", "lesion_omission"),
        *("--device", "cpu", "--cache", tmp_path / "cache", "--runs", tmp_path / "runs"),
        OMP_NUM_THREADS="1",
    )
    assert result.returncode == 0, result.stderr
    run = only_run(tmp_path / "runs")
    assert (run / "report.html").is_file()

    samples = pd.read_parquet(run / "samples.parquet")
    assert len(samples) == 2 * 77
    assert set(samples["status"]) == {"ok"}
    groups = pd.read_parquet(run / "groups.parquet")
    by_sex = groups[groups["axis"] == "sex"].set_index(["metric", "system", "group"]).sort_index()
    for system in ("input", "oracle"):
        # several radiographs of a patient are one witness
        people = by_sex.loc["dice:lungs", system]
        assert people["n_items"].to_dict() == {"female": 26, "male": 51}
        assert people["n_clusters"].to_dict() == {"female": 14, "male": 29}
        assert people["ci_low"].lt(people["mean"]).all()
        assert people["ci_high"].gt(people["mean"]).all()
        assert people["mean"].between(0.6, 0.85).all()

    metrics = {m["name"]: m for m in json.loads((run / "manifest.json").read_text())["metrics"]}
    assert metrics["dice:lungs"]["available"]
    assert not metrics["lesion_omission"]["available"]
    assert "mask:exudates" in metrics["lesion_omission"]["reason"]

    # nothing is compared outside the annotated window
    untouched = samples[samples["system"] == "input"].set_index("sample")["psnr"]
    evalset = cached_set(tmp_path / "cache")
    valid = evalset.masks["valid"]
    assert 0.3 < valid.mean() < 0.99
    error = (evalset.inputs / 255.0 - evalset.references / 255.0) ** 2
    expected = [-10 * np.log10(e[v].mean()) for e, v in zip(error, valid, strict=True)]
    assert untouched[evalset.frame["sample"]].to_numpy() == pytest.approx(expected, abs=1e-3)


def cached_set(cache: Path) -> EvalSet:
    """The radiographs as they were evaluated; the cache also holds the phantoms' set."""
    sets = (EvalSet.load(folder) for folder in (cache / "data").iterdir())
    (found,) = (evalset for evalset in sets if "sex" in evalset.frame)
    return found
