"""``leaderboards/results/<task>/<profile>-<number>/``: the committed aggregates of one run.

A folder holds ``result.json`` (the run's manifest as far as a report reads it, and digests), one
CSV a table with seven significant digits, and thumbnails. Rows of single samples stay out; their
table's digest is in. ``clusters.csv`` holds what every person, eye or scene of the *rendered*
probe got on average: without it systems of different runs could not be compared on the same ones.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import DataError
from benchmark.files import sha256_of_file
from benchmark.report.leaderboard.protocol import Protocol, protocol_of
from benchmark.report.manifest import Manifest
from benchmark.report.model import COLUMNS, RunView

FORMAT = 1
CLUSTERS = ("system", "arm", "seed", "metric", "group", "values")
#: Tables of a run that are committed where they have rows; samples never are.
TABLES = tuple(name for name in COLUMNS if name not in {"samples", "tiers", "strata"})
_TEXTS = frozenset(
    {
        *("system", "arm", "metric", "axis", "group", "best_group", "worst_group", "verdict"),
        *("reason", "size_class", "ci_method", "target", "baseline", "sentence", "protocol"),
        *("judge", "kind", "test", "features", "phantom", "structure", "values"),
    }
)
_MAX_BYTES = 50_000_000
_FOLDER = re.compile(r"([a-z]+)-(\d{4})")
_MEND = "add the run again: `python -m benchmark leaderboard add RUN`"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Thumbnail(_Strict):
    """Input, output and reference of one worst case side by side in one small picture."""

    system: str
    arm: str
    group: str
    metric: str
    value: float | None
    sample: str
    file: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,120}\.webp$")]


class Record(_Strict):
    """``result.json``, format 1.

    Attributes:
        number: entries of a task are numbered in the order in which they came.
        note: why it was added, in the words of whoever did.
        run_manifest: SHA-256 of the run's ``manifest.json``.
        files: SHA-256 of every other file of this folder.
        groups: names of the groups of the headline axis, as in ``clusters.csv``.
        clusters: who is in which column of ``clusters.csv``, for each group; "" is everybody.
        thumbnails: pictures of worst cases.
        manifest: the run's manifest, as far as reports read it.
    """

    format: Literal[1]
    number: int
    note: str
    run_manifest: str
    files: dict[str, str]
    clusters: dict[str, tuple[str, ...]]
    thumbnails: tuple[Thumbnail, ...]
    manifest: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A committed result in memory.

    Attributes:
        name: ``<task>/<profile>-<number>``.
        folder: where it lies.
        record: what ``result.json`` says.
        view: the run as reports see it, without samples and pictures.
        means: cluster means, columns as in :data:`CLUSTERS`.
        protocol: how it was measured.
    """

    name: str
    folder: Path
    record: Record
    view: RunView
    means: pd.DataFrame
    protocol: Protocol

    @property
    def number(self) -> int:
        """Position in the order of arrival within its task."""
        return self.record.number


def read_results(folder: Path) -> tuple[Result, ...]:
    """Every result under ``leaderboards/results``, by task and number.

    Raises:
        DataError: for anything that is damaged, edited or does not belong there.
    """
    found = [read_result(path) for path in sorted(folder.glob("*/*")) if path.is_dir()]
    by_number: dict[tuple[str, int], Result] = {}
    for result in found:
        key = (result.protocol.task, result.number)
        if key in by_number:
            raise DataError(
                f"two results have the number {result.number}: {by_number[key].name} "
                f"and {result.name}",
                where=str(folder),
                mend="remove the one that is not wanted",
            )
        by_number[key] = result
    return tuple(by_number[key] for key in sorted(by_number))


def read_result(folder: Path) -> Result:
    """One result, checked against its own digests and against its place.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    path = folder / "result.json"
    try:
        record = Record.model_validate_json(_bytes(path))
        manifest = Manifest.model_validate_json(json.dumps(record.manifest))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "(top level)"
        raise DataError(f"{key}: {first['msg']}", where=str(path), mend=_MEND) from error
    _check_place(folder, record, manifest)
    _check_files(folder, record)
    tables = {name: _table(folder, name, record) for name in TABLES}
    empty = {name: pd.DataFrame(columns=list(COLUMNS[name])) for name in set(COLUMNS) - set(TABLES)}
    view = RunView(
        folder=folder,
        manifest=manifest,
        digest=record.run_manifest,
        gallery=(),
        sanity=(),
        **tables,
        **empty,
    )
    means = _read_csv(folder / "clusters.csv", CLUSTERS)
    _check_means(folder, means, record)
    return Result(
        f"{folder.parent.name}/{folder.name}", folder, record, view, means, protocol_of(manifest)
    )


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV with seven significant digits; the same table gives the same text."""
    return table.to_csv(index=False, float_format="%.7g", lineterminator="\n")


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError("larger than 50 MB: not an aggregate", where=str(path), mend=_MEND)
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path), mend=_MEND) from error


def _check_place(folder: Path, record: Record, manifest: Manifest) -> None:
    match = _FOLDER.fullmatch(folder.name)
    said = (manifest.task.name, manifest.profile, record.number)
    if match is None or said != (folder.parent.name, match[1], int(match[2])):
        raise DataError(
            f"result.json is of {said[0]}, profile {said[1]}, number {said[2]}, "
            f"but lies at {folder.parent.name}/{folder.name}",
            where=str(folder),
            mend="put it back to where `leaderboard add` wrote it",
        )


def _check_files(folder: Path, record: Record) -> None:
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    strange = sorted(present - set(record.files) - {"result.json"})
    if strange:
        raise DataError(f"unknown file {strange[0]!r}", where=str(folder), mend="remove it")
    for name, digest in sorted(record.files.items()):
        path = folder / name
        if name not in present or path.is_symlink() or sha256_of_file(path) != digest:
            raise DataError(
                f"{name} is missing or is not the file that result.json names",
                where=str(folder),
                mend=_MEND,
            )


def _check_means(folder: Path, means: pd.DataFrame, record: Record) -> None:
    """Every row has a number for everyone in its group."""
    for group, values in zip(means["group"], means["values"], strict=True):
        try:
            count = len([float(value) for value in values.split()])
        except ValueError:
            count = -1
        if group not in record.clusters or count != len(record.clusters[group]):
            raise DataError(
                f"a row of group {group!r} does not have a number for every cluster",
                where=str(folder / "clusters.csv"),
                mend=_MEND,
            )


def _table(folder: Path, name: str, record: Record) -> pd.DataFrame:
    if f"{name}.csv" not in record.files:
        return pd.DataFrame(columns=list(COLUMNS[name]))
    return _read_csv(folder / f"{name}.csv", COLUMNS[name])


def _read_csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    numeric = {name: [""] for name in columns if name not in _TEXTS}
    texts: Mapping[str, type] = {name: str for name in columns if name in _TEXTS}
    try:
        table = pd.read_csv(
            io.BytesIO(_bytes(path)), keep_default_na=False, na_values=numeric, dtype=dict(texts)
        )
    except ValueError as error:  # pandas' parser errors are subclasses
        raise DataError(f"cannot be read: {error}", where=str(path), mend=_MEND) from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise DataError(f"columns are missing: {', '.join(missing)}", where=str(path), mend=_MEND)
    return table
