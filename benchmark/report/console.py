"""The summary of a run as a person reads it in ten seconds, on a terminal or in a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from benchmark.report.highlights import effect_sentence, spread_metrics
from benchmark.report.manifest import MetricRecord, SystemRecord
from benchmark.report.model import RunView
from benchmark.report.sections import sections
from benchmark.report.summary import Cell, Line, lines
from benchmark.report.table import Table as PageTable
from benchmark.report.wording import (
    GAP_VERDICTS,
    RECONSTRUCTION,
    SEEN,
    Scale,
    clean,
    humanise,
    shorten,
)

_WIDE = 118
_VERDICT_STYLES = {"gap": "bold red"}


@dataclass(frozen=True)
class _Layout:
    wide: bool
    name: int


def print_summary(view: RunView, console: Console) -> None:
    """Print the headline table, the arm effects, what is missing and where the files are.

    Nothing depends on colour. Groups that are small or too small are flagged and never hidden;
    where an axis has more groups than fit, the best and the worst are printed.
    """
    wide = console.width >= _WIDE
    layout = _Layout(wide=wide, name=24 if wide else 13)
    manifest = view.manifest
    out = _Printer(console)
    out.line(f"Equilux  {manifest.task.title}", style="bold")
    out.line(manifest.task.question)
    seeds = ", ".join(map(str, manifest.seeds)) or "none"
    out.line(
        f"profile {manifest.profile}, {manifest.device}, {manifest.n_samples} samples, "
        f"seeds {seeds}"
    )
    for warning in manifest.warnings:
        out.line(f"! {warning}", style="bold yellow")
    _tables(view, console, out, layout)
    _legend(view, out, layout)
    _parts(view, console, out)
    _effects(view, out)
    if manifest.reconstructed:
        out.line(RECONSTRUCTION)
    _unavailable(view, out)
    out.line("")
    report = view.folder / "report.html"
    if report.is_file():
        out.line(f"report  {report}")
    out.line(f"tables  {view.folder}/*.parquet")


class _Printer:
    """Plain lines: no markup, no highlighting, no control characters from names."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def line(self, text: str, *, style: str = "") -> None:
        self.console.print(Text(clean(text), style=style), soft_wrap=False)

    def item(self, text: str) -> None:
        """A paragraph with a hanging indent."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row("-", Text(clean(text)))
        self.console.print(grid)


def _tables(view: RunView, console: Console, out: _Printer, layout: _Layout) -> None:
    """One table per metric whose groups are compared; quality stands in the first."""
    line = view.manifest.headline
    available = {metric.name: metric for metric in view.manifest.headline_metrics}
    quality = available.get(line.quality)
    for position, metric in enumerate(spread_metrics(view)):
        better = "higher" if metric.direction == 1 else "lower"
        out.line("")
        out.line(
            f"{view.tag(metric)}{metric.name} by {humanise(line.axis)}: {metric.summary} "
            f"({better} is better)",
            style="bold",
        )
        beside = quality if position == 0 and quality is not metric else None
        table = _table(view, metric, beside, layout, every=True)
        unbounded = console.options.update(max_width=1000)
        if Measurement.get(console, unbounded, table).maximum > console.width:
            table = _table(view, metric, beside, layout, every=False)
        console.print(table)


def _table(
    view: RunView,
    metric: MetricRecord,
    quality: MetricRecord | None,
    layout: _Layout,
    *,
    every: bool,
) -> Table:
    axis = view.manifest.headline.axis
    levels = view.levels(axis)
    rows = lines(view, metric, axis)
    headings = [f"all\n{Scale.of(metric).unit}".strip()]
    if quality:
        headings.insert(0, f"{shorten(quality.name, 8)}\n{Scale.of(quality).unit}".strip())
    headings += _group_headings(levels, rows) if every else ["worst", "best"]
    headings += [
        "gap",
        "null",
        "deficit\n95% interval" if layout.wide else "deficit\n95% int.",
    ]
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2 if layout.wide else 1, 0, 0),
        show_edge=False,
    )  # fmt: skip
    table.add_column("system", overflow="fold", min_width=layout.name, max_width=layout.name)
    for heading in headings:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    table.add_column("verdict" if layout.wide else "", no_wrap=True)
    qualities = lines(view, quality, axis) if quality else (None,) * len(rows)
    for row, other in zip(rows, qualities, strict=True):
        table.add_row(*_row(row, other, layout, every=every))
    return table


def _group_headings(levels: tuple[str, ...], rows: tuple[Line, ...]) -> list[str]:
    counts = (max(row.groups[i].n_clusters for row in rows) for i in range(len(levels)))
    return [f"{shorten(level, 9)}\nn={n}" for level, n in zip(levels, counts, strict=True)]


def _row(row: Line, quality: Line | None, layout: _Layout, *, every: bool) -> list[Text]:
    fine = 0 if layout.wide or row.metric.kind == "rate" else -1
    scale = Scale.of(row.metric, fine=fine)
    cells = [Text(_name(row.system), style="bold" if row.system.kind == "trained" else "")]
    if quality:
        number = Scale.of(quality.metric, fine=0 if layout.wide else -1).number
        cells.append(Text(number(quality.overall.mean)))
    cells.append(Text(scale.number(row.overall.mean)))
    cells += [_cell(cell, scale) for cell in row.groups] if every else _extremes(row)
    found = row.disparity
    if found is None:
        return [*cells, *[Text("-")] * 4]
    word, short, _ = GAP_VERDICTS.get(found.verdict, (found.verdict,) * 3)
    interval = scale.interval(found.low, found.high)
    style = _VERDICT_STYLES.get(found.verdict, "")
    return [
        *cells,
        Text(scale.number(found.gap)),
        Text(scale.number(found.null_mean)),
        Text(interval if layout.wide else interval.strip("[]").replace(", ", "..")),
        Text(word if layout.wide else short, style),
    ]


def _name(system: SystemRecord) -> str:
    """A system with the mark of what it has seen of the data."""
    return f"{clean(system.name)} {SEEN.get(system.seen, ('', ''))[0]}".rstrip()


def _cell(cell: Cell, scale: Scale) -> Text:
    """A group's mean with its flags: ``*`` worst, ``?`` worst but unsure, ``~`` small, ``( )``."""
    number = scale.number(cell.mean)
    if cell.size_class in {"insufficient", "empty"}:
        return Text(f"({number})" if number != "-" else "-", style="dim")
    flags = {"worst": "*", "tentative": "?"}.get(cell.worst, "")
    flags += "~" if cell.size_class == "small" else ""
    return Text(f"{number}{flags}", style="bold" if cell.worst else "")


