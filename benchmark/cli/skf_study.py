"""``python -m benchmark study skf``: what the parts of SKF add to a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import typer

from benchmark.cli.output import print_table


def skf_study(
    *, host: str, profile: str, seeds: int | None, device: str, runs: Path, dry_run: bool
) -> None:
    """Train the host in every row of the paper's Tables 3 to 5 and print them by context."""
    from benchmark.contexts import CONTEXTS
    from benchmark.runner.ablation import METRICS, ROWS, SIZES, TABLES, rows_of, run_ablation

    size = next(size for name, size in SIZES.items() if name == profile)
    size = replace(size, seeds=seeds or size.seeds)
    typer.echo(
        f"{len(ROWS)} rows x {size.seeds} seeds of {host}: {size.steps} steps on {size.samples} "
        f"pictures of every context, {size.side} px; scored on {size.scored} others of each"
    )
    if dry_run:
        return
    found = run_ablation(host, size, runs=runs, device=device)
    for metric in METRICS:
        by_context = [
            {row["row"]: row for row in rows_of(found.effects, metric, context)}
            for context in CONTEXTS
        ]
        overall = {row["row"]: row for row in rows_of(found.effects, metric)}
        for table, names in TABLES.items():
            print_table(
                ["row", "parameters", metric, "against base", "95 % interval, seeds", *CONTEXTS],
                [
                    [
                        name,
                        f"{found.parameters[name]:,}",
                        f"{overall[name]['value']:.{_places(metric)}f}",
                        *_change(overall[name], metric),
                        *[f"{rows[name]['value']:.{_places(metric)}f}" for rows in by_context],
                    ]
                    for name in names
                ],
                title=f"{metric}, rows of the paper's {table} on rendered pictures; "
                "not comparable with its LOL",
            )
            typer.echo("")
        contrasts = found.contrasts[
            (found.contrasts["metric"] == metric) & (found.contrasts["context"] == "")
        ]
        print_table(
            ["contrast", metric, "95 % interval, seeds"],
            [[str(row["contrast"]), *_change(row, metric)] for row in contrasts.to_dict("records")],
            title="what the rows say together",
        )
        typer.echo("")
    typer.echo(f"tables  {found.folder}/*.parquet")


def _places(metric: str) -> int:
    return 2 if metric == "psnr" else 4


def _change(row: Mapping[Any, Any], metric: str) -> list[str]:
    places = _places(metric)
    around = f"{row['ci_low']:+.{places}f}..{row['ci_high']:+.{places}f}"
    return [f"{row['effect']:+.{places}f}", "one seed" if isnan(row["ci_low"]) else around]
