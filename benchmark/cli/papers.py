"""``python -m benchmark papers``: what papers print, and what we measure by the same protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import print_json, print_table
from benchmark.spec.origin import TRUST

if TYPE_CHECKING:
    from benchmark.papers import Beside
    from benchmark.runner.comparison import Measured
    from benchmark.spec.paper import PaperSpec, PrintedTable

app = typer.Typer(help="Printed numbers, beside ours and never among them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Tables for a page.")]


@dataclass(frozen=True)
class Grid:
    """A table to be printed."""

    title: str
    heads: list[str]
    rows: list[list[str]]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the papers whose tables are here."""
    from benchmark.papers import find_paper, paper_names

    papers = [find_paper(name) for name in paper_names()]
    if as_json:
        print_json([{"name": p.name, "title": p.title, "source": p.source} for p in papers])
    else:
        print_table(["name", "title", "source"], [[p.name, p.title, p.source] for p in papers])


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="For example skf.")],
    table: Annotated[str | None, typer.Option(help="Only the table of this number.")] = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Print a paper's tables as they were printed, with what has to be known of them."""
    from benchmark.papers import find_paper, side_by_side

    paper = find_paper(name)
    if as_json:
        print_json(paper.model_dump(mode="json"))
        return
    typer.echo(f"{paper.title}\n{paper.source}")
    rows: list[Beside] = []
    for each in paper.tables:
        if table is None or each.table == table:
            shown = side_by_side(paper, each, {})
            columns = [_printed([row.printed[name] for row in shown]) for name in each.columns]
            cells = [[r.label, *found] for r, *found in zip(shown, *columns, strict=True)]
            _print(Grid(_title(each), ["", *_heads(paper, each)], cells), as_markdown)
            rows += shown
    _flags(rows)
    _cautions(paper.cautions)


@app.command()
def compare(  # noqa: PLR0917 - options are given by name
    data: Annotated[str, typer.Option(help="The dataset that papers print numbers on.")],
    mapping: Annotated[str, typer.Option(help="How to read it.")] = "lol-v1",
    system: Annotated[
        list[str] | None,
        typer.Option(help="As for run; default: what papers name and is at hand. Repeat."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every published system that is at hand and the classical methods, beside "
            "those of --system.",
        ),
    ] = False,
    task: Annotated[str, typer.Option(help="Whose report is written.")] = "low-light-recognition",
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    runs: Annotated[Path, typer.Option(help="Where the run's folder goes.")] = Path("runs"),
    cache: Annotated[Path | None, typer.Option(help="Stage results, as for run.")] = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Measure systems by the papers' protocols, and print both in columns of their own."""
    from benchmark.cli.run import Devices, torch_device
    from benchmark.papers import not_printed, side_by_side, tables_on
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.runner.comparison import measure
    from benchmark.runner.store import Store
    from benchmark.spec.catalogue import find_task

    found = measure(
        find_task(task),
        data=data,
        mapping=mapping,
        systems=tuple(system or ()),
        everything=everything,
        device=torch_device(Devices.AUTO),
        store=Store(cache or cache_root()),
        runs=runs,
        reporter=Reporter(),
        trust=trust,
    )
    joined = [
        (paper, table, side_by_side(paper, table, found.means))
        for paper, table in tables_on(found.dataset)
    ]
    others = not_printed(found.means, found.dataset)
    if as_json:
        tables = [
            {"paper": p.name, "table": t.table, "title": t.title, "rows": [*map(asdict, rows)]}
            for p, t, rows in joined
        ]
        print_json(
            {
                "tables": tables,
                "not_printed": {name: dict(found.means[name]) for name in others},
                "notes": dict(found.notes),
                "cautions": list(found.cautions),
            }
        )
        return
    # one that was not measured at all is left to ``show``
    grids = [_beside(*each) for each in joined if any(map(_measured, each[2]))]
    for grid in [*grids, _alone(found, others)] if others else grids:
        _print(grid, as_markdown)
    _flags([row for _, _, rows in joined for row in rows])
    _seen(found, [row for _, _, rows in joined for row in rows])
    cautions = [text for paper, _, _ in joined for text in paper.cautions]
    _cautions([*dict.fromkeys([*cautions, *found.cautions])])
    if not as_markdown:
        typer.echo(f"\nreport  {found.folder / 'report.html'}")


def _measured(row: Beside) -> bool:
    return any(value is not None for value in row.measured.values())


def _beside(paper: PaperSpec, table: PrintedTable, rows: Sequence[Beside]) -> Grid:
    """Printed and measured columns in turn, and ours at the brightness of the ground truth."""
    from benchmark.papers import AT_BRIGHTNESS

    columns = {"": [row.label for row in rows]}
    for name in table.columns:
        metric = paper.column(name).ours
        columns[f"{name}\nprinted"] = _printed([row.printed[name] for row in rows])
        if metric and any(row.measured[metric] is not None for row in rows):
            columns[f"{metric}\nhere"] = [_number(row.measured[metric]) for row in rows]
    columns[f"{AT_BRIGHTNESS}\nhere only"] = [_number(row.measured[AT_BRIGHTNESS]) for row in rows]
    cells = [[*row] for row in zip(*columns.values(), strict=True)]
    return Grid(f"{paper.source}: {_title(table)}", [*columns], cells)


def _alone(found: Measured, systems: Sequence[str]) -> Grid:
    """What no paper here prints a row of."""
    rows = [
        [name, *(_number(found.means[name].get(metric)) for metric in found.metrics)]
        for name in systems
    ]
    return Grid("In none of these tables", ["", *(f"{m}\nhere" for m in found.metrics)], rows)


def _flags(rows: Iterable[Beside]) -> None:
    from benchmark.papers import FLAGS, flag_number

    found = {row.flag for row in rows}
    typer.echo("")
    for flag, meaning in FLAGS.items():
        if flag in found:
            typer.echo(f"({flag_number(flag)}) {meaning}")


def _seen(found: Measured, rows: Iterable[Beside]) -> None:
    notes = {row.ours: row.note for row in rows if row.ours and row.note}
    typer.echo("\nWhat each of ours is, and has seen of these data:\n")
    for system, note in found.notes.items():
        typer.echo(f"- {system}: {'; '.join(filter(None, [notes.get(system, ''), note]))}")


def _print(grid: Grid, as_markdown: bool) -> None:
    typer.echo("")
    typer.echo(grid.title)
    if not as_markdown:
        print_table(grid.heads, grid.rows)
        return
    typer.echo("")
    rule = ["---", *(["---:"] * (len(grid.heads) - 1))]
    for row in [[head.replace("\n", " ") for head in grid.heads], rule, *grid.rows]:
        typer.echo(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |")


def _title(table: PrintedTable) -> str:
    number = f"table {table.table}" if table.table.isdigit() else table.table
    return f"{number}, {table.title}" + (f" ({table.caution})" if table.caution else "")


def _heads(paper: PaperSpec, table: PrintedTable) -> list[str]:
    units = [paper.column(name).unit for name in table.columns]
    return [f"{n} {u}".strip() for n, u in zip(table.columns, units, strict=True)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _printed(values: Sequence[float | None]) -> list[str]:
    """A column with the digits that it was printed with, which its longest number tells."""
    found = [len(repr(value).partition(".")[2]) for value in values if value is not None]
    digits = max(found, default=0)
    return ["-" if value is None else f"{value:.{digits}f}" for value in values]


def _cautions(texts: Iterable[str]) -> None:
    typer.echo("")
    for text in texts:
        typer.echo(f"! {text}")
