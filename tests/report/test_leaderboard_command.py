"""``python -m benchmark leaderboard``: the commands of docs/leaderboards.md."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from benchmark.cli.app import app

from .publishing import write_published
from .synthetic_run import Options


def _call(*words: str) -> str:
    found = CliRunner().invoke(app, ["leaderboard", *words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_a_run_becomes_a_site_and_files_for_the_hub(tmp_path: Path) -> None:
    run = str(write_published(tmp_path / "run", Options(gallery=False)))
    results, out = str(tmp_path / "results"), tmp_path / "site"
    assert "quick-0001" in _call("add", run, "--note", "why", "--results", results)
    assert "nothing changed" in _call("add", run, "--results", results)
    said = _call("build", "--results", results, "--out", str(out))
    assert said.strip() == f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages"
    hub = tmp_path / "hub"
    _call("export", "curve", "--arm", "cals", "--results", results, "--out", str(hub))
    assert (hub / ".eval_results" / "equilux-face-identity.yaml").is_file()
    assert (hub / "model-index.yaml").is_file()
