"""What a system must not be relied on for, computed from the cautious ends of intervals.

For every group of the headline axis the system is held against the untouched picture on the same
people, eyes or scenes. A benefit counts only if the lower bound of the difference is above nothing;
a level only if its lower bound is reached. Each bound holds with 97.5 % by itself: a list of
limits errs on the side of naming too many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.fairness.sources import Source, margin, over_repetitions
from benchmark.report.leaderboard.board import Board
from benchmark.report.manifest import MetricRecord, SystemRecord
from benchmark.report.summary import Line
from benchmark.report.wording import Scale, humanise

_ALPHA = 0.05
_HALF = 0.5


@dataclass(frozen=True)
class Benefit:
    """What a system changes for one group, positive if better: mean and 95 % interval."""

    group: str
    value: float
    low: float
    high: float


def limits(board: Board, system: SystemRecord) -> tuple[str, ...]:
    """Sentences, the gravest first; empty for the references.

    Args:
        board: where it was measured.
        system: one system in one arm.
    """
    if system.kind == "reference":
        return ()
    found: list[tuple[int, str]] = []
    for metric in board.spread:
        found += _of_metric(board, system, metric, board.lines(metric)[system.key])
    failures, expected = board.expected.get(system.key, (0, 0))
    if failures:
        found.append((0, f"{failures} of {expected} outputs failed and count against the system."))
    return tuple(text for _, text in sorted(found, key=lambda item: item[0]))


def benefits(board: Board, system: SystemRecord, metric: MetricRecord) -> Iterator[Benefit]:
    """The change against the untouched picture, for every group that is large enough."""
    least = int(board.view.manifest.statistics.get("n_min", 8))
    for group in board.levels:
        own = board.cluster_means(system.key, metric.name, group)
        untouched = board.cluster_means(("input", ""), metric.name, group)
        if own is None or untouched is None:
            continue
        change = metric.direction * (own - untouched.mean(axis=0))
        change = change[:, np.isfinite(change).all(axis=0)]
        n = change.shape[1]
        if n < least:
            continue
        per_subject = change.mean(axis=0)
        errors = (
            Source(per_subject.std(ddof=1) / np.sqrt(n), np.asarray(n - 1.0)),
            over_repetitions(change.mean(axis=1)),
        )
        value, half = float(per_subject.mean()), float(margin(errors, _ALPHA))
        yield Benefit(group, value, value - half, value + half)


def _of_metric(
    board: Board, system: SystemRecord, metric: MetricRecord, line: Line
) -> Iterator[tuple[int, str]]:
    scale = Scale.of(metric, fine=1)
    name = f"{board.view.tag(metric)}{humanise(metric.name)}"
    levels = board.levels
    changes = list(benefits(board, system, metric))
    harmed = [one for one in changes if one.high < 0]
    unhelped = [one for one in changes if one.low <= 0 <= one.high]
    if harmed:
        yield (
            1,
            f"{name}: worse than the untouched picture for {_listed(harmed, scale, worse=True)}.",
        )
    if unhelped:
        yield 2, f"{name}: no benefit shown for {_listed(unhelped, scale, worse=False)}."
    low = [
        f"{humanise(level)} (assured: {scale.with_unit(scale.number(cell.low))})"
        for level, cell in zip(levels, line.groups, strict=True)
        if metric.kind == "rate" and metric.direction == 1 and cell.low < _HALF
    ]
    if low:
        yield 3, f"{name}: it may fail more often than not for {', '.join(low)}."
    found = line.disparity
    if found is not None and found.verdict == "gap":
        interval = scale.with_unit(scale.interval(found.low, found.high), difference=True)
        yield 4, f"{name}: {humanise(found.worst)} is behind the other groups by {interval}."
    unknown = [
        humanise(level)
        for level, cell in zip(levels, line.groups, strict=True)
        if cell.size_class in {"insufficient", "empty"} or math.isnan(cell.mean)
    ]
    if unknown:
        yield 5, f"{name}: nothing is known about {', '.join(unknown)}: too few subjects."


def _listed(found: list[Benefit], scale: Scale, *, worse: bool) -> str:
    parts = []
    for one in found:
        if worse:
            by = scale.with_unit(scale.number(-one.value), difference=True)
            said = f"worse by {by} {scale.interval(-one.high, -one.low)}"
        else:
            by = scale.with_unit(scale.signed(one.value), difference=True)
            said = f"gain {by} {scale.interval(one.low, one.high, signed=True)}"
        parts.append(f"{humanise(one.group)} ({said})")
    return ", ".join(parts)
