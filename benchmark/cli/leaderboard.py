"""``python -m benchmark leaderboard``: committed results, and the site that is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.paths import CHECKOUT

app = typer.Typer(
    help="Commit the aggregates of runs and build the static site.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_HOME = CHECKOUT / "leaderboards"
_Results = Annotated[Path, typer.Option(help="Folder of committed results.")]


@app.command("add")
def add(
    run: Annotated[Path, typer.Argument(help="A finished run, runs/<run_id>.")],
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    results: _Results = _HOME / "results",
) -> None:
    """Extract what a leaderboard needs of a run: aggregates and digests, no rows of samples."""
    from benchmark.report.leaderboard import add_result

    folder, new = add_result(run, results, note=note)
    typer.echo(folder if new else f"{folder}: this run is there already, nothing changed")


@app.command("build")
def build(
    results: _Results = _HOME / "results",
    submissions: Annotated[Path, typer.Option(help="Folder of submissions.")] = (
        _HOME / "submissions"
    ),
    out: Annotated[Path, typer.Option(help="Where the site goes.")] = _HOME / "site",
) -> None:
    """Build the static site from committed results, submissions and task cards alone."""
    from benchmark.report.leaderboard import make_site

    pages = make_site(results, submissions, out)
    typer.echo(f"{out / 'index.html'}: {pages} pages")


@app.command("export")
def export(
    system: Annotated[str, typer.Argument(help="A system of the tables, such as clahe.")],
    arm: Annotated[str, typer.Option(help="Arm of a host.")] = "",
    results: _Results = _HOME / "results",
    out: Annotated[Path, typer.Option(help="Where the files go.")] = Path("hub"),
) -> None:
    """Write model index, .eval_results and a model card section for the Hugging Face Hub."""
    from benchmark.files import write_text
    from benchmark.report.leaderboard import export_system

    for name, content in export_system(results, system, arm).items():
        write_text(out / name, content)
        typer.echo(out / name)
