"""``python -m benchmark papers``: what papers print, and what we measure by the same protocol."""

from __future__ import annotations

from collections.abc import Sequence
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
) -> None:
    """Print a paper's tables as they were printed, with what has to be known of them."""
    from benchmark.papers import find_paper

    paper = find_paper(name)
    if as_json:
        print_json(paper.model_dump(mode="json"))
        return
    typer.echo(f"{paper.title}\n{paper.source}")
    for each in paper.tables:
        if table is None or each.table == table:
            rows = [
                [
                    row.system,
                    *(_number(v, c) for v, c in zip(row.values, each.columns, strict=True)),
                    row.flag,
                ]
                for row in each.rows
            ]
            typer.echo("")
            typer.echo(_title(each))
            print_table(["", *_heads(paper, each), ""], rows)
    _cautions(paper.cautions)


@app.command()
def compare(  # noqa: PLR0917 - options are given by name
    data: Annotated[str, typer.Option(help="The dataset that papers print numbers on.")],
    mapping: Annotated[str, typer.Option(help="How to read it.")] = "lol-v1",
    system: Annotated[
        list[str] | None,
        typer.Option(help="As for run; default: what papers name and is at hand. Repeat."),
    ] = None,
    task: Annotated[str, typer.Option(help="Whose report is written.")] = "low-light-recognition",
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    runs: Annotated[Path, typer.Option(help="Where the run's folder goes.")] = Path("runs"),
    cache: Annotated[Path | None, typer.Option(help="Stage results, as for run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure systems by the papers' protocols, and print both in columns of their own."""
    from benchmark.cli.run import Devices, torch_device
    from benchmark.papers import side_by_side, tables_on
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
    if as_json:
        print_json(
            [
                {
                    "paper": p.name,
                    "table": t.table,
                    "title": t.title,
                    "rows": [vars(r) for r in rows],
                }
                for p, t, rows in joined
            ]
        )
        return
    for paper, table, rows in joined:
        _beside(paper, table, rows)
    _footnotes(found, [row for _, _, rows in joined for row in rows])
    cautions = [text for paper, _, _ in joined for text in paper.cautions]
    _cautions([*dict.fromkeys([*cautions, *found.cautions])])
    typer.echo(f"\nreport  {found.folder / 'report.html'}")


def _beside(paper: PaperSpec, table: PrintedTable, rows: Sequence[Beside]) -> None:
    """Printed and measured columns in turn; one that was not measured here is left to ``show``."""
    followed = [
        (name, metric)
        for name in table.columns
        if (metric := paper.column(name).ours)
        and any(row.measured[metric] is not None for row in rows)
    ]
    if not followed:
        return
    heads = ["", *(h for n, m in followed for h in (f"{n}\nprinted", f"{m}\nhere"))]
    cells = []
    for row in rows:
        cell = [row.system + ("*" if row.flag else "")]
        for name, metric in followed:
            cell += [_number(row.printed[name], name), _number(row.measured[metric], name)]
        cells.append([*cell, _number(row.measured["psnr_gtmean"], "psnr")])
    typer.echo("")
    typer.echo(f"{paper.source}: {_title(table)}")
    print_table([*heads, "psnr_gtmean\nhere only"], cells)


def _footnotes(found: Measured, rows: Sequence[Beside]) -> None:
    from benchmark.papers import FLAGS

    for flag in dict.fromkeys(row.flag for row in rows if row.flag):
        who = dict.fromkeys(row.system for row in rows if row.flag == flag)
        typer.echo(f"\n* {', '.join(who)}: {FLAGS[flag]}")
    notes = {row.ours: row.note for row in rows if row.ours and row.note}
    typer.echo("\nWhat each of ours is, and has seen of these data:")
    for system, note in found.notes.items():
        typer.echo(f"- {system}: {'; '.join(filter(None, [notes.get(system, ''), note]))}")


def _title(table: PrintedTable) -> str:
    return f"table {table.table}, {table.title}" + (f" ({table.caution})" if table.caution else "")


def _heads(paper: PaperSpec, table: PrintedTable) -> list[str]:
    units = [paper.column(name).unit for name in table.columns]
    return [f"{n} {u}".strip() for n, u in zip(table.columns, units, strict=True)]


def _number(value: float | None, column: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if column == "param" else f"{value:.3f}"


def _cautions(texts: Sequence[str]) -> None:
    typer.echo("")
    for text in texts:
        typer.echo(f"! {text}")
