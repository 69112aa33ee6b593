"""``python -m benchmark instruments``: the small networks that the suite trains for itself."""

from __future__ import annotations

import typer

app = typer.Typer(help="Small networks that the suite trains for itself.", no_args_is_help=True)


@app.command()
def show(name: str = typer.Argument("", help="Empty: all of them.")) -> None:
    """Print training records and cards."""
    from benchmark.assets import asset_names, load_record
    from benchmark.cli.output import print_json

    print_json([load_record(n).model_dump() for n in ([name] if name else asset_names())])
