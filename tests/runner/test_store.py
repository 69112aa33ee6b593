"""The store hands out complete, undamaged entries or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import StoreError
from benchmark.runner.store import Store


def fill(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "a.bin").write_bytes(b"abc")
    (folder / "sub" / "b.bin").write_bytes(b"def")


def test_build_then_find(tmp_path: Path) -> None:
    built = Store(tmp_path).build("score", "k1", fill)
    found = Store(tmp_path).find("score", "k1")
    assert found == built
    assert (built / "sub" / "b.bin").read_bytes() == b"def"
    assert Store(tmp_path).find("score", "k2") is None


@pytest.mark.parametrize("damage", ["change", "remove", "index", "no index", "index type"])
def test_a_damaged_entry_is_absent_and_rebuilt(tmp_path: Path, damage: str) -> None:
    folder = Store(tmp_path).build("score", "k", fill)
    match damage:
        case "change":
            (folder / "a.bin").write_bytes(b"abd")
        case "remove":
            (folder / "sub" / "b.bin").unlink()
        case "index":
            (folder / "entry.json").write_text("{", encoding="utf-8")
        case "no index":
            (folder / "entry.json").unlink()
        case "index type":
            (folder / "entry.json").write_text("[]", encoding="utf-8")
    store = Store(tmp_path)
    assert store.find("score", "k") is None
    store.build("score", "k", fill)
    assert (Store(tmp_path).find("score", "k") or tmp_path).joinpath("a.bin").read_bytes() == b"abc"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half.bin").write_bytes(b"x")
        raise RuntimeError("killed")

    store = Store(tmp_path)
    with pytest.raises(RuntimeError):
        store.build("train", "k", fails)
    assert store.find("train", "k") is None
    assert list((tmp_path / "train").iterdir()) == []


def test_of_two_that_build_one_entry_the_first_wins(tmp_path: Path) -> None:
    def slow(folder: Path) -> None:
        Store(tmp_path).build("score", "k", fill)
        (folder / "a.bin").write_bytes(b"late")

    built = Store(tmp_path).build("score", "k", slow)
    assert (built / "a.bin").read_bytes() == b"abc"  # somebody may be reading it
    assert [path.name for path in (tmp_path / "score").iterdir()] == ["k"]


def test_an_unwritable_root_is_a_clear_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="EQUILUX_CACHE"):
        Store(blocker).build("train", "k", fill)


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        Store(tmp_path).build("train", "k", full)
    assert list((tmp_path / "train").iterdir()) == []


def test_what_has_to_be_there_is_handed_out_or_said_to_be_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    built = store.build("score", "k", fill)
    assert store.require("score", "k") == built
    with pytest.raises(StoreError, match="score/other is not in the store"):
        store.require("score", "other")
