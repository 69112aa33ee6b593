"""``python -m benchmark weights``: what is at hand, and how to get what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.output import print_json, print_table

app = typer.Typer(help="Published weight files, known by their digest.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name in the catalogue.")]


def _show(as_json: bool) -> bool:
    from benchmark.weights import WeightStore

    found = WeightStore().verify()
    if as_json:
        print_json(
            [
                {
                    "name": status.weight.name,
                    "state": status.state,
                    "path": str(status.path) if status.path else None,
                    "sha256": status.sha256 or None,
                    "licence": status.weight.licence,
                    "used_for": status.weight.used_for,
                    "note": status.weight.note,
                }
                for status in found
            ]
        )
    else:
        rows = [
            [
                s.weight.name,
                s.state,
                f"{s.weight.size / 1e6:.1f} MB" if s.weight.size else "?",
                s.weight.licence,
                s.weight.used_for,
            ]
            for s in found
        ]
        print_table(["name", "state", "size", "licence", "used for"], rows)
    return not any(status.state == "wrong" for status in found)


@app.command("list")
def list_(as_json: bool = typer.Option(False, "--json", help="Machine-readable.")) -> None:
    """Show every known file and whether it is at hand."""
    _show(as_json)


@app.command()
def verify(as_json: bool = typer.Option(False, "--json", help="Machine-readable.")) -> None:
    """Read every file anew and check its digest; exit 2 if one is wrong."""
    if not _show(as_json):
        raise typer.Exit(2)


@app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="Name in the catalogue, hub:owner/name@COMMIT for a model of transformers, or "
            "hub:owner/name@COMMIT/FILE for an enhancer."
        ),
    ],
) -> None:
    """Download one file or model; beside data fetch, nothing ever touches the network."""
    if name.startswith("hub:"):
        _from_hub(name)
        return
    from benchmark.progress import Reporter
    from benchmark.weights import WEIGHTS
    from benchmark.weights import fetch as fetch_weights

    size = WEIGHTS.get(name).size
    with Reporter().task(f"fetching {name}", max(size, 1)) as advance:
        before = 0

        def progress(done: int, total: int) -> None:
            nonlocal before
            advance(done - before)
            before = done

        located = fetch_weights(name, progress=progress)
    typer.echo(f"{name}: {located.path}\nsha256 {located.sha256}")


@app.command()
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(help="A copy of the file that you have.")],
) -> None:
    """Take a file that you have into the store, if it is the declared one.

    Where nobody publishes a digest, it has to fit the network that it is for, key by key.
    """
    from benchmark.enhancers.published import inspection_of
    from benchmark.weights import WeightStore

    located = WeightStore().add(name, file, inspect=inspection_of(name))
    typer.echo(f"{name}: {located.path}\nsha256 {located.sha256}")


def _from_hub(name: str) -> None:
    """A file behind the commit is an enhancer's; without one the whole model is meant."""
    if "/" in name.partition("@")[2]:
        from benchmark.enhancers.adapters.outside import fetch as fetch_file
        from benchmark.spec.origin import parse_origin

        typer.echo(f"{name}: {fetch_file(parse_origin(name))}")
        return
    from benchmark.weights.models import fetch_model

    model = fetch_model(name)
    typer.echo(f"{name}: {model.folder}\nsha256 {model.digest}")
