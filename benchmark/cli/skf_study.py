"""``python -m benchmark study skf``: what the parts of SKF add to a host."""

from __future__ import annotations

from pathlib import Path

import typer

from benchmark.cli.output import print_table

HOST = "curve"


def skf_study(*, profile: str, device: str, runs: Path, dry_run: bool) -> None:
    """Train the host with and without the parts of SKF and print both metrics by context."""
    from benchmark.contexts import CONTEXTS
    from benchmark.runner.ablation import METRICS, ROWS, SIZES, rows_of, run_ablation

    size = next(size for name, size in SIZES.items() if name == profile)
    typer.echo(
        f"{len(ROWS)} rows x {size.seeds} seeds of {HOST}: {size.steps} steps on {size.samples} "
        f"pictures of every context, {size.side} px; scored on {size.scored} others of each"
    )
    if dry_run:
        return
    found = run_ablation(HOST, size, runs=runs, device=device)
    for metric in METRICS:
        places = 2 if metric == "psnr" else 4
        by_context = [rows_of(found.effects, metric, context) for context in CONTEXTS]
        print_table(
            ["row", "everything", "against base", "95 % interval, seeds", *CONTEXTS],
            [
                [
                    row["row"],
                    f"{row['value']:.{places}f}",
                    f"{row['effect']:+.{places}f}",
                    f"{row['ci_low']:+.{places}f}..{row['ci_high']:+.{places}f}",
                    *[f"{rows[number]['value']:.{places}f}" for rows in by_context],
                ]
                for number, row in enumerate(rows_of(found.effects, metric))
            ],
            title=f"{metric}, rendered pictures; not comparable with the paper's LOL",
        )
        typer.echo("")
    typer.echo(f"tables  {found.folder}/*.parquet")
