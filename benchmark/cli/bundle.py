"""``python -m benchmark bundle``: a run as one file of evidence, and ``bundle verify``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _WriteUnlessNamed(TyperGroup):
    """``bundle RUN`` means ``bundle write RUN``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["write", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WriteUnlessNamed,
    no_args_is_help=True,
    help="One file of evidence: `bundle RUN` writes it, `bundle verify FILE` checks it.",
)


@app.command()
def write(
    run: Annotated[Path, typer.Argument(help="A finished run, runs/<run_id>.")],
    out: Annotated[Path | None, typer.Option(help="The file; default: RUN.zip.")] = None,
) -> None:
    """Write manifest, tables, figures, specification and digests as one archive."""
    from benchmark.evidence.bundle import write_bundle
    from benchmark.files import sha256_of_file

    path = write_bundle(run, out)
    typer.echo(f"{sha256_of_file(path)}  {path}")


@app.command()
def verify(file: Annotated[Path, typer.Argument(help="A bundle.")]) -> None:
    """Check every digest and compute the aggregates again; exit 1 if anything differs."""
    from benchmark.evidence.bundle import verify_bundle

    found = verify_bundle(file)
    for problem in found.problems:
        typer.echo(f"- {problem}")
    if found.problems:
        typer.echo(f"NOT verified: {found.run_id}")
        raise typer.Exit(1)
    typer.echo(f"verified: {found.run_id}, {found.n_files} files, sha256 {found.sha256}")
    typer.echo(f"computed again from the samples: {', '.join(found.recomputed)}")
    typer.echo(f"held to their digest only: {', '.join(found.by_digest)}")
    if found.drawn:
        typer.echo(
            f"not vouched for by the run, made by whoever packed it: {_shortly(found.drawn)}"
        )


def _shortly(names: Sequence[str]) -> str:
    figures = [name for name in names if name.startswith("figures/")]
    pages = [name for name in names if name not in figures]
    return ", ".join([*pages, f"{len(figures)} figures"] if figures else pages)
