"""Boards: results that were measured alike, as one run with all their systems."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.report.leaderboard.admission import require_baselines
from benchmark.report.leaderboard.protocol import Protocol, ranked_metrics
from benchmark.report.leaderboard.standing import standing
from benchmark.report.leaderboard.store import TABLES, Result
from benchmark.report.manifest import ComparisonRecord, Manifest, MetricRecord, SystemRecord
from benchmark.report.markup import slug
from benchmark.report.model import RunView
from benchmark.report.summary import Effect, Line, effects, lines
from benchmark.report.table import Table

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
        tables: the table of every metric that was asked for, see :func:`.tables.main_table`.
    """

    protocol: Protocol
    results: tuple[Result, ...]
    current: bool
    view: RunView
    source: Mapping[Key, Result]
    _lines: dict[tuple[str, str], Mapping[Key, Line]] = field(default_factory=dict, repr=False)
    _effects: dict[str, Mapping[Key, tuple[Effect, ...]]] = field(default_factory=dict, repr=False)
    tables: dict[str, Table] = field(default_factory=dict, repr=False)
    _views: dict[tuple[str, str, str], RunView] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Part of file names: the task and profile, and the protocol where that is no longer it."""
        stem = f"{self.protocol.task}-{self.protocol.profile}"
        return stem if self.current else f"{stem}-{self.protocol.key[:8]}"

    @property
    def title(self) -> str:
        """The task's title."""
        return self.view.manifest.task.title

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Groups of the headline axis in display order."""
        return self.view.levels(self.axis)

    @cached_property
    def groups(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every axis with its groups, the headline axis first, crossings last."""
        return tuple((axis, self.view.levels(axis)) for axis in self.view.axes)

    @property
    def axis(self) -> str:
        """The headline axis."""
        return self.view.manifest.headline.axis

    @cached_property
    def spread(self) -> tuple[MetricRecord, ...]:
        """The metrics whose tables come first: endpoint and outcome.

        What is lost never stands without what is invented: either can be had at the other's price.
        """
        line = self.view.manifest.headline
        names = [name for name in (line.endpoint, line.outcome) if name]
        names += [name.replace("omission", "hallucination") for name in names]
        found = (m for name in dict.fromkeys(names) for m in self.ranked if m.name == name)
        return tuple(found) or self.ranked[:1]

    @cached_property
    def ranked(self) -> tuple[MetricRecord, ...]:
        """Metrics that systems are ranked by; the quality is one only if there is no other."""
        manifest = self.view.manifest
        found = tuple(manifest.metric(name) for name in ranked_metrics(manifest))
        return tuple(m for m in found if m.name != manifest.headline.quality) or found

    @property
    def quality(self) -> MetricRecord | None:
        """How near a picture is to the clean one, if that was measured."""
        name = self.view.manifest.headline.quality
        return next((m for m in self.view.manifest.headline_metrics if m.name == name), None)

    @cached_property
    def means(self) -> pd.DataFrame:
        """Cluster means of every system, from the result that counts."""
        return _newest(self.source, self.results, lambda result: result.means)

    def lines(self, metric: MetricRecord, axis: str | None = None) -> Mapping[Key, Line]:
        """Every system in one metric across the groups of an axis, the headline axis if None."""
        axis = self.axis if axis is None else axis
        if (metric.name, axis) not in self._lines:
            found = lines(self.view, metric, axis)
            self._lines[metric.name, axis] = {line.system.key: line for line in found}
        return self._lines[metric.name, axis]

    def effects(self, metric: MetricRecord) -> Mapping[Key, tuple[Effect, ...]]:
        """What changed against the baseline arm, by the system and arm that it is of."""
        if metric.name not in self._effects:
            self._effects[metric.name] = {
                (one.system, one.arm): effects(self.only(one), one, metric.name, self.axis)
                for one in self.view.manifest.comparisons
            }
        return self._effects[metric.name]

    def only(self, comparison: ComparisonRecord) -> RunView:
        """The view of one host with the effects of one comparison."""
        key = (comparison.system, comparison.arm, comparison.baseline)
        if key not in self._views:
            none, all_groups = self.view.effects.iloc[:0], self.view.groups
            self._views[key] = replace(
                self.view,
                effects=self._compared.get(key, none),
                groups=self._grouped.get(comparison.system, all_groups),
            )
        return self._views[key]

    @cached_property
    def _compared(self) -> dict[tuple[str, str, str], pd.DataFrame]:
        rows = self.view.effects.groupby(["system", "arm", "baseline"], sort=False)
        return {(str(s), str(a), str(b)): part for (s, a, b), part in rows}

    @cached_property
    def _grouped(self) -> dict[str, pd.DataFrame]:
        return {str(name): part for name, part in self.view.groups.groupby("system", sort=False)}

    @cached_property
    def _vectors(self) -> dict[tuple[Key, str, str], NDArray[np.float64]]:
        rows = self.means.groupby(["system", "arm", "metric", "group"], sort=False)["values"]
        return {
            ((str(system), str(arm)), str(metric), str(group)): np.array(
                [text.split() for text in texts], dtype=np.float64
            )
            for (system, arm, metric, group), texts in rows
        }

    def cluster_means(self, key: Key, metric: str, group: str) -> NDArray[np.float64] | None:
        """``[runs, clusters]`` of one system in one group, NaN where nothing was measured."""
        return self._vectors.get((key, metric, group))

    @cached_property
    def clusters(self) -> dict[str, tuple[str, ...]]:
        """Who is in which group of the headline axis."""
        return self.results[-1].record.clusters

    def position(self, result: Result) -> int:
        """Where a result stands among those of the board."""
        return self._positions[result.name]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {result.name: position for position, result in enumerate(self.results)}

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


def most_telling(found: Sequence[Board]) -> dict[str, Board]:
    """Of every task the board to look at first."""
    first: dict[str, Board] = {}
    for board in found:
        first.setdefault(board.protocol.task, board)
    return first


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
    tables: dict[str, Any] = {
        name: _newest(source, results, partial(_table, name)) for name in TABLES
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


def _table(name: str, result: Result) -> pd.DataFrame:
    table: pd.DataFrame = getattr(result.view, name)
    return table


def _newest(
    source: Mapping[Key, Result], results: Sequence[Result], table: Callable[[Result], pd.DataFrame]
) -> pd.DataFrame:
    """Rows of every system from the result that counts for it."""
    if len(results) == 1:
        return table(results[0])
    number = {result.name: position for position, result in enumerate(results)}
    frames = [table(result) for result in results]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    every = pd.concat(filled, ignore_index=True)
    origin = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    chosen = {f"{system}\n{arm}": number[one.name] for (system, arm), one in source.items()}
    keys, found = pd.factorize(every["system"] + "\n" + every["arm"])
    newest: pd.DataFrame = every[np.array([chosen.get(key, -1) for key in found])[keys] == origin]
    return newest.reset_index(drop=True)


def page_of(system: str) -> str:
    """File name of a system's page; no two systems share one."""
    return f"{slug(system)}.html"