def _extremes(row: Line) -> list[Text]:
    if row.disparity is None:
        return [Text("-"), Text("-")]
    return [Text(shorten(n, 9) or "-") for n in (row.disparity.worst, row.disparity.best)]


def _legend(view: RunView, out: _Printer, layout: _Layout) -> None:
    axis = view.manifest.headline.axis
    sizes = set(view.groups.loc[view.groups["axis"] == axis, "size_class"])
    notes = ["* worst group, ? not sure that it is"]
    if "small" in sizes:
        notes.append("~ small group")
    if sizes & {"insufficient", "empty"}:
        notes.append("( ) too few subjects, not used")
    notes.append("gap: best - worst")
    notes.append("null: the gap to expect by chance if all groups were equal")
    notes.append("deficit: how far the worst group is behind the mean of the others")
    found = view.gaps[view.gaps["axis"] == axis]["verdict"].unique()
    words = [GAP_VERDICTS[v] for v in GAP_VERDICTS if v in found and v != "gap"]
    notes += [f"{word if layout.wide else short}: {text}" for word, short, text in words]
    seen = {system.seen for system in view.manifest.systems}
    marks: dict[str, list[str]] = {}
    for mark, meaning in (SEEN[how] for how in SEEN if how in seen):
        marks.setdefault(mark, []).append(meaning)
    notes += [f"{mark} {' or '.join(meanings)}" for mark, meanings in marks.items()]
    out.line("")
    out.line("; ".join(notes), style="dim")
    out.line("")


def _parts(view: RunView, console: Console, out: _Printer) -> None:
    """The short tables and the findings of what only some tasks have."""
    found = sections(view)
    names = {clean(system.name): _name(system) for system in view.manifest.systems}
    for part in found:
        for brief in part.brief:
            out.line(brief.caption, style="bold")
            console.print(_brief(brief, names))
            out.line("")
    for part in found:
        for sentence in part.findings:
            out.item(sentence)


def _brief(found: PageTable, names: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for position, column in enumerate(found.columns):
        heading = Text("\n".join(clean(part) for part in (column.title, column.note) if part))
        table.add_column(
            heading,
            justify="right" if column.numeric else "left",
            overflow="fold",
            min_width=13 if position == 0 else None,
            no_wrap=position > 0,
        )
    for row in found.rows:
        first, *rest = (clean(cell.text) for cell in row)
        table.add_row(Text(names.get(first, first)), *map(Text, rest))
    return table


def _effects(view: RunView, out: _Printer) -> None:
    for comparison in view.manifest.comparisons:
        for metric in spread_metrics(view):
            sentence = effect_sentence(view, comparison, metric)
            if sentence:
                out.item(sentence)


def _unavailable(view: RunView, out: _Printer) -> None:
    missing = [metric for metric in view.manifest.metrics if not metric.available]
    if missing:
        out.line("Not measured here:")
    for metric in missing:
        out.item(f"{metric.name}: {metric.reason}. To mend: {metric.mend}")
