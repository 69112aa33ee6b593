"""The history of a board: what every system got, and got before it was measured again."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.leaderboard.board import Board, Key
from benchmark.report.leaderboard.tables import COMPARED, Panel, linked
from benchmark.report.manifest import MetricRecord
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.tables import BLANK
from benchmark.report.wording import Scale, humanise, shorten

#: Mean of all, worst group and its mean, of a system that a result does not have.
_NOTHING = (math.nan, "", math.nan)


def history(board: Board) -> Panel:
    """Every result of a board, with what systems had before they were measured again.

    A system that got the same again - baselines are in every run - is not listed twice.
    """
    metric = board.spread[0]
    scale = Scale.of(metric)
    measured = _measured(board, metric)
    body: list[list[TD]] = []
    records: list[dict[Hashable, Any]] = []
    for position, result in reversed(list(enumerate(board.results))):
        manifest = result.view.manifest
        for system in manifest.systems:
            mine = measured.get((position, system.key), _NOTHING)
            newer = board.source[system.key]
            counts = newer is result
            now = measured.get((board.position(newer), system.key), _NOTHING)
            if not counts and (mine == now or math.isnan(mine[0])):
                continue
            state = "shown" if counts else f"replaced by no. {newer.number}"
            everybody, level, worst = mine
            body.append(
                [
                    number(result.number, f"{result.number}"),
                    linked(system),
                    number(everybody, scale.with_unit(scale.number(everybody, blank=BLANK))),
                    number(
                        worst,
                        scale.with_unit(scale.number(worst, blank=BLANK)),
                        note=shorten(humanise(level), 24),
                    ),
                    text(state, tone="" if counts else "muted"),
                    text(shorten(result.record.note, 300) or BLANK),
                    text(manifest.run_id, hint=result.record.run_manifest),
                    text(manifest.created_with.get("equilux", BLANK)),
                    text(manifest.device),
                ]
            )
            records.append(
                {
                    "number": result.number,
                    "system": system.system,
                    "arm": system.arm,
                    "metric": metric.name,
                    "all": everybody,
                    "worst_group": level,
                    "worst": worst,
                    "shown": counts,
                    "note": result.record.note,
                    "run": manifest.run_id,
                    "run_manifest": result.record.run_manifest,
                    "samples": str(manifest.files.get("samples.parquet", "")),
                    "equilux": manifest.created_with.get("equilux", ""),
                    "device": manifest.device,
                }
            )
    table = Table(
        slug="history",
        caption="History: the newest result first; what a system had before is marked",
        columns=[
            TH("no.", numeric=True),
            TH("system"),
            TH(humanise(metric.name), note="all", numeric=True),
            TH("worst group", numeric=True),
            TH("state", facet=True),
            TH("note"),
            TH("run"),
            TH("equilux"),
            TH("device"),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )
    return Panel(table, records, f"{board.name}-history")


def _measured(
    board: Board, metric: MetricRecord
) -> dict[tuple[int, Key], tuple[float, str, float]]:
    """Mean of all, name and mean of the worst group, by the position of a result and the system."""
    tables = [result.view.groups for result in board.results]
    every = pd.concat(tables, ignore_index=True)
    every["_from"] = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    every = every[(every["metric"] == metric.name) & every["axis"].isin(["", board.axis])]
    worst_first = [metric.direction == 1, True]
    every = every.sort_values(["mean", "group"], ascending=worst_first, kind="stable")
    found: dict[tuple[int, Key], tuple[float, str, float]] = {}
    columns = ("_from", "system", "arm", "axis", "group", "mean", "size_class")
    for at, system, arm, axis, group, mean, size in zip(*(every[c] for c in columns), strict=True):
        own = (int(at), (system, arm))
        everybody, level, worst = found.get(own, _NOTHING)
        if axis == "":
            everybody = float(mean)
        elif level == "" and size in COMPARED and math.isfinite(mean):
            level, worst = str(group), float(mean)
        found[own] = everybody, level, worst
    return found
