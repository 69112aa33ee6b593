"""Opening a reference: a table of text, one row per picture, and the pictures behind its cells.

Parquet files, saved datasets and datasets of the Hub are read by Hugging Face ``datasets``, without
decoding a picture. A folder is listed here: any table, any naming, and a broken file costs its row
alone. No code that comes with data is ever executed, and no path may leave its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any

import pandas as pd

from benchmark.data.references import Reference
from benchmark.errors import DataError
from benchmark.files import content_key, sha256_of_file
from benchmark.paths import cache_root
from benchmark.spec.mapping import MappingSpec, Table

#: Columns of rows that come from the names of files.
FILE_NAME, CLASS = "file_name", "label"

_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".webp", ".jp2"}
)
_SHARD = re.compile(r"(?P<split>\w+)-\d+(-of-\d+)?\.parquet")


@dataclass(frozen=True)
class Source:
    """Rows and their pictures.

    Attributes:
        table: text; the index counts the rows from 0.
        root: folder that paths in cells are relative to.
        embedded: a dataset for each column whose cells hold the picture itself.
        identity: of the content, where it is known without reading every picture; else empty.
        unnamed: pictures in the folder that the pattern passed over.
    """

    table: pd.DataFrame
    root: Path
    embedded: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""
    unnamed: tuple[str, ...] = ()

    def picture(self, column: str, row: int, cell: str) -> Path | bytes:
        """Where the picture of a row is, or its bytes.

        Args:
            column: of the table.
            row: counted from 0.
            cell: what the mapping made of the cell: a path, if the picture is not embedded.

        Raises:
            DataError: if the path leaves the folder.
        """
        if column not in self.embedded:
            return inside(self.root, cell)
        inner = self.embedded[column][row][column] or {}
        if inner.get("bytes") is not None:
            return bytes(inner["bytes"])
        return inside(self.root, inner.get("path") or "")


def open_source(reference: Reference, mapping: MappingSpec) -> Source:
    """Open a reference; reads names and tables, decodes nothing.

    Raises:
        DataError: if it is not there or not what it says it is.
    """
    if reference.kind == "folder":
        if reference.split:
            raise DataError(
                "a folder has no splits",
                where=str(reference),
                mend="leave the # part out; split: in the mapping chooses rows by a column",
            )
        return _folder(reference.path, mapping)
    if mapping.table is not None or mapping.pattern is not None:
        raise DataError(
            f"the mapping {mapping.name} wants a folder of files, this is a dataset",
            where=str(reference),
            mend="a mapping for a dataset names its columns and has no table and no pattern",
        )
    return _from_dataset(reference, mapping)


def inside(root: Path, name: str) -> Path:
    """The file that a cell names, symbolic links followed.

    Raises:
        DataError: if it is not in the folder.
    """
    if "\0" in name:
        raise DataError(f"not a path: {name!r}", where=str(root))
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise DataError(
            f"the path {name!r} leaves the folder",
            where=str(root),
            mend="paths must be relative and stay inside, and so must what a link points to",
        )
    return path


def _folder(root: Path, mapping: MappingSpec) -> Source:
    if mapping.pattern is not None:
        table = _matched(root, mapping.pattern)
        passed = sorted({*_pictures(root)} - set(table[FILE_NAME]))
        return Source(table, root, unnamed=tuple(passed))
    if mapping.table is None and not (root / "metadata.csv").is_file():
        return Source(_class_folders(root), root)
    return Source(_read_table(root, mapping.table or Table(file="metadata.csv")), root)


def _read_table(root: Path, spec: Table) -> pd.DataFrame:
    path = inside(root, spec.file)
    options: dict[str, Any] = {"names": spec.header, "skiprows": 1} if spec.header else {}
    separator = r"\s+" if spec.separator == "space" else spec.separator
    try:
        table: pd.DataFrame = pd.read_csv(
            path,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
            **options,
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the table: {error}",
            where=str(path),
            mend="--data wants a folder that holds the table named in the mapping",
        ) from error
    return table.fillna("")


def _matched(root: Path, pattern: str) -> pd.DataFrame:
    """Rows from the names of files: every place of the pattern is a column."""
    groups: dict[str, str] = {}
    expression = ""
    for literal, name, _, _ in Formatter().parse(pattern):
        expression += re.escape(literal)
        if name is not None:
            known = name in groups
            group = groups.setdefault(name, f"g{len(groups)}")
            expression += f"(?P={group})" if known else f"(?P<{group}>[^/]+?)"
    compiled = re.compile(expression)
    found = [(name, match) for name in _files(root) if (match := compiled.fullmatch(name))]
    if not found:
        raise DataError(
            f"no file is named like {pattern}",
            where=str(root),
            mend="name the folder that the pattern starts in: see the recipe in docs/data.md",
        )
    columns = {place: [match[group] for _, match in found] for place, group in groups.items()}
    return pd.DataFrame({FILE_NAME: [name for name, _ in found], **columns}, dtype=str)


def _class_folders(root: Path) -> pd.DataFrame:
    """The form that ``datasets`` calls imagefolder: the folder of a picture is its label."""
    names = _pictures(root)
    if not names:
        raise DataError(
            "neither metadata.csv nor any picture",
            where=str(root),
            mend="see docs/data.md for the forms of data that can be read",
        )
    labels = [PurePosixPath(name).parent.name or root.name for name in names]
    return pd.DataFrame({FILE_NAME: names, CLASS: labels}, dtype=str)


def _pictures(root: Path) -> list[str]:
    return [name for name in _files(root) if PurePosixPath(name).suffix.lower() in _SUFFIXES]


def _files(root: Path) -> list[str]:
    found = []
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        start = Path(folder).relative_to(root)
        found += [(start / name).as_posix() for name in files if not name.startswith(".")]
    return sorted(found)


def _from_dataset(reference: Reference, mapping: MappingSpec) -> Source:
    import datasets

    datasets.disable_progress_bars()
    identity = ""
    match reference.kind:
        case "parquet":
            files = _shards(reference.path, "*.parquet")
            identity = content_key([sha256_of_file(path) for path in files])
            dataset = _load(reference, "parquet", data_files=_splits(files))
            root = reference.path if reference.path.is_dir() else reference.path.parent
        case "saved":
            dataset = _open(reference, lambda: datasets.load_from_disk(str(reference.path)))
            root = reference.path
            files = _shards(reference.path, "*.arrow")
            identity = content_key([sha256_of_file(path) for path in files], reference.split)
        case _:
            from benchmark.data.hub import fetched_commit

            identity = content_key(reference.repo, fetched_commit(reference), str(reference))
            dataset = _load(reference, str(reference.path), name=reference.config)
            root = reference.path
    dataset = _one_split(dataset, reference)
    return _as_source(dataset, mapping, root=root, identity=identity)


def _shards(path: Path, form: str) -> list[Path]:
    return sorted(path.rglob(form)) if path.is_dir() else [path]


def _splits(files: list[Path]) -> dict[str, list[str]]:
    """Shards by split, where all are named as ``datasets`` names them; else all as one."""
    splits: dict[str, list[str]] = {}
    named = [_SHARD.fullmatch(path.name) for path in files]
    for path, name in zip(files, named, strict=True):
        split = name["split"] if name is not None and all(named) else "rows"
        splits.setdefault(split, []).append(str(path))
    return splits


def _load(reference: Reference, what: str, **options: Any) -> Any:
    import datasets

    cache = str(cache_root() / "datasets")
    return _open(reference, lambda: datasets.load_dataset(what, cache_dir=cache, **options))


def _open(reference: Reference, opener: Any) -> Any:
    import pyarrow as pa
    from datasets.exceptions import DatasetsError

    try:
        return opener()
    except (DatasetsError, pa.ArrowException, OSError, ValueError, RuntimeError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise DataError(
            f"datasets cannot read it: {reason[0] if reason else type(error).__name__}",
            where=str(reference),
            mend="check that the files are complete and are what the reference says",
        ) from error


def _one_split(dataset: Any, reference: Reference) -> Any:
    if not isinstance(dataset, dict):
        if reference.split:
            raise DataError(
                "the dataset has no splits", where=str(reference), mend="leave the # part out"
            )
        return dataset
    wanted = reference.split or (next(iter(dataset)) if len(dataset) == 1 else None)
    if wanted not in dataset:
        raise DataError(
            f"no split {wanted!r}" if wanted else "several splits and none is chosen",
            where=str(reference),
            mend=f"add # and one of {', '.join(dataset)}",
        )
    return dataset[wanted]


def _as_source(dataset: Any, mapping: MappingSpec, *, root: Path, identity: str) -> Source:
    """Text of every plain column, and the columns of pictures undecoded."""
    import datasets
    import pyarrow as pa

    pictures = set(mapping.pictures()) & set(dataset.features)
    embedded, text = {}, {}
    for name, feature in dataset.features.items():
        kind = getattr(feature, "dtype", "")
        if name in pictures and (isinstance(feature, datasets.Image | dict) or kind == "binary"):
            undecoded = dataset.select_columns(name).cast_column(name, datasets.Image(decode=False))
            embedded[name] = undecoded
            text[name] = [f"row {row:06d}" for row in range(len(dataset))]
            continue
        if isinstance(feature, datasets.ClassLabel):
            codes = list(dataset[name])
            text[name] = ["" if code is None or code < 0 else feature.names[code] for code in codes]
        elif isinstance(feature, datasets.Value) and "binary" not in kind:
            column = dataset.select_columns(name).with_format("arrow")[:].column(name)
            text[name] = column.cast(pa.string()).fill_null("").to_pylist()
    return Source(pd.DataFrame(text, dtype=str), root, embedded, identity)
