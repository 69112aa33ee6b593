"""``list enhancers`` says which systems lack weights, and how to get them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.files import sha256_of_file
from benchmark.registry import Entry
from benchmark.weights import WEIGHTS


def listed() -> dict[str, str | None]:
    result = CliRunner().invoke(app, ["list", "enhancers", "--json"])
    assert result.exit_code == 0, result.output
    return {row["name"]: row["mend"] for row in json.loads(result.output)}


def test_systems_without_weights_name_the_commands_that_bring_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    rows = listed()
    assert rows["gamma"] is None
    assert rows["curve"] is None
    assert rows["zero-dce"] == "python -m benchmark weights fetch zero-dce"
    assert str(rows["retinexnet"]).count("weights fetch") == 2
    weight = WEIGHTS.get("zero-dce")
    path = tmp_path / weight.file
    path.write_bytes(b"tensors")
    assert listed()["zero-dce"] is not None
    declared = replace(weight, sha256=(sha256_of_file(path),))
    monkeypatch.setitem(WEIGHTS._entries, "zero-dce", Entry("zero-dce", declared, "", "test"))
    assert listed()["zero-dce"] is None


def test_showing_a_system_says_what_it_has_seen() -> None:
    result = CliRunner().invoke(app, ["show", "enhancers", "ruas-lol", "--json"])
    details = json.loads(result.output)
    assert details["seen"].startswith("lol-v1: saw its images without references")
    assert details["licence"] == "LicenseRef-none-stated"
