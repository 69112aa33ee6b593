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
from benchmark.report.scales import limits
from benchmark.report.summary import Cell, Disparity, Effect, Line
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.table import strip as gap_strip
from benchmark.report.tables import (
    BLANK,
    cell,
    effect_verdict,
    gap_verdict,
    largest,
)
from benchmark.report.wording import SEEN, Scale, clean, humanise, shorten, target

#: Beside a system that learned from this suite's own pictures.
SAME_RENDERER = "knows the renderer"
_NAN = math.nan
#: Size classes of groups that are large enough to be compared.
COMPARED = frozenset({"full", "small"})
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
    """One row a system: worst group, quality, gap and null, tie tiers, effect, cost.

    Args:
        board: where it was measured.
        metric: what systems are ranked by.
        only: systems to show, on the scale of all; all if empty.
    """
    if metric.name not in board.tables:
        board.tables[metric.name] = _whole(board, metric)
    whole = board.tables[metric.name]
    if not only:
        return whole
    rows = zip(board.ordered, whole.rows, strict=True)
    mine = [row for record, row in rows if record.system in only]
    return replace(whole, rows=mine, filterable=False)


def _whole(board: Board, metric: MetricRecord) -> Table:
    scale = Scale.of(metric)
    other = board.quality if board.quality and board.quality.name != metric.name else None
    found, changes = board.lines(metric), board.effects(metric)
    rows = [found[record.key] for record in board.ordered]
    longest = largest(row.disparity for row in rows)
    ends = limits(rows, scale)
    body = []
    for row in rows:
        own = row.system.key
        cells = [
            linked(row.system),
            tier(board, metric, own, "worst"),
            _worst(row, board, scale),
            shapes(row, board, ends, scale),
            cell(row.overall, scale),
        ]
        if other:
            cells.append(cell(board.lines(other)[own].overall, Scale.of(other)))
        cells += [
            *_gap(row.disparity, scale, longest),
            tier(board, metric, own, "overall"),
            _effect(changes.get(own, ()), metric),
            _failures(board, own),
            *_cost(row.system),
            kind(row.system),
        ]
        body.append(cells)
    better = "higher" if metric.direction == 1 else "lower"
    columns = [
        TH("system"),
        TH("tie tier", note="worst group", numeric=True, facet=True),
        TH("worst group", note=scale.unit, numeric=True),
        TH("groups"),
        TH("all", note=scale.unit, numeric=True),
    ]
    if other:
        columns.append(TH(humanise(other.name), note=Scale.of(other).unit, numeric=True))
    columns += [
        TH("gap", note=f"{scale.difference_unit} and by chance".strip(), numeric=True),
        TH("verdict", note="deficit, 95 %", facet=True),
        TH("tie tier", note="all", numeric=True),
        TH("arm effect", note="worst group"),
        TH("failed", note="%", numeric=True),
        TH("latency", note="ms an image", numeric=True),
        TH("parameters", numeric=True),
        TH("kind", facet=True),
    ]
    return Table(
        slug=f"{board.name}-{metric.name}",
        caption=f"{board.view.tag(metric)}{humanise(metric.name)} by {humanise(board.axis)}: "
        f"{metric.summary} ({better} is better)",
        columns=columns,
        rows=body,
        filterable=True,
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
        effect = _telling(changes.get(own, ()))
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
                **ranks("all", overall),
                **ranks("worst", least),
                "arm_effect_on": effect.target if effect else "",
                "arm_effect": effect.value if effect else _NAN,
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
    """A system's name as a link to its page, with its arm and what it has seen of real data."""
    name = escape(shorten(system.system, 60))
    link = Markup(f'<a href="{folder}{page_of(system.system)}">{name}</a>')
    tone = "reference" if system.kind == "reference" else ""
    note = ", ".join(filter(None, (system.arm, SEEN.get(system.seen, ("", ""))[1])))
    own = clean(system.name).casefold()
    return TD(link, sort=own, note=note, hint=shorten(system.note, 300), tone=tone)


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


def _notes(metric: MetricRecord) -> tuple[str, ...]:
    if not metric.in_loss:
        return ()
    return (f"{metric.name} is part of a training loss here: it is no independent evidence.",)


def worst_group(row: Line, levels: Sequence[str]) -> tuple[str, Cell]:
    """The group that gets least of those that are compared: its name and mean."""
    known = [
        (row.metric.direction * group.mean, level, group)
        for level, group in zip(levels, row.groups, strict=True)
        if group.size_class in COMPARED and math.isfinite(group.mean)
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


def shapes(row: Line, board: Board, ends: tuple[float, float], scale: Scale) -> TD:
    """The groups of one system on a line, in words for those who do not see it."""
    levels = board.levels
    words = ", ".join(
        f"{humanise(level)} {scale.number(group.mean, blank='unknown')}"
        for level, group in zip(levels, row.groups, strict=True)
    )
    spoken = Markup('<span class="vh">{}</span>').format(clean(words))
    return TD(spoken, sort=row.overall.mean, graphic=strip(row, *ends, scale), hint=words)


def _gap(found: Disparity | None, scale: Scale, longest: float) -> tuple[TD, TD]:
    """A gap over the one that chance gives, and the verdict over the deficit that it rests on."""
    if found is None:
        return TD(BLANK), TD(BLANK)
    drawing = gap_strip(found.gap, found.null_mean, found.null_p95, longest)
    chance, most = scale.number(found.null_mean, blank=""), scale.number(found.null_p95, blank="")
    note = f"chance {chance}" + (f" (< {most})" if most else "") if chance else ""
    verdict = gap_verdict(found)
    shown = Markup("{}{}").format(scale.number(found.gap, blank=BLANK), drawing or "")
    return (
        number(found.gap, shown, note=note),
        replace(
            verdict,
            sort=_known((found.low + found.high) / 2),
            note=scale.interval(found.low, found.high, blank="no interval"),
        ),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def tier(board: Board, metric: MetricRecord, key: Key, target: str) -> TD:
    """The tie tier over the interval of ranks, by everybody or by the worst group."""
    row = board.standing.get((metric.name, target, key))
    if row is None:
        return TD(BLANK)
    note = f"rank {row['rank_low']:g} to {row['rank_high']:g}"
    return number(float(row["tier"]), f"{row['tier']:g}", note=note)


def ranks(target: str, row: Mapping[Any, Any]) -> dict[Hashable, Any]:
    """The same as numbers."""
    return {
        f"{target}_tier": row.get("tier", _NAN),
        f"{target}_rank_low": row.get("rank_low", _NAN),
        f"{target}_rank_high": row.get("rank_high", _NAN),
    }


def _telling(found: Sequence[Effect]) -> Effect | None:
    """What the schedule did to the worst group, or overall where no group is called worst."""
    by_target = {effect.target: effect for effect in found}
    return by_target.get("worst") or by_target.get("overall")


def _effect(found: Sequence[Effect], metric: MetricRecord) -> TD:
    effect = _telling(found)
    if effect is None:
        return TD(BLANK)
    scale = Scale.of(metric, fine=int(metric.kind == "rate"))
    verdict = effect_verdict(effect)
    interval = scale.interval(effect.low, effect.high, signed=True, blank="no interval")
    on = "" if effect.target == "worst" else f"{target(effect.target)} "
    note = f"{on}{scale.signed(effect.value, blank=BLANK)} {interval}"
    return TD(verdict.text, sort=effect.value, note=note, hint=verdict.hint, tone=verdict.tone)


def _failures(board: Board, key: Key) -> TD:
    failures, expected = board.expected.get(key, (0, 0))
    share = 100 * failures / expected if expected else _NAN
    shown = BLANK if math.isnan(share) else f"{share:.1f}" if failures else "0"
    return number(share, shown, note=f"{failures} of {expected}" if failures else "")


def kind(system: SystemRecord) -> TD:
    """What a system is; pictures of this renderer are no news to one that was trained here."""
    return text(system.kind, note=SAME_RENDERER if system.kind == "trained" else "", tone="word")


def _cost(system: SystemRecord) -> tuple[TD, TD]:
    latency = _NAN if system.latency_ms is None else system.latency_ms
    return (
        number(latency, BLANK if math.isnan(latency) else f"{latency:.1f}"),
        number(system.parameters, f"{system.parameters:,}"),
    )
