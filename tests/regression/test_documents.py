"""The commands and examples of the three pages run as they are printed."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import benchmark
from benchmark import api
from benchmark.cli import main
from benchmark.spec.gate import GatePolicy
from benchmark.spec.yamlfile import read_spec

from .runs import lose, write_run

DOCS = Path(__file__).resolve().parents[2] / "docs"
CODES = {"gate --baseline": 1}


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs that the pages speak of."""
    folder = tmp_path_factory.mktemp("desk")
    write_run(folder / "runs" / "before")
    write_run(folder / "runs" / "after", edit=lose(0.5))
    return folder


@pytest.mark.parametrize("page", ["ci-gate.md", "evidence-bundles.md"])
def test_commands_do_what_the_page_says(
    page: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    commands = [line for block in blocks(page, "sh") for line in block.splitlines()]
    assert commands
    for line in commands:
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "benchmark"]
        monkeypatch.setattr(sys, "argv", words[2:])
        with pytest.raises(SystemExit) as ended:
            main()
        expected = next((code for start, code in CODES.items() if f" {start}" in line), 0)
        assert (ended.value.code or 0) == expected, line + capsys.readouterr().err


def test_python_examples_run_in_order(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    if not Path("leaderboards/baselines/mine").exists():
        from benchmark.regression.baseline import set_baseline

        set_baseline(Path("leaderboards/baselines/mine"), Path("runs/before"), reason="first")
    asked: list[Any] = []

    def no_training(*args: Any, **options: Any) -> api.Results:
        asked.append(inspect.signature(api.run).bind(*args, **options))
        return api.load_run("runs/before")

    monkeypatch.setattr(benchmark, "run", no_training, raising=False)
    namespace: dict[str, Any] = {}
    for block in blocks("python-api.md", "python"):
        exec(compile(block, "docs/python-api.md", "exec"), namespace)
    assert asked
    assert namespace["report"].verdict == "fail"
    assert "dark" in capsys.readouterr().out


def test_the_policy_of_the_page_is_a_policy(tmp_path: Path) -> None:
    (text,) = blocks("ci-gate.md", "yaml")
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_spec(path, GatePolicy).floors == {"detected": 0.5}


def test_every_name_of_the_api_is_on_its_page() -> None:
    text = (DOCS / "python-api.md").read_text(encoding="utf-8")
    for name in set(benchmark.__all__) - {"__version__"}:
        assert f"benchmark.{name}(" in text
