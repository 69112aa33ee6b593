"""Writing a run as an evidence bundle, and checking one.

    bundle.zip
      SHA256SUMS          digests of all other files; `sha256sum -c SHA256SUMS` checks them
      README.txt          what this is
      manifest.json       what the run says about itself, with the digests that it recorded
      specification.json  the task as it was
      *.parquet           per-sample rows and aggregates
      report.html, figures/, gallery/

Checking recomputes: the tables of group means, gaps, effects, ranks and outcomes follow from the
per-sample rows and the settings in the manifest, so they are computed again and compared. Tables
that need the pictures (whom outputs still show, distances of distributions, the null test) and the
per-sample rows themselves are only held to their digests. The report and its figures are drawn
after a run has ended and can be drawn again, so the run vouches for neither. :class:`Verification`
says which is which.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmark.errors import DataError
from benchmark.evidence.archive import pack, unpack
from benchmark.files import write_bytes
from benchmark.report.model import load_run

_SUMS = "SHA256SUMS"
_ADDED = frozenset({_SUMS, "README.txt", "specification.json"})
_DRAWN = re.compile(r"report\.html|figures/[^/]+\.(svg|png)")
_README = """\
An evidence bundle of the Equilux benchmark: one finished run.

  sha256sum -c SHA256SUMS                          checks that no file was changed
  python -m benchmark bundle verify THIS_FILE.zip  checks that too, and computes the aggregates
                                                   again from the rows of samples.parquet

manifest.json says what was measured, with what, and under which settings. What a digest cannot
say is who made the bundle: compare the digest of the whole file with one from a place you trust.
"""
#: Written for people from numbers that are compared themselves.
_PROSE = frozenset({"sentence", "reason"})
#: More than any run has, less than what fills a machine: a small file can claim to hold anything.
_MOST_VALUES, _MOST_REPLICATES = 200_000_000, 100_000
#: Another machine adds in another order.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9


@dataclass(frozen=True)
class Verification:
    """What checking a bundle found.

    Attributes:
        run_id: which run.
        sha256: digest of the whole file, to be compared with a published one.
        n_files: how many files it holds.
        recomputed: tables that follow from the per-sample rows.
        by_digest: tables that were held to their digest only.
        drawn: pages and figures that the run's own digests do not cover.
        problems: everything that is not as it should be; empty if the bundle holds.
    """

    run_id: str
    sha256: str
    n_files: int
    recomputed: tuple[str, ...]
    by_digest: tuple[str, ...]
    drawn: tuple[str, ...]
    problems: tuple[str, ...]


def write_bundle(run: str | Path, target: str | Path | None = None) -> Path:
    """Write a finished run as one archive; the same run gives the same bytes.

    Args:
        run: a finished run.
        target: the file; ``<run_id>.zip`` beside the run folder if None.

    Raises:
        DataError: if the run is unfinished, or a file is not the one that its manifest names.
        StoreError: if the file cannot be written.
    """
    run = Path(run)
    view = load_run(run)
    manifest = _manifest((run / "manifest.json").read_bytes())
    files = {name: (run / name).read_bytes() for name in _members(run, manifest)}
    damaged = [*_recorded(manifest, files)]
    if damaged:
        raise DataError(
            damaged[0], where=str(run), mend="run it again: it rebuilds what is damaged"
        )
    target = Path(target) if target else run.parent / f"{view.manifest.run_id}.zip"
    write_bytes(target, pack(_with_sums(files)))
    return target


def verify_bundle(file: str | Path) -> Verification:
    """Check every digest and compute the aggregates again.

    Raises:
        DataError: if the file is no bundle, or its archive was tampered with.
    """
    path = Path(file)
    files = unpack(path)
    if "manifest.json" not in files or _SUMS not in files:
        raise DataError(f"holds no manifest.json or no {_SUMS}", where=str(path))
    manifest = _manifest(files["manifest.json"])
    problems = [*_sums_differ(files), *_recorded(manifest, files)]
    problems += [f"{name} is no file of a run" for name in sorted(_strangers(manifest, files))]
    if files.get("specification.json") != _specification(manifest):
        problems.append("specification.json is not the specification of the manifest")
    recomputed: tuple[str, ...] = ()
    if not problems:
        recomputed, found = _aggregates(manifest, files)
        problems += found
    tables = sorted(name.removesuffix(".parquet") for name in files if name.endswith(".parquet"))
    return Verification(
        str(manifest.get("run_id", "")),
        hashlib.sha256(path.read_bytes()).hexdigest(),
        len(files),
        recomputed,
        tuple(name for name in tables if name not in recomputed),
        tuple(sorted(filter(_DRAWN.fullmatch, files))),
        tuple(problems),
    )


def _members(run: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """The files of a run; links, hidden files and what somebody has put beside them stay out."""
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and not path.is_symlink() and not _strangers(manifest, [name]):
            yield name


def _strangers(manifest: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Names that neither the run has recorded, nor the report, nor this module has added."""
    known = {"manifest.json", *_ADDED, *manifest["files"]}
    return {name for name in names if name not in known and not _DRAWN.fullmatch(name)}


