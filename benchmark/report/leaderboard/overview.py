"""The first page: every system in every task, and what a task comes to in a few rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from benchmark.report.leaderboard.board import Board, Key
from benchmark.report.leaderboard.tables import (
    Panel,
    kind,
    linked,
    ranks,
    shapes,
    tier,
    worst_group,
)
from benchmark.report.manifest import MetricRecord, SystemRecord
from benchmark.report.scales import limits
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.tables import BLANK
from benchmark.report.wording import Scale, humanise, shorten

_MOST = 3


def glance(board: Board) -> Table:
    """The untouched picture, who leads by the worst group, and the clean reference.

    Of the first tie tier of the enhancers up to three, in alphabetical order: they are not ranked.
    """
    metric = board.spread[0]
    found, scale = board.lines(metric), Scale.of(metric)
    places = {
        record.key: board.standing[metric.name, "worst", record.key]["tier"]
        for record in board.ordered
        if record.kind != "reference" and (metric.name, "worst", record.key) in board.standing
    }
    first = sorted(key for key, place in places.items() if place == min(places.values()))
    keys = [key for key in (("input", ""), *first[:_MOST], ("oracle", "")) if key in found]
    ends = limits(list(found.values()), scale)
    rows = []
    for key in keys:
        level, worst = worst_group(found[key], board.levels)
        least = scale.number(worst.mean, blank=BLANK)
        rows.append(
            [
                linked(found[key].system, folder="systems/"),
                shapes(found[key], board, ends, scale),
                number(worst.mean, least, note=shorten(humanise(level), 16)),
            ]
        )
    left = f" ({_MOST} of {len(first)})" if len(first) > _MOST else ""
    better = "higher" if metric.direction == 1 else "lower"
    return Table(
        slug=f"glance-{board.name}",
        caption=f"{board.view.tag(metric)}{humanise(metric.name)}, {better} is better: input, "
        f"first tie tier of the enhancers{left}, oracle",
        columns=[
            TH("system"),
            TH("groups"),
            TH("worst group", note=scale.unit, numeric=True),
        ],
        rows=rows,
    )


def _placed(board: Board, metric: MetricRecord, key: Key) -> TD:
    """The tie tier by the worst group, with what that group gets."""
    place, line = tier(board, metric, key, "worst"), board.lines(metric).get(key)
    if line is None or not place.note:
        return place
    scale = Scale.of(metric)
    level, worst = worst_group(line, board.levels)
    gets = f"{shorten(humanise(level), 24)} {scale.with_unit(scale.number(worst.mean))}"
    return replace(place, note=f"{gets}, {place.note}")


def overview(boards: Mapping[str, Board]) -> Panel:
    """Every system with its tie tier in each task; nothing is summed over tasks.

    Args:
        boards: the most telling board of every task.
    """
    records: dict[str, SystemRecord] = {}
    arms: dict[str, set[Key]] = {}
    for board in boards.values():
        for record in board.ordered:
            records.setdefault(record.system, record)
            arms.setdefault(record.system, set()).add(record.key)
    body: list[list[TD]] = []
    rows: list[dict[Hashable, Any]] = []
    for system, record in sorted(records.items(), key=lambda item: (item[1].kind, item[0])):
        for own in sorted(arms[system]):
            cells = [
                linked(record.model_copy(update={"arm": own[1]}), folder="systems/"),
                kind(record),
            ]
            values: dict[Hashable, Any] = {"system": system, "arm": own[1], "kind": record.kind}
            for task, board in boards.items():
                metric = board.spread[0]
                cells.append(_placed(board, metric, own))
                found = board.standing.get((metric.name, "worst", own), {})
                mine = ranks("worst", found)
                values |= {f"{task}: {name}": value for name, value in mine.items()}
            cells += [number(record.parameters, f"{record.parameters:,}"), text(record.licence)]
            body.append(cells)
            rows.append(values | {"parameters": record.parameters, "licence": record.licence})
    table = Table(
        slug="systems",
        caption="Tie tier by the worst group, what that group gets, and the interval of ranks",
        columns=[
            TH("system"),
            TH("kind", facet=True),
            *(
                TH(humanise(task.replace("-", " ")), note=humanise(b.spread[0].name), numeric=True)
                for task, b in boards.items()
            ),
            TH("parameters", numeric=True),
            TH("licence", facet=True),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )
    return Panel(table, rows, "systems")
