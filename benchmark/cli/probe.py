"""``python -m benchmark probe``: the embedded data, and why it can carry a claim."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import print_json, print_table

if TYPE_CHECKING:
    from benchmark.probes.faces.evidence import Evidence

app = typer.Typer(help="The embedded rendered data.", no_args_is_help=True)


class Probes(StrEnum):
    """Which probes there are."""

    FACES = "faces"


class Tones(StrEnum):
    """Which skin tones every person is rendered in."""

    LEVELS = "levels"
    ALL = "all"


Name = Annotated[Probes, typer.Argument()]


@app.command()
def evidence(
    name: Name,
    identities: Annotated[int, typer.Option(help="People measured.")] = 60,
    views: Annotated[int, typer.Option(help="Varied views of each, beside the frontal one.")] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Measure what the probe promises, with the judges of record; exit 1 if a promise is broken."""
    from dataclasses import asdict

    from benchmark.judges.detection import FaceDetector
    from benchmark.judges.faces import FaceRecogniser
    from benchmark.probes.faces import FaceProbe
    from benchmark.probes.faces.evidence import gather_evidence
    from benchmark.progress import Reporter

    probe = FaceProbe(split="test", identities=identities, views=views)
    with Reporter().task(f"render {name.value}", identities * (views + 1)) as advance:
        found = gather_evidence(FaceRecogniser(), FaceDetector(), probe=probe, advance=advance)
    if as_json:
        print_json(asdict(found) | {"auc_spread": found.auc_spread, "holds": found.holds})
    else:
        _print_evidence(found)
    if not found.holds:
        raise typer.Exit(1)


def _print_evidence(found: Evidence) -> None:
    from benchmark.probes.faces import evidence as promises

    print_table(
        ["skin tone", "faces detected", "verification AUC"],
        [
            [level, f"{found.detection[level]:.1%}", f"{found.auc[level]:.4f}"]
            for level in found.detection
        ],
        title=f"{found.identities} people, {found.images} images per tone level, full exposure",
    )
    worst = max(found.colour, key=lambda tone: found.colour[tone])
    print_table(
        ["promise", "measured", "wanted"],
        [
            [
                "faces detected, worst level",
                f"{min(found.detection.values()):.1%}",
                f"at least {promises.DETECTION_FLOOR:.0%}",
            ],
            [
                "verification AUC, worst level",
                f"{min(found.auc.values()):.4f}",
                f"at least {promises.AUC_FLOOR}",
            ],
            [
                "spread of AUC between levels",
                f"{found.auc_spread:.4f}",
                f"at most {promises.AUC_SPREAD_CEILING}",
            ],
            ["nearest training and test identity", f"{found.separation:.3f}", "above 0"],
            [
                f"published tone colour, worst ({worst})",
                f"delta E {found.colour[worst]:.2f}",
                f"at most {promises.COLOUR_CEILING}",
            ],
        ],
    )
    typer.echo("every promise is kept" if found.holds else "A PROMISE IS BROKEN")


@app.command()
def render(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder for the Hugging Face dataset.")],
    identities: Annotated[int, typer.Option(help="People.")] = 12,
    views: Annotated[int, typer.Option(help="Varied views of each.")] = 2,
    tones: Annotated[Tones, typer.Option(help="One of each level, or all ten.")] = Tones.LEVELS,
) -> None:
    """Render samples and save them: ``datasets.load_from_disk(out)`` reads them."""
    from benchmark.probes.faces import FaceProbe

    probe = FaceProbe(identities=identities, views=views, tones=tones.value)
    dataset = probe.build()
    dataset.save_to_disk(out)
    typer.echo(f"{name.value}: {len(dataset)} images in {out}")
