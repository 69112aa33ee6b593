"""The SKF authors' pictures through the command line: scored as printed, and said what they saw."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmark.cli.app import app


@pytest.mark.slow
def test_published_outputs_score_as_printed_and_say_what_they_have_seen(
    shared_data: Path, tmp_path: Path
) -> None:
    lol = shared_data / "lol"
    if not (lol / "outputs").is_dir():
        pytest.skip(f"no published outputs at {lol}")
    places = ["--cache", str(tmp_path / "cache"), "--runs", str(tmp_path / "runs")]
    systems = [f"outputs:{lol / 'outputs' / name}" for name in ("llflow_skf", "drbn_skf")]
    options = [word for system in systems for word in ("--system", system)]
    data = ["--data", str(lol), "--mapping", "lol-v1", "--metric", "psnr"]
    command = ["run", "--task", "low-light-recognition", *data, *options, *places]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    (folder,) = (tmp_path / "runs").iterdir()
    means = pd.read_parquet(folder / "samples.parquet").groupby("system")["psnr"].mean()
    assert means["llflow-s-skf"] == pytest.approx(25.8, abs=0.05)
    assert means["drbn-skf"] == pytest.approx(23.1, abs=0.05)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for row in manifest["systems"]:
        assert "trained on its pairs" in row["note"]
        assert "14 of its 15 test scenes are also in its training set" in row["note"]
        assert row["licence"] == "MIT"
        assert row["seen"] == "trained"
    assert "brightness of the ground truth" in manifest["systems"][0]["note"]
    assert result.output.count("(!)") == 3  # each row, and what the mark means
    assert "(!) trained on these data" in result.output
    assert "only 179 is not" in result.output
    assert any("only 179 is not" in note for note in manifest["warnings"])
