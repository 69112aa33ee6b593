"""``python -m benchmark card``: what a task is made of, for people and for machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def card(
    task: Annotated[str, typer.Option(help="Name of a task, or path of a task.yaml.")],
    run: Annotated[
        Path | None, typer.Option(help="A finished run, for the numbers that only runs measure.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Reference to your own data instead of the probe.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="How to read --data: a YAML file or a shipped name.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default: the task's, or the run's for your data.")
    ] = None,
) -> None:
    """Write card.md, croissant.json and, for a probe, samples.csv."""
    from benchmark.errors import EquiluxError
    from benchmark.report.cards import write_card
    from benchmark.spec.catalogue import find_task

    found = find_task(task)
    if out is None:
        out = _default(found.folder, run, data)
    if out is None:
        raise EquiluxError(
            "where should the card of your data go?", mend="name a folder with --out, or a --run"
        )
    files = write_card(found, out=out, run=run, data=data, mapping=mapping)
    for path in (files.card, files.croissant, files.samples):
        if path is not None:
            typer.echo(path)


def _default(folder: Path, run: Path | None, data: str | None) -> Path | None:
    """A probe's card belongs to its task; a card of somebody's data stays beside their run."""
    if data is not None:
        return run
    if run is None:
        return folder
    from benchmark.report.model import load_run

    return run if "mapping" in load_run(run).manifest.data else folder
