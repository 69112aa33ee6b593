"""Tables of the site: what people read, and beside each the numbers for machines."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup, escape

from benchmark.report.leaderboard.board import Board, Key, page_of
from benchmark.report.leaderboard.charts import key, strip
from benchmark.report.manifest import MetricRecord, SystemRecord
from benchmark.report.markup import slug
from benchmark.report.model import RunView
from benchmark.report.scales import limits
from benchmark.report.summary import Cell, Effect, Line
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.tables import (
    BLANK,
    cell,
    effect_verdict,
    gap_cells,
    gap_columns,
    largest,
)
from benchmark.report.wording import Scale, clean, humanise, shorten

_NAN = math.nan
_NOBODY = Cell(_NAN, _NAN, _NAN, 0, 0, "empty")


@dataclass(frozen=True)
class Panel:
    """A table, its numbers, the stem of the files that hold them, and what its shapes mean."""

    table: Table
    numbers: Sequence[Mapping[Hashable, Any]]
    stem: str
    key: str = ""


def standing_panel(board: Board, metric: MetricRecord) -> Panel:
    """All systems in one metric."""
    stem = f"{board.name}-{slug(metric.name)}"
    return Panel(main_table(board, metric), numbers(board, metric), stem, key(board.levels))


def main_table(board: Board, metric: MetricRecord, *, only: Collection[str] = ()) -> Table:
    """One row a system: quality, worst group, gap and null, tie tiers, effect, cost.

    Args:
        board: where it was measured.
        metric: what systems are ranked by.
        only: systems to show; all if empty.
    """
    records = [r for r in board.ordered if not only or r.system in only]
    scale = Scale.of(metric)
    other = board.quality if board.quality and board.quality.name != metric.name else None
    found, changes = board.lines(metric), board.effects(metric)
    rows = [found[record.key] for record in records]
    longest = largest(row.disparity for row in rows)
    ends = limits(rows, scale)
    body = []
    for row in rows:
        own = row.system.key
        cells = [linked(row.system), _tier(board, metric, own, "worst")]
        if other:
            cells.append(cell(board.lines(other)[own].overall, Scale.of(other)))
        cells += [
            cell(row.overall, scale),
            _worst(row, board, scale),
            _shapes(row, board, ends, scale),
            *gap_cells(row.disparity, scale, longest),
            _tier(board, metric, own, "overall"),
            _effect(changes.get(own, ()), metric),
            _failures(board, own),
            *_cost(row.system),
            _kind(row.system),
        ]
        body.append(cells)
    better = "higher" if metric.direction == 1 else "lower"
    columns = [TH("system"), TH("tie tier", note="worst group", numeric=True, facet=True)]
    if other:
        columns.append(TH(humanise(other.name), note=Scale.of(other).unit, numeric=True))
    columns += [
        TH("all", note=scale.unit, numeric=True),
        TH("worst group", note=scale.unit, numeric=True),
        TH("groups"),
        *gap_columns(scale),
        TH("tie tier", note="all", numeric=True),
        TH("arm effect", note="worst group"),
        TH("failed", note="%", numeric=True),
        TH("latency", note="ms an image", numeric=True),
        TH("parameters", numeric=True),
        TH("kind", facet=True),
    ]
    columns = [replace(c, facet=True) if c.title == "verdict" else c for c in columns]
    return Table(
        slug=f"{board.name}-{metric.name}",
        caption=f"{board.view.tag(metric)}{humanise(metric.name)} by {humanise(board.axis)}: "
        f"{metric.summary} ({better} is better)",
        columns=columns,
        rows=body,
        filterable=not only,
        wide=True,
        notes=_notes(metric),
    )


def numbers(board: Board, metric: MetricRecord) -> list[dict[Hashable, Any]]:
    """What :func:`main_table` shows, as numbers with their intervals."""
    found, changes = board.lines(metric), board.effects(metric)
    quality = board.lines(board.quality) if board.quality else {}
    records: list[dict[Hashable, Any]] = []
    for record in board.ordered:
        row, own = found[record.key], record.key
        level, worst = worst_group(row, board.levels)
        gap = row.disparity
        result = board.source[own]
        overall = board.standing.get((metric.name, "overall", own), {})
        least = board.standing.get((metric.name, "worst", own), {})
        failures, expected = board.expected.get(own, (0, 0))
        effect = next((e for e in changes.get(own, ()) if e.target == "worst"), None)
        records.append(
            {
                "system": own[0],
                "arm": own[1],
                "kind": record.kind,
                "metric": metric.name,
                "quality": quality[own].overall.mean if quality else _NAN,
                "all": row.overall.mean,
                "all_low": row.overall.low,
                "all_high": row.overall.high,
                "worst_group": level,
                "worst": worst.mean,
                "worst_low": worst.low,
                "worst_high": worst.high,
                "gap": gap.gap if gap else _NAN,
                "gap_null_mean": gap.null_mean if gap else _NAN,
                "gap_null_p95": gap.null_p95 if gap else _NAN,
                "deficit_low": gap.low if gap else _NAN,
                "deficit_high": gap.high if gap else _NAN,
                "verdict": gap.verdict if gap else "",
                **_ranks("all", overall),
                **_ranks("worst", least),
                "arm_effect_worst": effect.value if effect else _NAN,
                "arm_effect_low": effect.low if effect else _NAN,
                "arm_effect_high": effect.high if effect else _NAN,
                "arm_effect_verdict": effect.verdict if effect else "",
                "failures": failures,
                "outputs": expected,
                "latency_ms": _NAN if record.latency_ms is None else record.latency_ms,
                "parameters": record.parameters,
                "seeds": int(overall.get("n_seeds", 0)),
                "licence": record.licence,
                "result": result.name,
                "run_manifest": result.record.run_manifest,
            }
        )
    return records


def linked(system: SystemRecord, *, folder: str = "../systems/") -> TD:
    """A system's name as a link to its page, with its arm."""
    name = escape(shorten(system.system, 60))
    link = Markup(f'<a href="{folder}{page_of(system.system)}">{name}</a>')
    tone = "reference" if system.kind == "reference" else ""
    return TD(link, sort=clean(system.name).casefold(), note=system.arm, tone=tone)


