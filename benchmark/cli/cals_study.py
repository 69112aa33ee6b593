"""``python -m benchmark study cals``: what the study found, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

import typer

from benchmark.cli.output import print_table

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.runner.run import Run
    from benchmark.runner.study import Study
    from benchmark.runner.tuning import Tuned


def print_study(study: Study) -> None:
    """Effects, interaction, controls, what is given up, and gradient shares."""
    from benchmark.report.wording import RECONSTRUCTION
    from benchmark.runner.study import LABEL

    shown, first = headlines(study.runs), primaries(study.runs)
    print_effects(
        study.contrasts[(study.contrasts["axis"] == "") & study.contrasts["metric"].isin(shown)],
        what="contrast",
        title=f"context x time, everybody; intervals over people and seeds. {LABEL}",
    )
    overall = study.effects[study.effects["target"] == "overall"]
    print_effects(
        overall[overall["metric"].isin(shown)],
        what="arm",
        title=f"every arm against matched, everybody. {LABEL}",
    )
    unequal = study.effects[
        study.effects["target"].isin(("gap", "worst"))
        & ~study.effects["axis"].str.contains("*", regex=False)
        & (study.effects["arm"] == "cals")
    ]
    print_effects(
        unequal[unequal["metric"].isin(first)],
        what="target",
        title=f"cals against matched between groups, primary metrics. {LABEL}",
    )
    controls = study.controls[study.controls["target"] == "overall"]
    print_effects(
        controls[controls["metric"].isin(shown)],
        what="baseline",
        title=f"cals against its controls (shuffled: contexts of other samples). {LABEL}",
    )
    _print_cost(study, overall)
    shares = study.shares[study.shares["task"] == study.shares["task"].iloc[0]]
    wide = shares.pivot_table(index=["host", "arm"], columns="context", values="share", sort=False)
    print_table(
        ["host", "arm", *map(str, wide.columns)],
        [
            [*map(str, index), *[f"{share:.1%}" for share in row]]
            for index, row in zip(wide.index, wide.to_numpy(), strict=True)
        ],
        title=f"share of each context in the gradient. {LABEL}",
    )
    typer.echo(f"\n{RECONSTRUCTION}\ntables  {study.folder}/*.parquet")


def print_tuned(tuned: Tuned) -> None:
    """What was tried and chosen, and the one test of it."""
    from benchmark.runner.study import LABEL

    print_table(
        ["host", "arm", "candidate", tuned.endpoint, "chosen"],
        [
            [r["host"], r["arm"], str(r["candidate"]), f"{r['score']:.4f}", "*" * r["chosen"]]
            for r in records(tuned.tried)
        ],
        title=f"candidates on people who are neither trained on nor tested on; 0 is the prior. "
        f"{LABEL}",
    )
    typer.echo(f"frozen  {tuned.folder / 'frozen.json'}, digest {tuned.digest[:16]}\n")
    shown = tuned.effects[tuned.effects["metric"].isin(headlines((tuned.run,)))]
    print_effects(
        shown[shown["target"] == "overall"],
        what="arm",
        title=f"tuned cals against tuned matched, tested once. {LABEL}",
    )
    print_effects(
        shown[
            shown["target"].isin(("gap", "worst")) & ~shown["axis"].str.contains("*", regex=False)
        ],
        what="target",
        title=f"the same between groups. {LABEL}",
    )
    typer.echo(f"tables  {tuned.folder}/*.parquet")


def print_effects(table: pd.DataFrame, *, what: str, title: str) -> None:
    """Effects with intervals, Holm's p and verdict, one a row."""
    print_table(
        ["task", "metric", what, "effect", "95 % interval", "Holm p", "verdict"],
        [
            [r["task"], r["metric"], r[what], *numbers(r), _p(r["p_holm"]), r["verdict"]]
            for r in records(table)
        ],
        title=title,
    )
    typer.echo("")


def _print_cost(study: Study, overall: pd.DataFrame) -> None:
    """Every metric that cals is worse in than matched, beyond chance or not."""
    from benchmark.runner.study import LABEL

    better = {
        (manifest["task"]["name"], metric["name"]): metric["direction"]
        for manifest in map(_manifest, study.runs)
        for metric in manifest["metrics"]
    }
    worse = [
        row
        for row in records(overall[overall["arm"] == "cals"])
        if row["effect"] * better[row["task"], row["metric"]] < 0
    ]
    print_table(
        ["task", "metric", "effect", "95 % interval", "verdict"],
        [[r["task"], r["metric"], *numbers(r), r["verdict"]] for r in worse],
        title=f"what CALS gives up: metrics that are worse than with matched. {LABEL}",
    )
    typer.echo("")


def headlines(runs: Iterable[Run]) -> set[str]:
    """Primary and headline metrics of all runs."""
    named = {v for run in runs for k, v in _manifest(run)["headline"].items() if k != "axis"}
    return primaries(runs) | named


def primaries(runs: Iterable[Run]) -> set[str]:
    """Primary metrics of all runs."""
    metrics = [metric for run in runs for metric in _manifest(run)["metrics"]]
    return {metric["name"] for metric in metrics if metric["role"] == "primary"}


def _manifest(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def numbers(row: Mapping[str, Any]) -> list[str]:
    """Effect and interval as text."""
    return [f"{row['effect']:+.4f}", f"{row['ci_low']:+.4f}..{row['ci_high']:+.4f}"]


def _p(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3f}"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
