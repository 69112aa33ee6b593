"""``python -m benchmark probe``: the embedded data, and why it can carry a claim."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import print_json, print_table

if TYPE_CHECKING:
    from benchmark.probes.evidence import Findings

app = typer.Typer(help="The embedded rendered data.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="faces, fundus, signs ...")]


@app.command()
def evidence(
    name: Name,
    subjects: Annotated[int, typer.Option(min=1, help="People, eyes or scenes measured.")] = 60,
    views: Annotated[int, typer.Option(min=1, help="Varied views of each.")] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Measure what a probe promises; exit 1 if a promise is broken."""
    from benchmark.probes import ProbeSettings
    from benchmark.probes.evidence import inquiry
    from benchmark.progress import Reporter

    measure = inquiry(name)
    with Reporter().task(f"render {name}", subjects) as advance:
        found = measure(ProbeSettings(subjects=subjects, views=views), advance=advance)
    if as_json:
        promises = [asdict(promise) for promise in found.promises]
        print_json(dict(found.numbers) | {"holds": found.holds, "promises": promises})
    else:
        _print_findings(found)
    if not found.holds:
        raise typer.Exit(1)


def _print_findings(found: Findings) -> None:
    print_table(found.columns, found.rows, title=found.title)
    print_table(
        ["promise", "measured", "wanted", ""],
        [
            [each.what, each.measured, each.wanted, "kept" if each.kept else "BROKEN"]
            for each in found.promises
        ],
    )
    typer.echo("every promise is kept" if found.holds else "A PROMISE IS BROKEN")


@app.command()
def render(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder for the Hugging Face dataset.")],
    subjects: Annotated[int, typer.Option(min=1, help="People, eyes or scenes.")] = 12,
    views: Annotated[int, typer.Option(min=1, help="Varied views of each in each group.")] = 2,
    split: Annotated[str, typer.Option(help="Name of the set of subjects.")] = "test",
) -> None:
    """Render samples and save them: ``datasets.load_from_disk(out)`` reads them."""
    from benchmark.probes import PROBES, ProbeSettings
    from benchmark.probes.export import views_dataset
    from benchmark.progress import Reporter

    probe = PROBES.get(name)
    with Reporter().task(f"render {name}", subjects) as advance:
        made = probe(ProbeSettings(subjects=subjects, views=views, split=split), advance=advance)
    dataset = views_dataset(made)
    dataset.save_to_disk(out)
    typer.echo(f"{name}: {len(dataset)} images in {out}")
