"""Registry: laziness, collisions, did-you-mean, plug-ins."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from benchmark import registry as module
from benchmark.errors import EquiluxError, UnknownNameError
from benchmark.registry import Registry


def test_lazy_targets_are_imported_on_use() -> None:
    things: Registry[object] = Registry("thing", group="equilux.none")
    things.add("path", "pathlib:Path", summary="a path")
    things.add("direct", 3, summary="three")
    from pathlib import Path

    assert things.get("path") is Path
    assert things.get("direct") == 3
    assert things.names() == ("direct", "path")
    assert [entry.summary for entry in things] == ["three", "a path"]
    assert "path" in things
    assert "other" not in things


def test_a_wrong_name_gets_suggestions() -> None:
    things: Registry[int] = Registry("enhancer", group="equilux.none")
    things.add("gamma", 1, summary="")
    with pytest.raises(UnknownNameError, match="did you mean gamma"):
        things.get("gama")
    with pytest.raises(UnknownNameError, match="known: gamma"):
        things.get("zzz")


def test_a_name_is_taken_once() -> None:
    things: Registry[int] = Registry("loss", group="equilux.none")
    things.add("a", 1, summary="")
    with pytest.raises(EquiluxError, match=r"two losss? want the name"):
        things.add("a", 2, summary="")


def test_a_broken_target_says_where_from() -> None:
    things: Registry[int] = Registry("judge", group="equilux.none")
    things.add("gone", "no_such_module_at_all:x", summary="")
    with pytest.raises(EquiluxError, match="no_such_module_at_all"):
        things.get("gone")


def test_entry_points_register(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("plug", "pathlib:PurePath", "equilux.test")
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    things: Registry[object] = Registry("thing", group="equilux.test")
    from pathlib import PurePath

    assert things.names() == ("plug",)
    assert things.get("plug") is PurePath
