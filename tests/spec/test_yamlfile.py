"""Strictness and addresses of the YAML reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import SpecError
from benchmark.spec.mapping import MappingSpec
from benchmark.spec.yamlfile import Spec, read_spec


class Inner(Spec):
    count: int
    label: str = "x"


class Outer(Spec):
    name: str
    items: list[Inner] = []


def write(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_what_it_should(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, "name: a\nitems:\n  - {count: 2}\n"), Outer)
    assert spec == Outer(name="a", items=[Inner(count=2)])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: a\nitems:\n  - count: two\n", 3, "valid integer"),
        ("name: a\nitems:\n  - count: 1\n    lable: b\n", 4, "did you mean 'label'?"),
        ("nmae: a\n", 1, "did you mean 'name'?"),
        ("items: []\n", 1, "name: this key is required"),
        ("name: a\nname: b\n", 2, "given twice"),
        ("name: [a\n", 2, "not valid YAML"),
        ("name: &x a\nitems: []\n", 1, "anchors and aliases"),
        ("name: 3\n", 1, "valid string"),
        ("name: !!python/object:os.system a\n", 1, "cannot read the value"),
    ],
)
def test_complains_with_the_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        read_spec(path, Outer)
    assert f"{path}:{line}" in str(caught.value)
    assert message in str(caught.value)


def test_reports_all_problems_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="2 problems"):
        read_spec(write(tmp_path, "name: 1\nitems:\n  - count: x\n"), Outer)


def test_refuses_expansion_bombs_and_huge_or_empty_files(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nname: *b\n"
    with pytest.raises(SpecError, match="anchors"):
        read_spec(write(tmp_path, bomb), Outer)
    with pytest.raises(SpecError, match="larger than 1 MB"):
        read_spec(write(tmp_path, "name: " + "x" * 1_000_001), Outer)
    with pytest.raises(SpecError, match="empty"):
        read_spec(write(tmp_path, "# nothing\n"), Outer)
    for deep in ("[" * 60 + "]" * 60, "[" * 5000 + "]" * 5000, "{a: " * 3000 + "1" + "}" * 3000):
        with pytest.raises(SpecError, match="nested deeper"):
            read_spec(write(tmp_path, "name: " + deep), Outer)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        read_spec(tmp_path / "absent.yaml", Outer)
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: \xe9\n")
    with pytest.raises(SpecError, match="UTF-8"):
        read_spec(path, Outer)


def test_a_guessed_label_is_not_an_axis(tmp_path: Path) -> None:
    text = """
format: 2
name: mine
title: Mine
licence: CC0-1.0
source: here
image: file
identity: who
gallery: {column: view, value: front}
headline_axis: race
axes:
  - {column: race, role: sensitive, source: predicted}
"""
    with pytest.raises(SpecError, match="cannot be role: sensitive"):
        read_spec(write(tmp_path, text), MappingSpec)