def _with_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    whole = {
        **files,
        "README.txt": _README.encode(),
        "specification.json": _specification(_manifest(files["manifest.json"])),
    }
    return {**whole, _SUMS: _sums(whole)}


def _sums(files: Mapping[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return "".join(lines).encode()


def _sums_differ(files: Mapping[str, bytes]) -> Iterator[str]:
    rest = {name: content for name, content in files.items() if name != _SUMS}
    told, found = (set(text.decode("utf-8", "replace").splitlines())
                   for text in (files[_SUMS], _sums(rest)))  # fmt: skip
    for line in sorted(found - told):
        yield f"{line.partition('  ')[2]} is not the file that {_SUMS} names"
    for line in sorted(told - found):
        name = line.partition("  ")[2]
        if name not in rest:
            yield f"{name!r} is missing"
    if files[_SUMS] != _sums(rest) and found == told:
        yield f"{_SUMS} was rearranged"


def _recorded(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    """Files that are not those whose digests the run recorded when it ended."""
    for name, digest in sorted(manifest["files"].items()):
        if name not in files:
            yield f"{name}, which the manifest names, is missing"
        elif hashlib.sha256(files[name]).hexdigest() != digest:
            yield f"{name} is not the file that the run wrote"


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where="manifest.json") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise DataError("not the manifest of a run", where="manifest.json")
    return manifest


def _specification(manifest: Mapping[str, Any]) -> bytes:
    content = manifest.get("specification", {})
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _aggregates(
    manifest: Mapping[str, Any], files: Mapping[str, bytes]
) -> tuple[tuple[str, ...], list[str]]:
    """Names of the tables that were computed again, and where they differ."""
    from benchmark.runner.sets import outcome_table
    from benchmark.runner.statistics import analyse_samples

    settings = manifest.get("analysis")
    if not settings:
        return (), ["the manifest does not say how its aggregates were computed: run it again"]
    samples = _table(files, "samples")
    try:
        if int(settings["replicates"]) > _MOST_REPLICATES:
            return (), [f"{settings['replicates']} replicates: no run has more than 100,000"]
        tables = analyse_samples(samples, settings)
        outcomes = outcome_table(samples, settings)
    # the settings are somebody else's: whatever does not fit the rows is a finding
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        return (), [f"the settings of the manifest do not fit samples.parquet: {why}"]
    if outcomes is not None:
        tables["outcomes"] = outcomes
    problems = []
    for name, table in tables.items():
        if f"{name}.parquet" not in files:
            problems.append(f"{name}.parquet is missing")
            continue
        told = _table(files, name)
        problems += [f"{name}.parquet: {text}" for text in _differences(told, table)]
    return tuple(sorted(tables)), problems


def _table(files: Mapping[str, bytes], name: str) -> pd.DataFrame:
    """A table of the bundle, of a size that a run can have.

    Raises:
        DataError: if it is missing, unreadable, or claims more values than fit.
    """
    file = f"{name}.parquet"
    if file not in files:
        raise DataError("is missing", where=file)
    try:
        shape = pq.ParquetFile(io.BytesIO(files[file])).metadata
        if shape.num_rows * shape.num_columns > _MOST_VALUES:
            raise DataError(f"{shape.num_rows} rows: no run has as many", where=file)
        return pd.read_parquet(io.BytesIO(files[file]))
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        raise DataError(f"cannot be read: {error}", where=file) from error


def _differences(told: pd.DataFrame, computed: pd.DataFrame) -> Iterator[str]:
    """Where a table is not what its samples give, one line for each column."""
    if list(told.columns) != list(computed.columns) or len(told) != len(computed):
        yield f"{len(told)} rows, the samples give {len(computed)}, or other columns"
        return
    for column in told.columns:
        if column in _PROSE:
            continue
        one, two = told[column], computed[column]
        if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(two):
            same = np.isclose(
                one.to_numpy(dtype=np.float64, na_value=np.nan),
                two.to_numpy(dtype=np.float64, na_value=np.nan),
                rtol=_RELATIVE,
                atol=_ABSOLUTE,
                equal_nan=True,
            )
        else:
            same = (one.astype(object).fillna("") == two.astype(object).fillna("")).to_numpy()
        if not same.all():
            row = int((~same).argmax())
            yield f"{column} of row {row} is {one.iloc[row]}, the samples give {two.iloc[row]}"
