"""The command tree."""

from __future__ import annotations

import typer

from benchmark import __version__
from benchmark.cli import (
    bundle,
    card,
    catalogue,
    data,
    diff,
    gate,
    instruments,
    leaderboard,
    papers,
    probe,
    run,
    selftest,
    study,
    submit,
    weights,
)

app = typer.Typer(
    name="benchmark",
    help="Does an image enhancer treat everyone, and every context, equally well?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True),
) -> None:
    pass


app.command("run")(run.run)
app.command("report")(run.report)
app.command("diff")(diff.diff)
app.command("card")(card.card)
app.command("list")(catalogue.list_)
app.command("show")(catalogue.show)
app.command("reference")(catalogue.reference)
app.command("selftest")(selftest.selftest)
app.add_typer(data.app, name="data")
app.add_typer(gate.app, name="gate")
app.add_typer(bundle.app, name="bundle")
app.add_typer(weights.app, name="weights")
app.add_typer(probe.app, name="probe")
app.add_typer(papers.app, name="papers")
app.add_typer(study.app, name="study")
app.add_typer(submit.app, name="submit")
app.add_typer(instruments.app, name="instruments")
app.add_typer(leaderboard.app, name="leaderboard")