def group_table(board: Board, record: SystemRecord) -> Panel:
    """All groups of all axes of one system in one arm, in every metric that is ranked."""
    metrics = [*([board.quality] if board.quality else []), *board.ranked]
    metrics = list(dict.fromkeys(metrics))
    body: list[list[TD]] = []
    records: list[dict[Hashable, Any]] = []
    groups = [("", ("",)), *board.groups]
    for axis, levels in groups:
        for position, level in enumerate(levels):
            cells = [_at(board, record.key, metric, axis, position) for metric in metrics]
            count = max(c.n_clusters for c in cells)
            body.append(
                [
                    text(humanise(level) or "everyone"),
                    text(humanise(axis) or BLANK),
                    number(count, str(count)),
                    *(cell(c, Scale.of(m)) for c, m in zip(cells, metrics, strict=True)),
                ]
            )
            records += [
                _record(record, metric, axis, level, found)
                for metric, found in zip(metrics, cells, strict=True)
            ]
    arm = f", arm {record.arm}" if record.arm else ""
    table = Table(
        slug=f"groups-{board.name}-{record.arm}",
        caption=f"{board.title}, every group: {record.system}{arm}, means with 95 % intervals",
        columns=[
            TH("group"),
            TH("axis", facet=True),
            TH("n", numeric=True),
            *(
                TH(humanise(m.name), note=f"{Scale.of(m).unit} {_arrow(m)}".strip(), numeric=True)
                for m in metrics
            ),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )
    return Panel(table, records, f"{slug(record.name)}-{board.name}")


def _at(board: Board, key: Key, metric: MetricRecord, axis: str, position: int) -> Cell:
    line = board.lines(metric, axis or board.axis)[key]
    return line.groups[position] if axis else line.overall


def _arrow(metric: MetricRecord) -> str:
    return "higher is better" if metric.direction == 1 else "lower is better"


def _record(
    record: SystemRecord, metric: MetricRecord, axis: str, level: str, found: Cell
) -> dict[Hashable, Any]:
    return {
        "system": record.system,
        "arm": record.arm,
        "metric": metric.name,
        "axis": axis,
        "group": level,
        "n_clusters": found.n_clusters,
        "mean": found.mean,
        "ci_low": found.low,
        "ci_high": found.high,
        "failures": found.failures,
        "size_class": found.size_class,
    }


def history(board: Board) -> Panel:
    """Every result of a board, with what systems had before they were measured again.

    A system that got the same again - baselines are in every run - is not listed twice.
    """
    metric = board.spread[0]
    scale = Scale.of(metric)
    shown = {key: line.overall.mean for key, line in board.lines(metric).items()}
    body: list[list[TD]] = []
    records: list[dict[Hashable, Any]] = []
    for result in reversed(board.results):
        manifest, means = result.view.manifest, _overall(result.view, metric)
        for system in manifest.systems:
            value = means.get(system.key, _NAN)
            counts = board.source[system.key] is result
            if not counts and (value == shown[system.key] or math.isnan(value)):
                continue
            body.append(
                [
                    number(result.number, f"{result.number}"),
                    linked(system),
                    number(value, scale.with_unit(scale.number(value, blank=BLANK))),
                    text("shown" if counts else "replaced", tone="" if counts else "muted"),
                    text(result.record.note or BLANK),
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
                    "all": value,
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


def _overall(view: RunView, metric: MetricRecord) -> dict[Key, float]:
    """Means of everybody in one metric."""
    table = view.groups[(view.groups["metric"] == metric.name) & (view.groups["axis"] == "")]
    keys = zip(table["system"], table["arm"], strict=True)
    return dict(zip(keys, map(float, table["mean"]), strict=True))


def _notes(metric: MetricRecord) -> tuple[str, ...]:
    if not metric.in_loss:
        return ()
    return (f"{metric.name} is part of a training loss here: it is no independent evidence.",)


def worst_group(row: Line, levels: Sequence[str]) -> tuple[str, Cell]:
    """The group that gets least of those that are compared: its name and mean."""
    known = [
        (row.metric.direction * group.mean, level, group)
        for level, group in zip(levels, row.groups, strict=True)
        if group.size_class in {"full", "small"} and math.isfinite(group.mean)
    ]
    if not known:
        return "", _NOBODY
    _, level, found = min(known, key=lambda item: item[:2])
    return level, found


def _worst(row: Line, board: Board, scale: Scale) -> TD:
    level, found = worst_group(row, board.levels)
    name = humanise(level)
    note = f"{shorten(name, 24)} {scale.interval(found.low, found.high, blank='')}".strip()
    shown = scale.number(found.mean, blank=BLANK)
    return number(found.mean, shown, note=note, hint=name)


def _shapes(row: Line, board: Board, ends: tuple[float, float], scale: Scale) -> TD:
    levels = board.levels
    words = ", ".join(
        f"{humanise(level)} {scale.number(group.mean, blank='unknown')}"
        for level, group in zip(levels, row.groups, strict=True)
    )
    spoken = Markup('<span class="vh">{}</span>').format(clean(words))
    return TD(spoken, sort=row.overall.mean, graphic=strip(row, *ends, scale), hint=words)


def _tier(board: Board, metric: MetricRecord, key: Key, target: str) -> TD:
    row = board.standing.get((metric.name, target, key))
    if row is None:
        return TD(BLANK)
    low, high = row["rank_low"], row["rank_high"]
    note = f"rank {low:g}" if low == high else f"rank {low:g} to {high:g}"
    return number(float(row["tier"]), f"{row['tier']:g}", note=note)


def _ranks(target: str, row: Mapping[Any, Any]) -> dict[Hashable, Any]:
    return {
        f"{target}_tier": row.get("tier", _NAN),
        f"{target}_rank_low": row.get("rank_low", _NAN),
        f"{target}_rank_high": row.get("rank_high", _NAN),
    }


def _effect(found: Sequence[Effect], metric: MetricRecord) -> TD:
    effect = next((e for e in found if e.target == "worst"), None)
    if effect is None:
        return TD(BLANK)
    scale = Scale.of(metric, fine=int(metric.kind == "rate"))
    verdict = effect_verdict(effect)
    interval = scale.interval(effect.low, effect.high, signed=True, blank="no interval")
    note = f"{scale.signed(effect.value, blank=BLANK)} {interval}"
    return TD(verdict.text, sort=effect.value, note=note, hint=verdict.hint, tone=verdict.tone)


def _failures(board: Board, key: Key) -> TD:
    failures, expected = board.expected.get(key, (0, 0))
    share = 100 * failures / expected if expected else _NAN
    shown = BLANK if math.isnan(share) else f"{share:.1f}" if failures else "0"
    return number(share, shown, note=f"{failures} of {expected}" if failures else "")


def _kind(system: SystemRecord) -> TD:
    return text(system.kind, tone="word")


def _cost(system: SystemRecord) -> tuple[TD, TD]:
    latency = _NAN if system.latency_ms is None else system.latency_ms
    return (
        number(latency, BLANK if math.isnan(latency) else f"{latency:.1f}"),
        number(system.parameters, f"{system.parameters:,}"),
    )


def overview(boards: Mapping[str, Board]) -> Panel:
    """Every system with its tie tier in each task; nothing is summed over tasks.

    Args:
        boards: the most telling board of every task.
    """
    records: dict[str, SystemRecord] = {}
    for board in boards.values():
        for record in board.ordered:
            records.setdefault(record.system, record)
    body: list[list[TD]] = []
    rows: list[dict[Hashable, Any]] = []
    for system, record in sorted(records.items(), key=lambda item: (item[1].kind, item[0])):
        keys = {key for board in boards.values() for key in board.source if key[0] == system}
        for own in sorted(keys):
            cells = [
                linked(record.model_copy(update={"arm": own[1]}), folder="systems/"),
                _kind(record),
            ]
            ranks: dict[Hashable, Any] = {"system": system, "arm": own[1], "kind": record.kind}
            for task, board in boards.items():
                metric = board.spread[0]
                cells.append(_tier(board, metric, own, "worst"))
                found = board.standing.get((metric.name, "worst", own), {})
                own_ranks = _ranks("worst", found)
                ranks |= {f"{task}: {name}": value for name, value in own_ranks.items()}
            cells += [number(record.parameters, f"{record.parameters:,}"), text(record.licence)]
            body.append(cells)
            rows.append(ranks | {"parameters": record.parameters, "licence": record.licence})
    table = Table(
        slug="systems",
        caption="Tie tier and interval of ranks by the worst group, task by task",
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
