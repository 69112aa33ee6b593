"""A finished run, read strictly from its folder: what every view of a report starts from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from benchmark.errors import DataError
from benchmark.files import sha256_of_file
from benchmark.report.manifest import (
    GalleryItem,
    Manifest,
    MetricRecord,
    SanityRecord,
    SystemRecord,
)

#: Columns that a report reads; a table may have more.
COLUMNS: dict[str, tuple[str, ...]] = {
    "samples": ("system", "arm", "seed", "sample", "cluster", "status"),
    "groups": (
        *("system", "arm", "metric", "axis", "group", "n_items", "n_clusters", "mean"),
        *("ci_low", "ci_high", "ci_method", "sd", "p10", "failures", "coverage"),
        *("size_class", "worst_frequency", "mde"),
    ),
    "gaps": (
        *("system", "arm", "metric", "axis", "best_group", "worst_group", "gap"),
        *("ci_low", "ci_high", "null_mean", "null_p95", "excess", "p_value", "p_holm"),
        *("family_size", "v_dc", "noise_share", "worst_frequency", "mde", "verdict", "reason"),
    ),
    "tiers": (
        *("metric", "axis", "target", "system", "arm", "n_seeds", "value", "tier", "rank"),
        *("rank_low", "rank_high"),
    ),
    "strata": (
        *("system", "arm", "metric", "axis", "context", "stratum", "n_groups", "gap"),
        *("null_mean", "skipped", "reversal"),
    ),
    "effects": (
        *("system", "metric", "axis", "target", "arm", "baseline", "n_seeds", "effect"),
        *("ci_low", "ci_high", "p_value", "p_holm", "family_size", "verdict", "sentence"),
    ),
    "outcomes": (
        *("system", "arm", "axis", "group", "protocol", "judge", "n", "n_clusters"),
        *("accuracy_input", "accuracy", "accuracy_reference", "delta", "delta_low", "delta_high"),
        *("worse", "better", "mcnemar_p", "p_holm", "harm_rate", "harm_n", "help_rate", "help_n"),
        *("net", "recovery", "ece", "ece_n"),
    ),
    "representation": (
        *("system", "arm", "judge", "axis", "group", "n", "hits", "hit", "hit_low", "hit_high"),
        *("ceiling", "hit_relative", "corrected", "corrected_low", "corrected_high"),
        *("judged_share", "test_share", "flip_rate", "drift"),
    ),
    "divergences": (
        *("system", "arm", "judge", "axis", "kind", "chi2", "chi2_corrected", "cheb", "tv"),
        *("tv_l1", "kl", "js", "test", "statistic", "p_value", "n", "reason"),
    ),
    "distribution": (
        *("system", "arm", "axis", "features", "group", "n", "kid", "ci_low", "ci_high", "reason"),
    ),
    "parity": (
        *("system", "arm", "axis", "features", "attribute_aware", "best_group", "worst_group"),
        *("gap", "v_dc", "disagreement", "reason"),
    ),
    "phantoms": (
        *("system", "arm", "seed", "phantom", "structure", "n", "invented", "ci_low", "ci_high"),
    ),
}

#: How the names of metrics begin that are made of a recogniser's answers.
_ANSWERS = ("accuracy", "confidence")
_REQUIRED = {"samples", "groups", "gaps", "effects"}
_INCOMPLETE = "run the same `python -m benchmark run` command again: it resumes and completes it"
_GALLERY = TypeAdapter(tuple[GalleryItem, ...])
_SANITY = TypeAdapter(tuple[SanityRecord, ...])
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class RunView:
    """A run folder in memory.

    Attributes:
        folder: where it was read from.
        manifest: what the run says about itself.
        digest: SHA-256 of ``manifest.json``, which in turn names the digests of all tables.
        samples, groups, gaps, effects: the tables that every run has.
        tiers, strata: the same numbers ranked, and within each context; may be empty.
        outcomes: right and wrong answers before and after, of a task with a recogniser.
        representation, divergences: whether outputs still show the group they came from.
        distribution, parity: distance of the outputs of each group from its clean images.
        phantoms: structure invented where there is none.
        gallery: worst cases, in the order of ``gallery/index.json``.
        sanity: self-tests of the metrics on this data.

    Tables that the task of a run does not have are empty.
    """

    folder: Path
    manifest: Manifest
    digest: str
    samples: pd.DataFrame
    groups: pd.DataFrame
    gaps: pd.DataFrame
    effects: pd.DataFrame
    tiers: pd.DataFrame
    strata: pd.DataFrame
    outcomes: pd.DataFrame
    representation: pd.DataFrame
    divergences: pd.DataFrame
    distribution: pd.DataFrame
    parity: pd.DataFrame
    phantoms: pd.DataFrame
    gallery: tuple[GalleryItem, ...]
    sanity: tuple[SanityRecord, ...]

    @cached_property
    def group_rows(self) -> Mapping[tuple[str, ...], list[dict[Hashable, Any]]]:
        """Rows of the group table by metric and axis."""
        return _rows_by(self.groups, ("metric", "axis"))

    @cached_property
    def gap_rows(self) -> Mapping[tuple[str, ...], list[dict[Hashable, Any]]]:
        """Rows of the gap table by metric and axis."""
        return _rows_by(self.gaps, ("metric", "axis"))

    @cached_property
    def effect_rows(self) -> Mapping[tuple[str, ...], list[dict[Hashable, Any]]]:
        """Rows of the effect table by system, arm, baseline and metric."""
        return _rows_by(self.effects, ("system", "arm", "baseline", "metric"))

    @cached_property
    def _present(self) -> Mapping[tuple[str, ...], list[dict[Hashable, Any]]]:
        """Which groups the tables know, by axis."""
        return _rows_by(self.groups[["axis", "group"]].drop_duplicates(), ("axis",))

    @cached_property
    def by_key(self) -> dict[tuple[str, str], SystemRecord]:
        """Systems by ``(system, arm)``, in the manifest's order."""
        return {record.key: record for record in self.manifest.systems}

    def tag(self, metric: MetricRecord) -> str:
        """``[frozen] `` before the name of what a recogniser answered, else nothing.

        Numbers of different protocols must never be taken for one another.
        """
        protocol = self.manifest.specification.get("protocol")
        return f"[{protocol}] " if protocol and metric.name.startswith(_ANSWERS) else ""

    def levels(self, axis: str) -> tuple[str, ...]:
        """Groups of ``axis`` in display order; levels that only the tables know come last.

        A crossing ``a*b`` is ordered by the levels of its parts.
        """
        known = {record.name: record.levels for record in self.manifest.axes}
        rank = [
            {level: position for position, level in enumerate(known.get(part, ()))}
            for part in axis.split("*")
        ]
        present = [str(row["group"]) for row in self._present.get((axis,), ())]

        def position(group: str) -> tuple[list[int], str]:
            parts = group.split("*")
            if len(parts) != len(rank):
                return [len(table) for table in rank], group
            return [table.get(p, len(table)) for table, p in zip(rank, parts, strict=True)], group

        return tuple(sorted(present, key=position))

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes that the tables hold, the headline axis first, crossings last."""
        order = [self.manifest.headline.axis, *(record.name for record in self.manifest.axes)]
        present = [axis for axis in self.groups["axis"].unique() if axis]
        return tuple(
            sorted(present, key=lambda a: (order.index(a) if a in order else len(order), a))
        )

    def metrics_in(self, table: pd.DataFrame) -> tuple[MetricRecord, ...]:
        """Declared metrics that ``table`` has rows of, in the manifest's order."""
        present = set(table["metric"].unique())
        return tuple(metric for metric in self.manifest.metrics if metric.name in present)


