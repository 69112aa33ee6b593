"""The gate over run folders: what blocks, what passes, what must not be compared at all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark.errors import DataError, EquiluxError, SpecError
from benchmark.regression.baseline import read_baseline, set_baseline
from benchmark.regression.decision import GateReport, gate
from benchmark.regression.difference import compare
from benchmark.regression.outputs import as_json, as_junit, as_markdown, write_outputs

from .conftest import MakeRun
from .runs import Edit, lose

Table = pd.DataFrame


def policy(baseline: Path, folder: Path, **changes: Any) -> Path:
    """A copy of the baseline with other words in its policy."""
    copy = folder / "baseline"
    shutil.copytree(baseline, copy)
    path = copy / "policy.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return copy


def test_the_same_run_passes_untested(baseline: Path, run_folder: Path) -> None:
    report = gate(baseline, run_folder)
    assert report.verdict == "pass"
    assert report.unchanged == ("mine", "host cals")
    assert np.isnan([row.p for row in report.rows]).all()
    assert report.exit_code(strict=True) == 0
    assert {row.system for row in report.rows} == {"mine", "host"}  # references are no candidates


def test_a_planted_loss_of_one_group_blocks_and_shows_its_samples(
    baseline: Path, make_run: MakeRun
) -> None:
    report = gate(baseline, make_run(edit=lose(0.5)))
    assert report.verdict == "fail"
    assert report.exit_code() == 1
    blocked = {(row.system, row.metric, row.target) for row in report.of("fail")}
    assert ("mine", "psnr", "dark") in blocked
    assert {row.metric for row in report.of("fail")} == {"psnr"}
    assert {mover.groups for mover in report.moved} == {("tone=dark",)}
    losses = [mover.loss for mover in report.moved]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == report.policy.movers


def test_a_small_change_passes_and_an_unclear_one_is_open(
    baseline: Path, make_run: MakeRun
) -> None:
    assert gate(baseline, make_run("tiny", edit=lose(0.01))).of("fail") == ()

    def shake(table: Table) -> None:
        mine = table["system"] == "mine"
        table.loc[mine, "psnr"] += np.random.default_rng(0).normal(size=mine.sum()) * 0.5

    report = gate(baseline, make_run("shaken", edit=shake))
    assert report.verdict == "inconclusive"
    assert [report.exit_code(), report.exit_code(strict=True)] == [0, 3]
    groups = [row for row in report.of("inconclusive") if row.kind == "group"]
    assert groups
    assert all(row.needed > row.n for row in groups)


def test_rounding_of_another_machine_is_no_change(baseline: Path, make_run: MakeRun) -> None:
    def other_cpu(table: Table) -> None:
        table["psnr"] += np.random.default_rng(0).normal(size=len(table)) * 1e-5

    report = gate(baseline, make_run(edit=other_cpu))
    assert report.verdict == "pass"
    assert len(report.unchanged) == 2


def drop_group(table: Table) -> Table:
    return table[table["tone"] != "dark"]


def fail_some(table: Table) -> None:
    rows = table.index[(table["system"] == "mine") & (table["tone"] == "dark")][:2]
    table.loc[rows, "status"] = "missing_output"
    table.loc[rows, ["psnr", "detected", "gmsd"]] = np.nan


def relabel(table: Table) -> None:
    table.loc[table["sample"] == "p00-dark", "cluster"] = "p01"


def other_pictures(table: Table) -> None:
    table.loc[table["system"] == "input", "psnr"] += 0.3


def fewer_seeds(table: Table) -> None:
    table.loc[table["system"] == "host", "seed"] = 7


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (drop_group, r"group dark of tone \(12 samples\) vanished"),
        (fail_some, "mine: psnr was measured on 100% of dark and is on 83%; lost: p00-dark"),
        (relabel, "another cluster for 1 of 36 samples: p00-dark was p00, is p01"),
        (other_pictures, "psnr of 36 of 72 reference rows moved"),
        (fewer_seeds, r"host cals lacks the seed\(s\) 0"),
    ],
)
def test_other_samples_are_not_comparable(
    edit: Edit, said: str, baseline: Path, make_run: MakeRun
) -> None:
    report = gate(baseline, make_run(edit=edit))
    assert report.verdict == "not_comparable"
    assert report.exit_code() == 2
    assert report.rows == ()
    assert any(re.search(said, problem) for problem in report.problems), report.problems


def put(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]  # type: ignore[index]
        content[path[-1]] = to  # type: ignore[index]

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (put("task", "name", to="eyes"), 'the task was "faces", is "eyes"'),
        (put("specification", "version", to=4), "the version of the task was 3, is 4"),
        (put("data", "subjects", to=13), "the data differ in subjects: 12 became 13"),
        (put("metrics", 0, "version", to="2"), 'psnr: version was "1", is "2"'),
        (put("metrics", 0, "available", to=False), "psnr is not measured any more"),
        (
            put("instruments", 0, "identity", "detector", to="hog 2"),
            'detected: instruments[0].detector was "hog 1", is "hog 2"',
        ),
        (put("profile", to="quick"), 'the profile was "smoke", is "quick"'),
        (put("specification", "protocol", to="retrained"), "the protocol was null"),
    ],
)
def test_other_terms_are_not_comparable(
    edit: Callable[[dict[str, Any]], None], said: str, baseline: Path, make_run: MakeRun
) -> None:
    report = gate(baseline, make_run(manifest_edit=edit))
    assert report.exit_code() == 2
    assert any(said in problem for problem in report.problems), report.problems


def test_another_release_is_judged_by_the_reference_rows(
    baseline: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    def newer(content: dict[str, Any]) -> None:
        content["instruments"][0]["identity"]["pyiqa"] = "9.9"
        content["created_with"]["torch"] = "9.9"

    report = gate(baseline, make_run(manifest_edit=newer))
    assert report.verdict == "pass"
    assert "torch was 2.15.0, is 9.9" in report.notes
    moved = gate(baseline, make_run("moved", edit=other_pictures, manifest_edit=newer))
    assert moved.verdict == "not_comparable"


def test_a_system_that_is_gone_is_not_comparable_and_a_new_one_is_a_note(
    baseline: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    def gone(table: Table) -> Table:
        return table[table["system"] != "host"]

    run = make_run(edit=gone)
    assert gate(baseline, run).problems == ("the system host cals vanished",)
    narrowed = policy(baseline, tmp_path, systems=["mine"])
    assert gate(narrowed, run).verdict == "pass"
    back = tmp_path / "small"
    set_baseline(back, run, reason="only mine")
    everything = make_run("whole")
    assert any("not judged: host cals" in note for note in gate(back, everything).notes)


def test_a_candidate_whose_tables_were_edited_is_refused(baseline: Path, make_run: MakeRun) -> None:
    run = make_run()
    table = pd.read_parquet(run / "samples.parquet")
    table.assign(psnr=50.0).to_parquet(run / "samples.parquet", index=False)
    for use in (lambda: gate(baseline, run), lambda: compare(run, run)):
        with pytest.raises(DataError, match=r"samples\.parquet is not the file that the run wrote"):
            use()


def test_floors_block_whatever_was_before(baseline: Path, run_folder: Path, tmp_path: Path) -> None:
    report = gate(policy(baseline, tmp_path, floors={"detected": 0.9}), run_folder)
    assert report.verdict == "fail"
    assert {row.kind for row in report.of("fail")} == {"floor"}
    low = policy(baseline, tmp_path / "low", floors={"detected": 0.01})
    assert gate(low, run_folder).verdict == "pass"


def test_outputs_are_whole_and_the_same_every_time(
    baseline: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(edit=lose(0.5))
    first, second = gate(baseline, run), gate(baseline, run)
    files = write_outputs(first, tmp_path / "a"), write_outputs(second, tmp_path / "b")
    for one, two in zip(*files, strict=True):
        assert one.read_bytes() == two.read_bytes()
    content = json.loads(as_json(first))
    assert content["verdict"] == "fail"
    assert len(content["rows"]) == len(first.rows)
    assert "p0" in as_markdown(first)
    suite = ElementTree.fromstring(as_junit(first))
    assert int(suite.get("tests", "0")) == len(first.rows)
    assert (
        int(suite.get("failures", "0")) == len(first.of("fail")) == len(suite.findall("*/failure"))
    )
    strict = ElementTree.fromstring(as_junit(first, strict=True))
    both = len(first.of("fail")) + len(first.of("inconclusive"))
    assert int(strict.get("failures", "0")) == both


def test_hostile_names_stay_text(baseline: Path, run_folder: Path) -> None:
    report = gate(baseline, run_folder)
    evil = GateReport(
        "not_comparable",
        ("| </td><script>alert(1)</script> `x` \x00\n# gone",),
        (), (), (), (), "b`a", "c", "t<b>", report.policy,
    )  # fmt: skip
    text = as_markdown(evil)
    assert "<script>" not in text
    assert "\n# gone" not in text
    ElementTree.fromstring(as_junit(evil))


def test_a_baseline_moves_with_a_reason_and_keeps_its_policy_and_history(
    baseline: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    copy = policy(baseline, tmp_path, alpha=0.01)
    run = make_run(edit=lose(0.5))
    assert gate(copy, run).verdict == "fail"
    found = set_baseline(copy, run, reason="  a trade\n we accept ", accepted="fail")
    assert [entry["reason"] for entry in found.history] == ["the first one", "a trade we accept"]
    assert found.history[1]["accepted"] == "fail"
    assert found.policy.alpha == 0.01
    assert gate(copy, run).verdict == "pass"
    again = set_baseline(tmp_path / "other", run, reason="x")
    assert (again.folder / "samples.parquet").read_bytes() == (
        copy / "samples.parquet"
    ).read_bytes()


def test_a_rewritten_history_is_found(baseline: Path, make_run: MakeRun, tmp_path: Path) -> None:
    copy = policy(baseline, tmp_path)
    set_baseline(copy, make_run(), reason="second")
    history = copy / "history.jsonl"
    text = history.read_text(encoding="utf-8")
    history.write_text(text.replace("the first one", "nothing to see"), encoding="utf-8")
    with pytest.raises(DataError, match=r"history\.jsonl:2.*rewritten"):
        read_baseline(copy)
    history.write_text(text.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="rewritten"):
        set_baseline(copy, make_run("third"), reason="third")


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 3000])
def test_no_reason_no_baseline(reason: str, run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EquiluxError):
        set_baseline(tmp_path / "b", run_folder, reason=reason)
    assert not (tmp_path / "b").exists()


def test_damaged_baselines_are_refused(baseline: Path, run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no baseline here"):
        gate(tmp_path, run_folder)
    copy = policy(baseline, tmp_path)
    table = copy / "samples.parquet"
    whole = table.read_bytes()
    table.write_bytes(whole[:-1] + b"x")
    with pytest.raises(DataError, match=r"not the table that facts\.json names"):
        gate(copy, run_folder)
    table.write_bytes(whole)
    (copy / "facts.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not the facts"):
        gate(copy, run_folder)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"axes": ["age"]}, DataError, "axes: the baseline has no age"),
        ({"systems": ["theirs"]}, DataError, "systems: the baseline has no theirs"),
        ({"alpha": 2}, SpecError, "alpha"),
        ({"floors": {"nothing": 1.0}}, SpecError, "not gated: nothing"),
        ({"colour": "red"}, SpecError, "unknown key"),
    ],
)
def test_a_wrong_policy_is_refused(
    changes: dict[str, Any],
    error: type[Exception],
    said: str,
    baseline: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=said):
        read_baseline(policy(baseline, tmp_path, **changes))
