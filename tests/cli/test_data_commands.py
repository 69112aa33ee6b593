"""``data inspect``, ``list`` and ``fetch`` print what they promise and fail with code 2."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.cli import main

MAPPING = """
format: 2
name: mine
title: Mine
licence: CC0-1.0
source: made here
image: file_name
identity: who
axes:
  - {column: group, role: sensitive, source: self-reported, levels: [x, y]}
  - {column: guess, role: control, source: predicted}
"""


def invoke(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return (ended.value.code if isinstance(ended.value.code, int) else 0), out, err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = ["file_name,group,guess,who"]
    for number in range(20):
        name = f"{number}.png"
        noise = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((32, 32)).save(tmp_path / name)
        rows.append(f"{name},{'xy'[number % 2]},g,p{number}")
    (tmp_path / "0.png").write_bytes(b"x")
    (tmp_path / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    return tmp_path


def test_inspect_shows_what_matters(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = invoke(capsys, monkeypatch, "data", "inspect", str(folder))
    assert code == 0, err
    for word in ("CC0-1.0", "19 to enhance", "not a picture", "self-reported", "small", " sd"):
        assert word in out
    assert "guess is a classifier's guess" in out
    assert "LEAK" not in out


def test_inspect_finds_a_leak_and_says_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("data", "inspect", str(folder), "--against", str(folder))
    code, out, _ = invoke(capsys, monkeypatch, *arguments)
    assert code == 0
    assert "LEAK" in out
    code, out, _ = invoke(capsys, monkeypatch, *arguments, "--json")
    overlaps = {(o["between"], o["kind"]): o["pairs"] for o in json.loads(out)["overlaps"]}
    assert overlaps[str(folder), "identity"] == 20
    assert overlaps[str(folder), "same pixels"] == 19


def test_inspect_judges_sizes_by_the_policy_of_a_task(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("data", "inspect", str(folder), "--task", "face-identity", "--json")
    code, out, _ = invoke(capsys, monkeypatch, *arguments)
    assert code == 0
    groups = {g["group"]: g for g in json.loads(out)["groups"]}
    assert (groups["x"]["clusters"], groups["x"]["size_class"]) == (9, "small")
    assert groups["x"]["detectable"] > 1
    assert groups["g"]["detectable"] is None  # one level


def test_list_shows_mappings_and_recipes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = invoke(capsys, monkeypatch, "data", "list")
    assert code == 0
    assert "utkface" in out
    code, out, _ = invoke(capsys, monkeypatch, "data", "list", "utkface")
    assert "ESTIMATED" in out
    code, out, _ = invoke(capsys, monkeypatch, "data", "list", "--json")
    assert {"london", "cxr"} <= {entry["name"] for entry in json.loads(out)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "no/such/folder"], "no such folder"),
        (["inspect", "hub:owner/name@main"], "not pinned"),
        (["inspect", "hub:owner/name@v1", "--mapping", "fairface"], "wants a folder of files"),
        (["inspect", "hub:owner/name@v1", "--mapping", "london"], "data fetch hub:owner/name@v1"),
        (["inspect", ".", "--mapping", "lundon"], "did you mean london"),
        (["list", "lundon"], "did you mean london"),
        (["inspect", "."], "no mapping.yaml"),
        (["fetch", "."], "already here"),
        (["fetch", "hub:owner/name"], "not pinned"),
    ],
)
def test_mistakes_exit_with_2_at_once_and_say_how_to_mend(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQUILUX_CACHE", str(tmp_path / "cache"))
    start = time.monotonic()
    code, _, err = invoke(capsys, monkeypatch, "data", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert time.monotonic() - start < 10
