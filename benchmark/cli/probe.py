"""``python -m benchmark probe``: the embedded data, and why it can carry a claim."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.output import print_json, print_table

app = typer.Typer(help="The embedded rendered data.", no_args_is_help=True)