def _rows_by(
    table: pd.DataFrame, keys: tuple[str, ...]
) -> Mapping[tuple[str, ...], list[dict[Hashable, Any]]]:
    """Rows as dicts, found without another pass over the table: boards have tens of thousands."""
    rows: defaultdict[tuple[str, ...], list[dict[Hashable, Any]]] = defaultdict(list)
    names = list(table)
    columns = [table[name].to_numpy(dtype=object).tolist() for name in names]
    owners = zip(*(columns[names.index(key)] for key in keys), strict=True)
    for owner, values in zip(owners, zip(*columns, strict=True), strict=True):
        rows[owner].append(dict(zip(names, values, strict=True)))
    return rows


def load_run(folder: Path) -> RunView:
    """Read a finished run.

    Args:
        folder: ``runs/<run_id>``.

    Raises:
        DataError: if a file is missing or unreadable, a key or column is missing or of the wrong
            type, or the tables name a system or metric that the manifest does not.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise _no_run(folder)
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _invalid(error, path) from error
    tables = {name: _table(folder, name) for name in COLUMNS}
    view = RunView(
        folder=folder,
        manifest=manifest,
        digest=sha256_of_file(path),
        gallery=_gallery(folder / "gallery" / "index.json"),
        sanity=_items(folder / "sanity.json", _SANITY),
        **tables,
    )
    _check_names(view)
    return view


def check_untouched(view: RunView) -> None:
    """Hold the tables to the digests that the run recorded when it ended.

    Reading alone does not ask: a run that is being drawn may be somebody's own sketch. Whoever
    shows, decides or publishes does.

    Raises:
        DataError: if a table is not the file that the manifest names.
    """
    for name, said in view.manifest.files.items():
        digest = said if isinstance(said, str) else str(said.get("sha256"))
        path = view.folder / name
        if name.endswith(".parquet") and (not path.is_file() or sha256_of_file(path) != digest):
            raise DataError(
                f"{name} is not the file that the run wrote",
                where=str(view.folder),
                mend="run it again: it rebuilds what is damaged",
            )


def _no_run(folder: Path) -> DataError:
    """Why there is no manifest in ``folder``, and which folders have one."""
    inside, beside = (
        ", ".join(sorted(path.parent.name for path in place.glob("*/manifest.json"))[:5])
        for place in (folder, folder.parent)
    )
    what, mend = "no manifest.json: this run did not finish", _INCOMPLETE
    if inside:
        what, mend = "this is a folder of runs", f"name one of them, for example {inside}"
    elif not folder.is_dir():
        what = "this is a file, not the folder of a run" if folder.exists() else "no such folder"
        mend = f"runs beside it: {beside}" if beside else "`python -m benchmark run` makes a run"
    return DataError(what, where=str(folder), mend=mend)


def _table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.parquet"
    if name not in _REQUIRED and not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS[name]))
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        raise DataError(f"cannot be read: {error}", where=str(path), mend=_INCOMPLETE) from error
    missing = [column for column in COLUMNS.get(name, ()) if column not in frame.columns]
    if missing:
        raise DataError(
            f"columns are missing: {', '.join(missing)}",
            where=str(path),
            mend="the run was written by another version; run it again with this one",
        )
    return frame


def _gallery(path: Path) -> tuple[GalleryItem, ...]:
    items = _items(path, _GALLERY)
    for item in items:
        for image in (item.input, item.output, item.reference):
            relative = PurePosixPath(image)
            if relative.is_absolute() or ".." in relative.parts:
                raise DataError(
                    f"an image path leaves the run folder: {image!r}",
                    where=str(path),
                    mend="paths in index.json are relative to the run folder",
                )
    return items


def _items(path: Path, kind: TypeAdapter[tuple[_Item, ...]]) -> tuple[_Item, ...]:
    """What an optional JSON list holds; nothing if there is no such file."""
    if not path.is_file():
        return ()
    try:
        return kind.validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        raise _invalid(error, path) from error


def _check_names(view: RunView) -> None:
    """Every system and metric of the tables is declared, and so is every headline."""
    manifest = view.manifest
    declared = {metric.name for metric in manifest.metrics}
    line = manifest.headline
    wanted = {name for name in (line.quality, line.endpoint, line.outcome) if name}
    _require(wanted, declared, "headline metrics", view.folder)
    _require({line.axis}, {axis.name for axis in manifest.axes}, "headline axis", view.folder)
    pairs = {f"{system}/{arm}" for system, arm in view.by_key}
    for name in [name for name in COLUMNS if name not in {"samples", "effects"}]:
        frame: pd.DataFrame = getattr(view, name)
        if "metric" in COLUMNS[name]:
            _require(set(frame["metric"]), declared, f"metrics in {name}.parquet", view.folder)
        found = frame[["system", "arm"]].drop_duplicates().itertuples(index=False)
        _require({f"{s}/{a}" for s, a in found}, pairs, f"systems in {name}.parquet", view.folder)
    _require(set(view.effects["metric"]), declared, "metrics in effects.parquet", view.folder)


def _require(found: Iterable[str], declared: set[str], what: str, folder: Path) -> None:
    unknown = sorted(set(found) - declared)
    if unknown:
        raise DataError(
            f"{what} that the manifest does not declare: {', '.join(unknown)}",
            where=str(folder / "manifest.json"),
            mend=_INCOMPLETE,
        )


def _invalid(error: ValidationError, path: Path) -> DataError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "(top level)"
    return DataError(
        f"{key}: {first['msg']}",
        where=str(path),
        mend="the run was written by another version or edited; run it again with this one",
    )
