"""Files appear whole or not at all, and a disk that says no is told by its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import StoreError
from benchmark.files import atomic_file, need_folder, write_text


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"

    def fails() -> None:
        with atomic_file(path) as stream:
            stream.write(b"half of it")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fails()
    assert list(path.parent.iterdir()) == []
    write_text(path, "all of it")
    assert path.read_text(encoding="utf-8") == "all of it"


def test_a_folder_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    need_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("below", ["", "runs/today"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(StoreError, match="file is a file, not a folder") as found:
        need_folder(blocker / below)
    assert "--runs" in str(found.value)


def test_a_disk_that_takes_no_files_says_why() -> None:
    with pytest.raises(StoreError, match="cannot write: No such file"):
        need_folder(Path("/proc/nowhere"))
