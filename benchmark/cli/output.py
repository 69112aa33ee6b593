"""What commands print: plain tables and JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table


def print_json(content: Any) -> None:
    """JSON with sorted keys; nothing else goes to standard output with it."""
    typer.echo(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table that wraps in the terminal and stays readable in a pipe."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*[cell.replace("[", r"\[") for cell in row])
    Console(soft_wrap=False).print(table)
