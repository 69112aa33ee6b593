"""``python -m benchmark study router``: who recognises a degradation, and what a mistake costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from benchmark.cli.output import print_table

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.runner.routing import RouterStudy


def router_study(
    *,
    profile: str,
    clip: Sequence[str],
    vlm: Sequence[str],
    routes: Path | None,
    device: str,
    runs: Path,
    dry_run: bool,
) -> None:
    """Judge every classifier on the same pictures and print what a person needs to choose."""
    from benchmark.enhancers.routing import Routes
    from benchmark.runner.routing import SIMPLE, SIZES, run_router_study

    size = next(size for name, size in SIZES.items() if name == profile)
    chosen = Routes.read(routes) if routes else Routes()
    names = [*SIMPLE, *(f"clip:{m}" for m in clip), *(f"vlm:{m}" for m in vlm)]
    typer.echo(
        f"{', '.join(names)}: {size.views} test views of each of 4 contexts in 5 classes; routes "
        + ", ".join(f"{name} -> {system}" for name, system in chosen.systems().items())
    )
    if not dry_run:
        found = run_router_study(size, clip=clip, vlm=vlm, routes=chosen, runs=runs, device=device)
        _print(found, zero_shot=names[len(SIMPLE) :])


def _print(study: RouterStudy, *, zero_shot: Sequence[str]) -> None:
    from benchmark.contexts.router import CLASSES

    scores = study.scores.to_dict("records")
    print_table(
        ["classifier", "accuracy", "95 % interval", "macro-F1", "ECE", "abstained"],
        [
            [
                row["classifier"],
                f"{row['accuracy']:.3f}",
                _interval(row["ci_low"], row["ci_high"]),
                f"{row['macro_f1']:.3f}",
                f"{row['ece']:.3f}",
                _abstained(row["abstained"], row["no_answer"]),
            ]
            for row in scores
        ],
        title="what is wrong with the picture; intervals over clusters",
    )
    typer.echo("")
    print_table(
        ["classifier", *CLASSES],
        [[r["classifier"], *[_rate(r[f"recall_{name}"]) for name in CLASSES]] for r in scores],
        title="recall of every class",
    )
    for name, part in study.confusion.groupby("classifier", sort=False):
        typer.echo("")
        counts = part.pivot(index="truth", columns="route", values="n")
        table = counts.loc[list(CLASSES), list(CLASSES)].to_numpy()
        print_table(
            ["truth", *(f"-> {name}" for name in CLASSES)],
            [[truth, *map(str, row)] for truth, row in zip(CLASSES, table, strict=True)],
            title=f"confusion, {name}",
        )
    typer.echo("")
    print_table(
        ["classifier", "group", "people", "accuracy", "95 % interval", "size"],
        [
            [
                row["classifier"],
                row["group"],
                str(row["n_clusters"]),
                f"{row['mean']:.3f}",
                _interval(row["ci_low"], row["ci_high"]),
                row["size_class"],
            ]
            for row in study.groups[study.groups["axis"] != ""].to_dict("records")
        ],
        title="faces: accuracy of the route by skin tone and illumination",
    )
    typer.echo("")
    print_table(
        ["classifier", "truth", "wrong", "PSNR", "NLPD", "PSNR, all", "NLPD, all"],
        [
            [
                row["classifier"],
                row["truth"] or "all",
                f"{row['wrong']} of {row['n']}",
                *[_number(row[f"{m}_wrong"], places) for m, places in _METRICS],
                *[_number(row[m], places) for m, places in _METRICS],
            ]
            for row in study.costs.to_dict("records")
        ],
        title="cost of a wrong route, mean over wrong ones and over all: routed minus oracle\n"
        "(PSNR in dB; NLPD, a perceptual distance: more is worse)",
    )
    typer.echo("")
    print_table(
        ["classifier", "minus", "accuracy", "95 % interval", "clusters"],
        [
            [
                row["classifier"],
                row["other"],
                f"{row['effect']:+.3f}",
                _interval(row["ci_low"], row["ci_high"]),
                str(row["clusters"]),
            ]
            for row in study.versus.to_dict("records")
        ],
        title="side by side, paired by cluster",
    )
    typer.echo("")
    for line in verdicts(study.versus, zero_shot):
        typer.echo(line)
    typer.echo(f"tables  {study.folder}/*.parquet")


_METRICS = (("psnr", 2), ("nlpd", 4))


def verdicts(versus: pd.DataFrame, zero_shot: Sequence[str]) -> list[str]:
    """One sentence on every zero-shot model: whether the suite's small network beats it."""
    if not zero_shot:
        return [
            "No zero-shot model was given (--clip, --vlm): whether the simple classifiers beat one "
            "is not said here."
        ]
    lines = []
    for name in zero_shot:
        rows = versus[(versus["classifier"] == "cnn") & (versus["other"] == name)]
        low, high = float(rows["ci_low"].iloc[0]), float(rows["ci_high"].iloc[0])
        if low > 0:
            what = "the small network beats it"
        elif high < 0:
            what = "it beats the small network"
        else:
            what = "no evidence of a difference to the small network"
        lines.append(f"{name}: {what} ({_interval(low, high)} in accuracy)")
    return lines


def _interval(low: float, high: float) -> str:
    return (
        "-" if isnan(low) else f"{low:+.3f}..{high:+.3f}" if low < 0 else f"{low:.3f}..{high:.3f}"
    )


def _rate(value: float) -> str:
    return "-" if isnan(value) else f"{value:.2f}"


def _number(value: float, places: int) -> str:
    return "-" if isnan(value) else f"{value:+.{places}f}"


def _abstained(share: float, silent: float) -> str:
    return f"{share:.1%}" + (f", {silent:.1%} without an answer" if silent else "")
