"""``python -m benchmark instruments``: the small networks that the suite trains for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.output import print_json, print_table
from benchmark.cli.run import Devices, torch_device

app = typer.Typer(help="Small networks that the suite trains for itself.", no_args_is_help=True)


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="Without: all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Print how an instrument was trained and how good it is, per group."""
    from benchmark.assets import INSTRUMENTS, asset_names, load_record

    names = (INSTRUMENTS.entry(name).name,) if name else asset_names()
    records = [load_record(n) for n in names]
    if as_json or name:
        print_json([record.model_dump() for record in records])
    else:
        rows = [[r.name, f"{r.parameters:,}", r.licence, r.summary] for r in records]
        print_table(["name", "parameters", "licence", "what it is"], rows)


@app.command()
def train(
    name: Annotated[str, typer.Argument()],
    out: Annotated[
        Path | None, typer.Option(help="Folder for weights and record; default: the package's.")
    ] = None,
    device: Annotated[Devices, typer.Option(help="auto takes the GPU if there is one.")] = (
        Devices.AUTO
    ),
) -> None:
    """Train an instrument again from its seeds; minutes on two cores."""
    from benchmark.assets import INSTRUMENTS

    record = INSTRUMENTS.get(name)(out, device=torch_device(device))
    typer.echo(f"{record.name}: sha256 {record.sha256}")
