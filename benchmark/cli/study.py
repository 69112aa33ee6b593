"""``python -m benchmark study``: does scheduling by context help, apart from all that is not it?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.output import print_table
from benchmark.cli.run import Devices, Profiles, outline, torch_device

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.runner.study import Study

_TASKS = ("face-identity", "medical-structure", "low-light-recognition")


class Studies(StrEnum):
    """Which there are."""

    CALS = "cals"
    SKF = "skf"


def study(  # noqa: PLR0917 - options are given by name
    name: Annotated[
        Studies, typer.Argument(help="cals: context x time with controls; skf: its parts.")
    ],
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    profile: Annotated[Profiles, typer.Option(help="Sizes, steps and seeds.")] = Profiles.QUICK,
    control: Annotated[
        list[str] | None,
        typer.Option(help="Arm beside the four; may be repeated; default shuffled and uniform."),
    ] = None,
    device: Annotated[Devices, typer.Option(help="auto takes the GPU if there is one.")] = (
        Devices.AUTO
    ),
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    cache: Annotated[
        Path | None, typer.Option(help="Stage results; default EQUILUX_CACHE or the user's cache.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plans and stop.")] = False,
) -> None:
    """cals: train the four arms and the controls, print effects, interaction and controls.

    skf: train one host with and without SKF's parts; it has no task, no control and no cache.
    """
    if name is Studies.SKF:
        from benchmark.cli.skf_study import skf_study

        skf_study(profile=profile.value, device=torch_device(device), runs=runs, dry_run=dry_run)
        return
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.runner.store import Store
    from benchmark.runner.study import CONTROLS, plan_study, run_study

    planned = plan_study(
        task or _TASKS,
        profile=profile.value,
        device=torch_device(device),
        controls=control or CONTROLS,
    )
    store = Store(cache or cache_root())
    reporter = Reporter()
    for request, plan in planned:
        reporter.console.print(f"{request.task.spec.name}: {outline(plan, store)}", highlight=False)
    if not dry_run:
        _print(run_study(planned, store=store, runs=runs, reporter=reporter))


def _print(study: Study) -> None:
    from benchmark.report.wording import RECONSTRUCTION

    linear = study.contrasts[study.contrasts["axis"] == ""]
    print_table(
        ["task", "metric", "contrast", "effect", "95 % interval", "Holm p", "verdict"],
        [
            [r["task"], r["metric"], r["contrast"], *_numbers(r), _p(r["p_holm"]), r["verdict"]]
            for r in _records(linear[linear["metric"].isin(_headlines(study))])
        ],
        title="context x time, everybody, seeds and people as sources of error",
    )
    overall = study.effects[study.effects["target"] == "overall"]
    typer.echo("")
    print_table(
        ["task", "metric", "arm against matched", "effect", "95 % interval", "verdict"],
        [
            [r["task"], r["metric"], r["arm"], *_numbers(r), r["verdict"]]
            for r in _records(overall[overall["metric"].isin(_headlines(study))])
        ],
        title="every arm against the matched control, everybody",
    )
    typer.echo("")
    cost = overall[(overall["arm"] == "cals") & (overall["verdict"] == "worse")]
    print_table(
        ["task", "metric", "effect", "95 % interval"],
        [[r["task"], r["metric"], *_numbers(r)] for r in _records(cost)],
        title="what CALS gives up (worse than matched)" if len(cost) else "CALS gives nothing up",
    )
    typer.echo("")
    first = study.shares[study.shares["task"] == study.shares["task"].iloc[0]]
    wide = first.pivot_table(index=["host", "arm"], columns="context", values="share", sort=False)
    print_table(
        ["host", "arm", *map(str, wide.columns)],
        [
            [*map(str, index), *[f"{share:.0%}" for share in row]]
            for index, row in zip(wide.index, wide.to_numpy(), strict=True)
        ],
        title="share of each context in the gradient",
    )
    typer.echo(f"\n{RECONSTRUCTION}\ntables  {study.folder}/*.parquet")


def _headlines(study: Study) -> set[str]:
    """Primary and headline metrics of all runs."""
    import json

    found: set[str] = set()
    for run in study.runs:
        manifest = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
        found |= {m["name"] for m in manifest["metrics"] if m["role"] == "primary"}
        found |= {v for k, v in manifest["headline"].items() if k != "axis"}
    return found


def _numbers(row: Mapping[str, Any]) -> list[str]:
    return [f"{row['effect']:+.4f}", f"{row['ci_low']:+.4f}..{row['ci_high']:+.4f}"]


def _p(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3f}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
