"""``python -m benchmark selftest``: is the statistics engine honest at a task's group sizes?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from benchmark.cli.output import print_json, print_table
from benchmark.cli.run import Profiles


def selftest(
    task: Annotated[str, typer.Option(help="Task whose group sizes are simulated.")],
    profile: Annotated[Profiles, typer.Option(help="Whose sizes.")] = Profiles.QUICK,
    clusters: Annotated[
        str, typer.Option(help="Sizes of separate groups of people instead: 13,10,9,16")
    ] = "",
    tables: Annotated[int, typer.Option(help="Simulated tables without a difference.")] = 4000,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Simulate tables in which no group differs; exit 1 if a promise is broken."""
    from benchmark.fairness.selftest import LARGEST_TYPE_I, SMALLEST_COVERAGE
    from benchmark.fairness.selftest import selftest as simulate

    sizes, design = _design(task, profile, clusters)
    found = {
        kind: simulate(sizes, design=design, kind=kind, tables=tables) for kind in ("value", "rate")
    }
    if as_json:
        print_json(
            {kind: asdict(result) | {"passed": result.passed} for kind, result in found.items()}
        )
    else:
        print_table(
            ["simulated", "type-I error", "group intervals", "contrast intervals", "verdict"],
            [
                [
                    f"{kind}s",
                    f"{result.type_i:.1%} (at most {LARGEST_TYPE_I:.1%})",
                    f"{result.coverage:.1%} (at least {SMALLEST_COVERAGE:.0%})",
                    f"{result.coverage_pinned:.1%} (at least {SMALLEST_COVERAGE:.0%})",
                    "kept" if result.passed else "BROKEN",
                ]
                for kind, result in found.items()
            ],
            title=f"{tables} tables without a difference, {design} groups of {sizes}",
        )
    if not all(result.passed for result in found.values()):
        raise typer.Exit(1)


def _design(
    task: str, profile: Profiles, clusters: str
) -> tuple[list[int], Literal["nested", "crossed"]]:
    from benchmark.errors import EquiluxError
    from benchmark.spec.catalogue import find_task

    spec = find_task(task).spec
    if clusters:
        try:
            return [int(size) for size in clusters.split(",")], "nested"
        except ValueError:
            raise EquiluxError(
                f"--clusters wants whole numbers, not {clusters!r}", mend="for example 13,10,9,16"
            ) from None
    axis = next(axis for axis in spec.axes if axis.name == spec.headline_axis)
    return [spec.profiles[profile.value].subjects] * len(axis.levels), "crossed"
