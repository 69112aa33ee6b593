"""The committed site is of the committed results."""

from __future__ import annotations

import json

from benchmark.paths import CHECKOUT
from benchmark.report.leaderboard import read_results
from benchmark.report.leaderboard.board import boards

HOME = CHECKOUT / "leaderboards"


def test_the_site_shows_the_results_that_are_there() -> None:
    site = json.loads((HOME / "site" / "site.json").read_text(encoding="utf-8"))
    found = boards(read_results(HOME / "results"))
    assert {name: about["results"] for name, about in site["boards"].items()} == {
        board.name: {result.name: result.record.run_manifest for result in board.results}
        for board in found
    }, "run `python -m benchmark leaderboard build`"
    for name in site["files"]:
        assert (HOME / "site" / name).is_file(), name


def test_the_repository_stays_light() -> None:
    for folder, most in (("results", 8e6), ("site", 10e6)):
        size = sum(p.stat().st_size for p in (HOME / folder).rglob("*.*"))
        assert size < most, f"leaderboards/{folder} has {size / 1e6:.1f} MB"
