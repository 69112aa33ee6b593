"""Boards: results that were measured alike, as one run with all their systems."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from benchmark.errors import DataError
from benchmark.report.leaderboard.extract import require_baselines
from benchmark.report.leaderboard.protocol import Protocol
from benchmark.report.leaderboard.standing import standing
from benchmark.report.leaderboard.store import TABLES, Result
from benchmark.report.manifest import Manifest, MetricRecord, SystemRecord
from benchmark.report.markup import slug
from benchmark.report.model import RunView

Key = tuple[str, str]
#: Profiles from the one that says most.
_PROFILES = ("full", "quick", "smoke")
#: In the order of display: what is done to nobody comes first, what cannot be reached last.
_KINDS = ("reference", "classical", "published", "submission", "trained")


@dataclass(frozen=True)
class Board:
    """Comparable results of one task.

    Attributes:
        protocol: what they have in common.
        results: by number; of a system that was measured twice the later one counts.
        current: whether no later result of this task and profile was measured otherwise.
        view: all systems as one run, without samples and pictures.
        source: the result that each system and arm comes from.
    """

    protocol: Protocol
    results: tuple[Result, ...]
    current: bool
    view: RunView
    source: Mapping[Key, Result]

    @property
    def name(self) -> str:
        """Part of file names: the task and profile, and the protocol where that is no longer it."""
        stem = f"{self.protocol.task}-{self.protocol.profile}"
        return stem if self.current else f"{stem}-{self.protocol.key[:8]}"

    @property
    def title(self) -> str:
        """The task's title."""
        return self.view.manifest.task.title

    @property
    def spread(self) -> tuple[MetricRecord, ...]:
        """The metrics that have a table of their own: endpoint and outcome."""
        line = self.view.manifest.headline
        found = self.view.manifest.headline_metrics
        return tuple(m for m in found if m.name in {line.endpoint, line.outcome}) or found[:1]

    @property
    def quality(self) -> MetricRecord | None:
        """How near a picture is to the clean one, if that was measured."""
        name = self.view.manifest.headline.quality
        return next((m for m in self.view.manifest.headline_metrics if m.name == name), None)

    @cached_property
    def means(self) -> pd.DataFrame:
        """Cluster means of every system, from the result that counts."""
        return _newest(self.source, self.results, lambda result: result.means)

    @cached_property
    def clusters(self) -> dict[str, tuple[str, ...]]:
        """Who is in which group of the headline axis."""
        return self.results[-1].record.clusters

    @cached_property
    def standing(self) -> dict[tuple[str, str, Key], dict[Hashable, Any]]:
        """Tier and rank interval by metric, ``overall`` or ``worst``, and system."""
        table = standing(self.view.manifest, self.means, self.clusters)
        return {
            (row["metric"], row["target"], (row["system"], row["arm"])): row
            for row in table.to_dict("records")
        }

    @cached_property
    def ordered(self) -> tuple[SystemRecord, ...]:
        """Systems by their rank in the worst group, then overall; references where they fall."""

        def place(record: SystemRecord) -> tuple[float, ...]:
            metric = self.spread[0].name
            rows = [self.standing.get((metric, t, record.key)) for t in ("worst", "overall")]
            return tuple(float(row["rank"]) if row else math.inf for row in rows)

        return tuple(sorted(self.view.manifest.systems, key=lambda r: (*place(r), r.key)))

    @cached_property
    def expected(self) -> dict[Key, tuple[int, int]]:
        """Outputs that failed and outputs that were expected, for each system."""
        table = self.view.groups
        metric = self.spread[0].name
        rows = table[(table["axis"] == "") & (table["metric"] == metric)]
        return {
            (row["system"], row["arm"]): (int(row["failures"]), int(row["n_items"]))
            for row in rows.to_dict("records")
        }


def boards(results: Sequence[Result]) -> tuple[Board, ...]:
    """Group results by protocol, the current and most telling boards first.

    Raises:
        DataError: if a board lacks a baseline, or two results of one protocol say that other
            people, eyes or scenes were in it.
    """
    by_key: dict[str, list[Result]] = {}
    for result in results:
        by_key.setdefault(result.protocol.key, []).append(result)
    latest: dict[tuple[str, str], Result] = {}
    for result in results:
        place = (result.protocol.task, result.protocol.profile)
        if place not in latest or latest[place].number < result.number:
            latest[place] = result
    current = {result.protocol.key for result in latest.values()}
    found = [_board(group, current=key in current) for key, group in by_key.items()]
    return tuple(sorted(found, key=_telling))


def _telling(board: Board) -> tuple[str, bool, int, int]:
    profile = board.protocol.profile
    order = _PROFILES.index(profile) if profile in _PROFILES else len(_PROFILES)
    return board.protocol.task, not board.current, order, -board.results[-1].number


def _board(results: list[Result], *, current: bool) -> Board:
    ordered = tuple(sorted(results, key=lambda result: result.number))
    newest = ordered[-1]
    for result in ordered[:-1]:
        if result.record.clusters != newest.record.clusters:
            raise DataError(
                f"{result.name} and {newest.name} say they were measured alike, "
                "but on other subjects",
                where=str(result.folder),
                mend="add the runs again: one of the two files was edited",
            )
    source: dict[Key, Result] = {}
    records: dict[Key, SystemRecord] = {}
    for result in ordered:
        for key, record in result.view.by_key.items():
            source[key], records[key] = result, record
    view = _merged(ordered, source, records)
    board = Board(newest.protocol, ordered, current, view, source)
    require_baselines(view, where=", ".join(result.name for result in ordered))
    return board


def _merged(
    results: tuple[Result, ...], source: Mapping[Key, Result], records: Mapping[Key, SystemRecord]
) -> RunView:
    newest = results[-1].view
    tables = {
        name: _newest(source, results, lambda result, name=name: getattr(result.view, name))
        for name in TABLES
    }
    return replace(
        newest,
        manifest=_manifest(newest.manifest, results, records),
        **tables,
    )


def _manifest(
    base: Manifest, results: tuple[Result, ...], records: Mapping[Key, SystemRecord]
) -> Manifest:
    """The newest manifest with the systems, metrics, comparisons and remarks of all."""
    every = [result.view.manifest for result in reversed(results)]
    metrics = {m.name: m for manifest in reversed(every) for m in manifest.metrics}
    names = dict.fromkeys(m.name for manifest in every for m in manifest.metrics)
    return base.model_copy(
        update={
            "systems": tuple(sorted(records.values(), key=_displayed)),
            "metrics": tuple(metrics[name] for name in names),
            "comparisons": _unique(c for m in every for c in m.comparisons),
            "notes": _unique(note for m in every for note in m.notes),
            "warnings": _unique(warning for m in every for warning in m.warnings),
            "licences": _unique(one for m in every for one in m.licences),
        }
    )


def _displayed(record: SystemRecord) -> tuple[int, str, str]:
    order = _KINDS.index(record.kind) if record.system != "oracle" else len(_KINDS)
    return order, record.system, record.arm


def _unique(items: Iterable[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return tuple(found)


def _newest(source: Mapping[Key, Result], results: Sequence[Result], table: Any) -> pd.DataFrame:
    """Rows of every system from the result that counts for it."""
    parts = []
    for result in results:
        frame = table(result)
        if len(results) == 1:
            return frame
        keys = pd.MultiIndex.from_frame(frame[["system", "arm"]])
        mine = [key for key, chosen in source.items() if chosen is result]
        parts.append(frame[keys.isin(mine)])
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[-1]


def page_of(system: str) -> str:
    """File name of a system's page; no two systems share one."""
    return f"{slug(system)}.html"
