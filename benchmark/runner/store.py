"""The content-addressed store of stage results.

An entry is a folder ``<stage>/<key>/`` whose ``entry.json`` lists every file with its SHA-256 and
is written last. An entry without it, or with a file that does not match, is treated as absent and
rebuilt. Entries are built in a temporary folder and renamed, so two processes that build the same
one do no harm: the first to finish wins and the other's work is dropped.

Trade-off: digests are checked once per process and entry, which costs a read of the files; a file
that is damaged while a process is using it is found by the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import StoreError
from benchmark.files import cannot_write, sha256_of_file, write_json

_INDEX = "entry.json"


@dataclass
class Store:
    """Stage results under one root folder."""

    root: Path
    rebuilt: list[str] = field(default_factory=list)
    _verified: set[Path] = field(default_factory=set)

    def find(self, stage: str, key: str) -> Path | None:
        """The folder of a complete, undamaged entry, or None; damaged ones are removed."""
        folder = self.root / stage / key
        if folder in self._verified:
            return folder
        index = folder / _INDEX
        if not index.is_file():
            return None
        if not self._intact(folder, index):
            self.rebuilt.append(f"{stage}/{key}")
            shutil.rmtree(folder, ignore_errors=True)
            return None
        self._verified.add(folder)
        return folder

    def require(self, stage: str, key: str) -> Path:
        """The folder of an entry that has to be there.

        Raises:
            StoreError: if it is not, or is damaged.
        """
        folder = self.find(stage, key)
        if folder is None:
            raise StoreError(
                f"the result {stage}/{key} is not in the store",
                where=str(self.root),
                mend="run the same command again: what is missing is rebuilt",
            )
        return folder

    def build(self, stage: str, key: str, fill: Callable[[Path], None]) -> Path:
        """Let ``fill`` write the files of a new entry and give it its name when it returns.

        Raises:
            StoreError: if the disk is full or the root cannot be written to.
        """
        target = self.root / stage / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".tmp-"))
        except OSError as error:
            raise cannot_write(target, error) from error
        try:
            fill(work)
            files = sorted(p for p in work.rglob("*") if p.is_file())
            digests = {p.relative_to(work).as_posix(): sha256_of_file(p) for p in files}
            write_json(work / _INDEX, {"format": 1, "files": digests})
            if self.find(stage, key) is None:  # no other process was faster
                shutil.rmtree(target, ignore_errors=True)
                work.replace(target)
        except OSError as error:
            if self.find(stage, key) is None:
                raise cannot_write(target, error) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._verified.add(target)
        return target

    def scratch(self, stage: str, key: str) -> Path:
        """A folder for checkpoints of an entry under construction; survives a killed process.

        Raises:
            StoreError: if the root cannot be written to.
        """
        folder = self.root / stage / f".scratch-{key}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder

    def drop_scratch(self, stage: str, key: str) -> None:
        """Remove the checkpoints of an entry that is complete."""
        shutil.rmtree(self.root / stage / f".scratch-{key}", ignore_errors=True)

    def size(self) -> int:
        """Bytes on disk, everything counted."""
        return sum(
            os.lstat(Path(folder) / name).st_size
            for folder, _, names in os.walk(self.root)
            for name in names
        )

    @staticmethod
    def _intact(folder: Path, index: Path) -> bool:
        try:
            files = json.loads(index.read_text(encoding="utf-8"))["files"]
            return all(sha256_of_file(folder / name) == digest for name, digest in files.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False
