"""``python -m benchmark study router``: who recognises a degradation, and what a mistake costs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
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

    shown = short_names(study.scores["classifier"])
    scores = study.scores.replace({"classifier": shown}).to_dict("records")
    print_table(
        ["classifier", "accuracy", "95 % interval", "best guess", "macro-F1", "ECE", "abstained"],
        [
            [
                row["classifier"],
                f"{row['accuracy']:.3f}",
                _interval(row["ci_low"], row["ci_high"]),
                f"{row['best_guess']:.3f}",
                f"{row['macro_f1']:.3f}",
                f"{row['ece']:.3f}",
                f"{row['abstained']:.1%}",
            ]
            for row in scores
        ],
        title="what is wrong with the picture; accuracy of the route, where abstaining says none,\n"
        "with intervals over clusters, and of the best guess, believed or not",
    )
    for row in scores:
        if row["no_answer"]:
            typer.echo(
                f"{row['classifier']} gave no answer to {row['no_answer']:.1%} of the pictures"
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
            title=f"confusion, {shown[str(name)]}",
        )
    typer.echo("")
    groups = study.groups[study.groups["axis"] != ""]
    told = groups[groups["size_class"] != "insufficient"]
    print_table(
        ["classifier", "group", "people", "accuracy", "95 % interval", "size"],
        [
            [
                shown[row["classifier"]],
                row["group"],
                str(row["n_clusters"]),
                f"{row['mean']:.3f}",
                _interval(row["ci_low"], row["ci_high"]),
                row["size_class"],
            ]
            for row in told.to_dict("records")
        ],
        title="faces: accuracy of the route by skin tone and illumination",
    )
    if few := (len(groups) - len(told)) // len(scores):
        typer.echo(f"{few} groups have too few people to tell: groups.parquet")
    for line in unequal(study.gaps.replace({"classifier": shown})):
        typer.echo(line)
    typer.echo("")
    print_table(
        ["classifier", "truth", "wrong", "PSNR", "NLPD", "PSNR, all", "NLPD, all"],
        [
            [
                shown[row["classifier"]],
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
                shown[row["classifier"]],
                shown[row["other"]],
                f"{row['effect']:+.3f}",
                _interval(row["ci_low"], row["ci_high"]),
                str(row["clusters"]),
            ]
            for row in study.versus.to_dict("records")
        ],
        title="side by side: difference of accuracy, paired by picture, interval over clusters",
    )
    typer.echo("")
    for line in verdicts(study.versus, zero_shot):
        typer.echo(line)
    typer.echo(f"tables  {study.folder}/*.parquet")


_METRICS = (("psnr", 2), ("nlpd", 4))
_MODEL = re.compile(
    r"(?P<kind>clip:|vlm:|probe on )(?:hub:(?P<repository>[^@]+)(?:@.*)?|(?P<folder>.+))"
)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Classifiers without the folders and commits of their models, unless two would be alike."""
    found = {}
    for name in names:
        parts = _MODEL.fullmatch(name)
        if parts is None:
            found[name] = name
        elif parts["repository"]:
            found[name] = parts["kind"] + parts["repository"]
        else:
            found[name] = parts["kind"] + Path(parts["folder"]).name
    uses = Counter(found.values())
    return {name: short if uses[short] == 1 else name for name, short in found.items()}


def unequal(gaps: pd.DataFrame) -> list[str]:
    """One sentence on every axis of faces that has more than one group."""
    from benchmark.report.wording import GAP_VERDICTS

    return [
        f"{row['classifier']}, {row['axis']}: {row['worst_group']} is {row['gap']:.3f} behind "
        f"{row['best_group']} ({_interval(row['ci_low'], row['ci_high'])}; {row['null_mean']:.3f} "
        f"by chance alone): {GAP_VERDICTS[row['verdict']][2]}"
        for row in gaps.to_dict("records")
        if not isnan(row["gap"])
    ]


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
