"""diff: what is said of two runs, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.cli import main
from benchmark.errors import DataError
from benchmark.regression.difference import compare

from .conftest import MakeRun
from .runs import lose


def invoke(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0, out, err


def test_the_same_run_twice_is_no_difference(run_folder: Path) -> None:
    found = compare(run_folder, run_folder)
    assert found.terms == found.moved == ()
    assert len(found.effects) == 0
    assert set(found.unchanged) == {"input", "mine", "host cals", "oracle"}


def test_changes_are_paired_and_have_intervals(run_folder: Path, make_run: MakeRun) -> None:
    run = make_run(edit=lose(0.5))
    found = compare(run_folder, run)
    rows = found.effects.set_index(["system", "metric", "axis", "target"])
    dark = rows.loc["mine", "psnr", "tone", "dark"]
    before, after = (
        pd.read_parquet(folder / "samples.parquet")
        .query("system == 'mine' and tone == 'dark'")
        .set_index("sample")["psnr"]
        for folder in (run_folder, run)
    )
    change = (after - before).to_numpy()
    low, high = stats.t.interval(0.95, 11, change.mean(), stats.sem(change))
    assert dark["effect"] == pytest.approx(change.mean())
    assert (dark["ci_low"], dark["ci_high"]) == pytest.approx((low, high), rel=1e-6)
    assert dark["verdict"] == "worse"
    assert rows.loc["mine", "psnr", "tone", "gap"]["effect"] > 0.4
    assert {mover.groups for mover in found.moved} == {("tone=dark",)}
    assert "host cals" in found.unchanged


def test_specs_versions_and_systems_that_differ_are_listed(
    run_folder: Path, make_run: MakeRun
) -> None:
    def other(content: dict[str, Any]) -> None:
        content["metrics"][0]["version"] = "2"
        content["created_with"]["torch"] = "9"
        content["systems"][1]["parameters"] = 7

    def gone(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["system"] != "host"]

    def without_host(content: dict[str, Any]) -> None:
        other(content)

    found = compare(run_folder, make_run(edit=gone, manifest_edit=without_host))
    terms = {key: (was, now) for key, was, now in found.terms}
    assert terms["metrics.psnr.version"] == ("1", "2")
    assert terms["created_with.torch"] == ("2.15.0", "9")
    assert terms["systems.mine.parameters"] == (0, 7)
    assert found.only_one == ("host cals",)
    assert found.only_two == ()


def test_other_samples_are_refused_with_what_and_where(run_folder: Path, make_run: MakeRun) -> None:
    def fewer(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["cluster"] != "p03"]

    other = make_run(edit=fewer)
    with pytest.raises(DataError, match="3 samples are missing: p03-dark") as raised:
        compare(run_folder, other)
    assert str(other) in str(raised.value)


def test_the_command_prints_and_exports(
    run_folder: Path,
    make_run: MakeRun,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run(edit=lose(0.5))
    code, out, _ = invoke(capsys, monkeypatch, "diff", run_folder, run)
    assert code == 0
    assert "worse" in out
    assert "p0" in out
    code, out, _ = invoke(capsys, monkeypatch, "diff", run_folder, run, "--json")
    content = json.loads(out)
    assert {row["target"] for row in content["effects"]} >= {"dark", "gap", "overall"}
    assert np.isfinite([row["effect"] for row in content["effects"]]).all()


def test_the_gate_command_speaks_by_exit_code(
    baseline: Path,
    make_run: MakeRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    def gate(run: Path, *more: str | Path) -> tuple[int, str, str]:
        return invoke(
            capsys, monkeypatch, "gate", "--baseline", baseline, "--candidate", run, *more
        )

    assert gate(make_run("same"))[0] == 0
    bad = make_run("bad", edit=lose(0.5))
    code, out, _ = gate(bad, "--out", tmp_path / "out")
    assert (code, out.startswith("gate: fail")) == (1, True)
    assert "mine, psnr, tone: dark" in out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"gate.json", "gate.md", "gate.xml"}
    assert summary.read_text(encoding="utf-8").count("## Fairness gate") == 2
    assert gate(make_run("small", people=8))[0] == 2
    code, _, err = gate(tmp_path)
    assert (code, "manifest.json" in err) == (2, True)
    assert invoke(capsys, monkeypatch, "gate")[0] == 2


def test_a_baseline_is_set_by_command(
    run_folder: Path,
    make_run: MakeRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "baseline"

    def update(run: Path, reason: str) -> tuple[int, str, str]:
        return invoke(
            capsys, monkeypatch, "gate", "update", "--baseline", folder, "--candidate", run,
            "--reason", reason,
        )  # fmt: skip

    assert update(run_folder, "start")[0] == 0
    code, out, _ = update(make_run("bad", edit=lose(0.5)), "we trade this")
    assert code == 0
    assert "the gate said fail" in out
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["accepted"] for line in lines] == ["new", "fail"]
    assert update(run_folder, " ")[0] == 2


def test_a_bundle_is_written_and_verified_by_command(
    run_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "b.zip"
    code, out, _ = invoke(capsys, monkeypatch, "bundle", run_folder, "--out", target)
    assert code == 0
    code, out, _ = invoke(capsys, monkeypatch, "bundle", "verify", target)
    assert (code, out.startswith("verified: first")) == (0, True)
    broken = bytearray(target.read_bytes())
    broken[len(broken) // 2] ^= 1
    target.write_bytes(bytes(broken))
    assert invoke(capsys, monkeypatch, "bundle", "verify", target)[0] == 2
