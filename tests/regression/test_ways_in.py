"""The gate where teams meet it: pytest, pre-commit, GitHub Actions, tox, a folder of runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.errors import DataError
from benchmark.regression.baseline import read_baseline
from benchmark.regression.decision import gate, judge

from .conftest import MakeRun
from .runs import lose

REPOSITORY = Path(__file__).resolve().parents[2]
BASELINES = sorted((REPOSITORY / "leaderboards" / "baselines").iterdir())


def read_yaml(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def test_the_fixture_fails_with_the_report(
    baseline: Path, run_folder: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    worse = make_run(edit=lose(0.5))
    (tmp_path / "test_gate.py").write_text(
        f"def test_same(fairness_gate):\n"
        f"    assert fairness_gate({str(baseline)!r}, {str(run_folder)!r}).verdict == 'pass'\n"
        f"def test_worse(fairness_gate):\n"
        f"    fairness_gate({str(baseline)!r}, {str(worse)!r})\n",
        encoding="utf-8",
    )
    plugin = ["-p", "benchmark.regression.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, str(tmp_path / "test_gate.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(REPOSITORY)},
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "Fairness gate: FAIL" in done.stdout


def test_the_distribution_registers_the_fixture() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    points = project["project"]["entry-points"]["pytest11"]
    assert points == {"equilux": "benchmark.regression.pytest_plugin"}


def test_a_folder_of_runs_is_searched_for_the_one(
    baseline: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="holds 0 finished runs of faces, profile smoke"):
        gate(baseline, tmp_path)
    make_run("a")
    make_run("b", manifest_edit=lambda content: content.update(profile="quick"))
    assert gate(baseline, tmp_path).candidate == "a"
    make_run("c")
    with pytest.raises(DataError, match="2 finished runs of faces, profile smoke: a, c"):
        gate(baseline, tmp_path)


@pytest.mark.parametrize("folder", BASELINES, ids=lambda path: path.name)
def test_the_baselines_of_this_repository_are_whole(folder: Path) -> None:
    found = read_baseline(folder)
    assert found.side.facts.profile == "smoke"
    assert found.side.facts.task == folder.name
    assert found.history[-1]["samples_sha256"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 150_000


@pytest.mark.parametrize("folder", BASELINES, ids=lambda path: path.name)
def test_a_planted_regression_turns_the_gate_of_this_repository_red(folder: Path) -> None:
    found = read_baseline(folder)
    assert judge(found, found.side).verdict == "pass"
    axis, metric = found.policy.axes[0], "psnr"
    for system in ("clahe", "curve"):
        table = found.side.samples.copy()
        rng = np.random.default_rng(0)
        table[metric] += rng.normal(size=len(table)) * 1e-4  # another CPU
        group = table[axis].unique()[-1]
        table.loc[(table["system"] == system) & (table[axis] == group), metric] -= 0.5
        report = judge(found, replace(found.side, samples=table))
        assert report.exit_code() == 1
        blocked = {(row.system, row.metric) for row in report.of("fail")}
        assert blocked == {(system, metric)}
        assert group in {row.target for row in report.of("fail")}


def gate_commands(text: str) -> list[list[str]]:
    """Every call of the gate in a file, as words."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"python -m benchmark (gate .*)", joined)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("file", [".github/workflows/fairness-gate.yml", "tox.ini"])
def test_workflow_and_tox_gate_every_task_against_its_baseline(file: str) -> None:
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    named = {Path(words[words.index("--baseline") + 1]).name for words in gate_commands(text)}
    if "matrix.task" in text:
        named = set(read_yaml(file)["jobs"]["gate"]["strategy"]["matrix"]["task"])
    assert named == {path.name for path in BASELINES}
    assert len(BASELINES) == 3


def test_the_workflow_may_read_only_and_pins_its_actions() -> None:
    file = ".github/workflows/fairness-gate.yml"
    workflow = read_yaml(file)
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert not job.get("permissions")
    used = [step for step in job["steps"] if "uses" in step]
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
        assert re.search(rf"{step['uses']} # v\d+\.\d+\.\d+\n", text), "for people: which release"
    # text of a pull request must not become part of a command
    commands = " ".join(step.get("run", "") for step in job["steps"])
    assert set(re.findall(r"\$\{\{ (\S+) \}\}", commands)) == {"matrix.task"}
    checkout, upload = used[0], used[-1]
    assert checkout["with"]["persist-credentials"] is False
    assert "upload-artifact" in upload["uses"]
    assert upload["if"] == "always()"


def test_the_hook_calls_the_gate() -> None:
    (hook,) = read_yaml(".pre-commit-hooks.yaml")
    assert hook["id"] == "fairness-gate"
    assert hook["entry"] == "equilux gate"
    assert hook["pass_filenames"] is False
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert hook["entry"].split()[0] in project["project"]["scripts"]
