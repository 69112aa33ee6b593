"""The console summary: complete, flagged, and readable without colour at any width."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from benchmark.report import print_summary, render_report

from .synthetic_run import SYSTEMS, Options, write_run


def _printed(folder: Path, width: int, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_summary(folder, Console(file=stream, width=width, force_terminal=terminal))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100, 130])
def test_every_system_and_group_is_there(run_folder: Path, width: int) -> None:
    text = _printed(run_folder, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    for system, arm in SYSTEMS:
        rows = [line for line in text.splitlines() if line.startswith(f"{system} {arm}".strip())]
        assert len(rows) == 3, "one for identity, one for detection, one for lesions"
        assert "GAP" in rows[0] or "none" in rows[0]
    for heading in ("light", "medium", "dark", "n=12", "gap", "null", "psnr"):
        assert heading in text
    assert "…" not in text


def test_off_a_terminal_there_is_nothing_but_text(run_folder: Path) -> None:
    text = _printed(run_folder, 100)
    assert "\x1b" not in text
    assert _printed(run_folder, 100, terminal=True) != text


def test_what_must_be_said_is_said(run_folder: Path) -> None:
    text = " ".join(_printed(run_folder, 100).split())
    assert "CALS here is a reconstruction: the publication's formulas are not public" in text
    assert "cals against matched on curve (3 seeds), id cosine: overall +" in text
    assert "python -m benchmark weights fetch musiq" in text
    assert "~ small group" in text
    assert "! The detector finds 97 % of dark faces" in text
    assert str(run_folder / "report.html") in "".join(_printed(run_folder, 300).split("\n"))


def test_a_small_group_is_flagged_and_never_the_sure_worst(run_folder: Path) -> None:
    text = _printed(run_folder, 100)
    row = next(line for line in text.splitlines() if line.startswith("gamma"))
    assert "?~" in row
    assert "*" not in row


def test_an_insufficient_group_is_shown_in_parentheses(tmp_path: Path) -> None:
    import json

    folder = write_run(tmp_path / "run", Options(gallery=False))
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["headline"]["axis"] = "pose"
    path.write_text(json.dumps(manifest))
    text = _printed(folder, 100)
    row = next(line for line in text.splitlines() if line.startswith("gamma"))
    assert "(0." in row
    assert "one" in row
    assert "( ) too few subjects" in text


def test_levelling_down_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", Options(levelled_down=True, gallery=False))
    assert "LEVELLED DOWN" in _printed(folder, 300)


def test_one_seed_makes_no_claim_and_hostile_names_do_nothing(hostile_folder: Path) -> None:
    text = _printed(hostile_folder, 80)
    assert "no claim" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_where_groups_do_not_fit_the_extremes_are_named(hostile_folder: Path) -> None:
    narrow, wide = _printed(hostile_folder, 80), _printed(hostile_folder, 200)
    assert "worst" in narrow
    assert "n=34" not in narrow
    assert "n=34" in wide


def test_what_systems_have_seen_of_the_data_stands_in_every_row(tmp_path: Path) -> None:
    import json

    folder = write_run(tmp_path / "run", Options(gallery=False))
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for row in manifest["systems"]:
        row["seen"] = {"gamma": "trained", "input": "none"}.get(row["system"], "unknown")
        row["note"] = f"lol-v1: by whose word for {row['system']}"
    path.write_text(json.dumps(manifest))
    rows = [line for line in _printed(folder, 130).splitlines() if line.startswith("gamma")]
    assert len(rows) == 3
    assert all(row.startswith("gamma (!) ") for row in rows)
    text = " ".join(_printed(folder, 130).split())
    assert "(!) trained on these data; (?) unknown whether it saw these data" in text
    assert "input (" not in text
    page = render_report(folder).read_text(encoding="utf-8")
    # in every table that has a row of it, with the source on hover
    tables = page.count("<small>trained on these data</small>")
    assert tables == page.count('by whose word for gamma"') > 4
