"""``python -m benchmark gate``: may this change pass? And ``gate update``, to move the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from benchmark.regression.decision import GateReport

app = typer.Typer(
    help="Stop a change that treats one group worse; `gate update` moves the baseline.",
    invoke_without_command=True,
)
_ROWS_SHOWN = 12


@app.callback()
def gate(
    context: typer.Context,
    baseline: Annotated[
        Path | None, typer.Option(help="Folder with policy, facts and samples.")
    ] = None,
    candidate: Annotated[
        Path | None, typer.Option(help="A finished run, or a folder with one of this task.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 3 where too little data leave it open.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for gate.json, gate.md and gate.xml (JUnit).")
    ] = None,
) -> None:
    """Exit 0: passed (or open, without --strict). 1: somebody lost. 2: not comparable. 3: open."""
    if context.invoked_subcommand is not None:
        return
    from benchmark.errors import EquiluxError
    from benchmark.regression.decision import gate as decide
    from benchmark.regression.outputs import step_summary, write_outputs

    if baseline is None or candidate is None:
        raise EquiluxError(
            "the gate needs both sides",
            mend="--baseline FOLDER --candidate RUN, see docs/ci-gate.md",
        )
    report = decide(baseline, candidate)
    if out is not None:
        write_outputs(report, out, strict=strict)
    step_summary(report)
    _print(report)
    raise typer.Exit(report.exit_code(strict=strict))


@app.command()
def update(
    baseline: Annotated[
        Path, typer.Option(help="Folder of the baseline; made if it is not there.")
    ],
    candidate: Annotated[Path, typer.Option(help="The run that becomes the baseline.")],
    reason: Annotated[str, typer.Option(help="Why, for the reviewer; kept in history.jsonl.")],
) -> None:
    """Make a run the baseline and record the reason; a policy that is there stays as it is."""
    from benchmark.regression.baseline import set_baseline
    from benchmark.regression.decision import gate as decide

    said = decide(baseline, candidate).verdict if (baseline / "facts.json").is_file() else "new"
    found = set_baseline(baseline, candidate, reason=reason, accepted=said)
    typer.echo(f"{baseline}: entry {len(found.history)}, {found.side.facts.run_id}")
    if said in {"fail", "not_comparable"}:
        typer.echo(f"the gate said {said} of this run; the reason is on record")


def _print(report: GateReport) -> None:
    from benchmark.cli.output import print_table
    from benchmark.regression.outputs import headline, number, who

    typer.echo(f"gate: {report.verdict.replace('_', ' ')}. {headline(report)}")
    for problem in report.problems:
        typer.echo(f"- {problem}")
    rows = [*report.of("fail"), *report.of("inconclusive")]
    if rows:
        print_table(
            ["verdict", "about", "found"],
            [
                [row.verdict, f"{row.label}, {row.metric}, {who(row)}",
                 f"lost {number(row.loss)} ({number(row.low)} to {number(row.high)}), "
                 f"Holm p {number(row.p_holm)}: {row.reason}"]
                for row in rows[:_ROWS_SHOWN]
            ],
        )  # fmt: skip
    if len(rows) > _ROWS_SHOWN:
        typer.echo(f"... and {len(rows) - _ROWS_SHOWN} more; --out FOLDER writes them all")
    if report.unchanged:
        typer.echo(f"no value moved by more than rounding: {', '.join(report.unchanged)}")
    for note in report.notes:
        typer.echo(f"note: {note}")
