"""What ``--data`` may say: a folder, Parquet files, a saved dataset, or a dataset of the Hub.

photographs/                      a folder with a table, a pattern of names or class folders
people.parquet, shards/           Parquet files with the images inside or beside
saved/#test                       what ``datasets.save_to_disk`` wrote, and which split
hub:owner/name@REVISION#conf/val  a pinned revision of the Hub; see ``data fetch``
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.errors import DataError
from benchmark.paths import cache_root

Kind = Literal["folder", "parquet", "saved", "hub"]

_HUB = re.compile(
    r"hub:(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(#((?P<config>[^/#]+)/)?(?P<split>[^/#]+))?"
)
_MOVING = {"main", "master", "HEAD", "dev"}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")


@dataclass(frozen=True)
class Reference:
    """Where data are.

    Attributes:
        kind: how they are to be opened.
        path: absolute; for the Hub, the folder that ``data fetch`` fills.
        split: of a dataset that has several.
        config: of a dataset of the Hub.
        repo: ``owner/name`` on the Hub.
        revision: commit or tag.
    """

    kind: Kind
    path: Path
    split: str | None = None
    config: str | None = None
    repo: str = ""
    revision: str = ""

    def __str__(self) -> str:
        part = "/".join(word for word in (self.config, self.split) if word)
        place = f"hub:{self.repo}@{self.revision}" if self.kind == "hub" else str(self.path)
        return f"{place}#{part}" if part else place


def parse_reference(text: str) -> Reference:
    """Understand a reference; looks at the disk, never at the network.

    Raises:
        DataError: if it is malformed, not pinned, an archive, or not there.
    """
    if text.startswith("hub:"):
        return _hub(text)
    path, split = Path(text), None
    if not path.exists() and "#" in text:
        before, _, split = text.rpartition("#")
        path = Path(before)
    path = path.expanduser().resolve()
    if path.name.lower().endswith(_ARCHIVES):
        raise DataError(
            "an archive is not read", where=str(path), mend="unpack it and name the folder"
        )
    if path.is_file() and path.suffix == ".parquet":
        return Reference("parquet", path, split)
    if not path.is_dir():
        raise DataError(
            "this is a file" if path.exists() else "no such folder",
            where=str(path),
            mend="--data wants a folder, Parquet files, a saved dataset or hub:owner/name@revision",
        )
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return Reference("saved", path, split)
    if next(path.glob("*.parquet"), None) is not None and not (path / "metadata.csv").is_file():
        return Reference("parquet", path, split)
    return Reference("folder", path, split)


def _hub(text: str) -> Reference:
    found = _HUB.fullmatch(text)
    if found is None:
        raise DataError(
            "not a reference to the Hub", where=text, mend="write hub:owner/name@revision#split"
        )
    repo, revision = found["repo"], found["revision"] or ""
    if not revision or revision in _MOVING or revision.startswith("refs/"):
        raise DataError(
            f"the revision is not pinned: {revision or 'none'} can mean other images tomorrow",
            where=text,
            mend=f"name a commit or a tag: https://huggingface.co/datasets/{repo}/commits/main",
        )
    folder = f"{repo.replace('/', '--')}@{revision.replace('/', '--')}"
    path = cache_root() / "hub" / folder
    return Reference("hub", path, found["split"], found["config"], repo, revision)
