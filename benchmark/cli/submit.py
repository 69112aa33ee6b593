"""``python -m benchmark submit``: an enhancer of yours, from a file to a checked submission."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.output import print_json, print_table
from benchmark.spec.origin import GRAMMAR, TRUST

if TYPE_CHECKING:
    from benchmark.runner.validation import Validation

app = typer.Typer(help="Submit an enhancer: docs/submit-a-model.md.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="OWNER/NAME, or the submission's file.")]
Trust = Annotated[bool, typer.Option("--trust", help=TRUST)]
_LEARNED = "DATASET:trained|unpaired|overlaps|unknown:where that is written"
_MARK = {"ok": "ok", "failed": "FAILED", "note": "note", "unchecked": "not checked"}


@app.command()
def new(  # noqa: PLR0917 - options are given by name
    enhancer: Annotated[str | None, typer.Option(help=f"One of: {GRAMMAR}.")] = None,
    owner: Annotated[str | None, typer.Option(help="You: the folder of your submissions.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the submission.")] = None,
    title: Annotated[str | None, typer.Option(help="One line for people.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX id of the weights or code.")] = None,
    trained_on: Annotated[
        list[str] | None, typer.Option(help=f"{_LEARNED}; may be repeated.")
    ] = None,
    learned_nothing: Annotated[
        bool, typer.Option("--learned-nothing", help="It was not trained on anything.")
    ] = False,
    contact: Annotated[str | None, typer.Option(help="Where to reach you.")] = None,
    responsible_use: Annotated[
        str | None, typer.Option(help="What it must not be used for, and where it fails.")
    ] = None,
    link: Annotated[
        list[str] | None, typer.Option(help="paper=, code=, weights= or home=https://...; repeat.")
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Of a host: train it in this arm; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of submissions; default: the checkout's.")
    ] = None,
) -> None:
    """Ask what is not given as an option, and write the file; no code of yours is run."""
    from benchmark.runner.submitting import write_submission

    answers: dict[str, Any] = {
        "enhancer": _answer(enhancer, "--enhancer", f"Where is the enhancer? {GRAMMAR}\n"),
        "owner": _answer(owner, "--owner", "Your name or team, as a folder name"),
        "name": _answer(name, "--name", "Name of the submission"),
        "title": _answer(title, "--title", "One line about it"),
        "licence": _answer(licence, "--licence", "SPDX licence id, for example MIT"),
        "training_data": _learned(trained_on or [], nothing=learned_nothing),
        "contact": _answer(contact, "--contact", "Contact"),
        "responsible_use": _answer(
            responsible_use, "--responsible-use", "What must it not be used for?"
        ),
        "links": _links(link or []),
        "arms": arm or [],
    }
    written = write_submission(answers, folder=out)
    typer.echo(f"written {written.path}")
    if written.copied is not None:
        typer.echo(f"copied  {written.copied}")
    typer.echo(f"next    python -m benchmark submit validate {written.path}")


@app.command()
def validate(  # noqa: PLR0917 - options are given by name
    reference: Reference,
    trust: Trust = False,
    task: Annotated[
        list[str] | None, typer.Option(help="Try it on this task; may be repeated.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Time for import and output contract; then it is ended.")
    ] = 300.0,
    cache: Annotated[Path | None, typer.Option(help="Stage results, as for run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Really check a submission; exit 1 if something failed, 2 if its file cannot be read."""
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.runner.systems import submission_file
    from benchmark.runner.validation import validate as check
    from benchmark.spec.catalogue import find_task
    from benchmark.spec.submission import read_submission

    path = submission_file(reference)
    found = check(
        read_submission(path),
        path,
        tasks=[find_task(each) for each in task or ["face-identity"]],
        trust=trust,
        cache=cache or cache_root(),
        reporter=Reporter(),
        seconds=seconds,
    )
    _show(found, as_json=as_json)
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def digest(origin: Annotated[str, typer.Argument(help=f"{GRAMMAR}.")]) -> None:
    """Print the sha256 that a submission of this file, folder or code declares; runs nothing."""
    from benchmark.enhancers.adapters.outside import locate
    from benchmark.spec.origin import parse_origin

    typer.echo(locate(parse_origin(origin)).sha256)


@app.command()
def inputs(
    task: Annotated[str, typer.Option(help="Name of a task.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures; must not exist yet.")],
    profile: Annotated[str, typer.Option(help="smoke, quick or full.")] = "quick",
    cache: Annotated[Path | None, typer.Option(help="Stage results, as for run.")] = None,
) -> None:
    """Write the degraded pictures of a task, for systems that can only be used elsewhere."""
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.runner.inputs import write_inputs
    from benchmark.runner.store import Store
    from benchmark.spec.catalogue import find_task

    count = write_inputs(
        find_task(task), profile, out=out, store=Store(cache or cache_root()), reporter=Reporter()
    )
    typer.echo(f"{count} pictures in {out}; answer each with one of the same name and size")


def _answer(given: str | None, option: str, question: str) -> str:
    if given is not None:
        return given
    from benchmark.errors import EquiluxError

    try:
        found: str = typer.prompt(question, err=True)
    except Exception as error:
        # typer may bring a click of its own, so its way to say "end of input" is known by name
        if type(error).__name__ != "Abort" or sys.stdin.isatty():
            raise
        raise EquiluxError(
            "a question was not answered", where=option, mend=f"give {option}"
        ) from None
    return found


def _learned(given: list[str], *, nothing: bool) -> list[dict[str, str]]:
    """``dataset:how:evidence`` of each, asked for one by one if none was given."""
    from benchmark.errors import EquiluxError

    if not given and not nothing:
        while line := _answer_or_end(given):
            given.append(line)
    found = []
    for line in given:
        dataset, _, rest = line.partition(":")
        how, colon, evidence = rest.partition(":")
        if not colon:
            raise EquiluxError(f"{line!r} says too little", where="--trained-on", mend=_LEARNED)
        found.append({"dataset": dataset, "how": how, "evidence": evidence.strip()})
    if found and nothing:
        raise EquiluxError("it has learned something or nothing", where="--learned-nothing")
    return found


def _answer_or_end(given: list[str]) -> str:
    if not given:
        return _answer(
            None, "--trained-on or --learned-nothing", f"Learned from? {_LEARNED}, or none"
        ).removeprefix("none")
    found: str = typer.prompt("And? (enter: that is all)", default="", show_default=False, err=True)
    return found


def _links(given: list[str]) -> dict[str, str]:
    return {kind: url for kind, _, url in (link.partition("=") for link in given)}


def _show(found: Validation, *, as_json: bool) -> None:
    from benchmark.runner.validation import BEYOND

    if as_json:
        print_json(
            {
                "submission": found.spec.full_name,
                "passed": found.passed,
                "parameters": found.parameters,
                "latency_ms": found.milliseconds,
                "checks": [vars(check) for check in found.checks],
                "beyond": list(BEYOND),
            }
        )
        return
    rows = [[_MARK[check.state], check.name, check.detail] for check in found.checks]
    rows.append(["", "parameters", f"{found.parameters:,}" if found.parameters else "unknown"])
    speed = f"{found.milliseconds:.1f} ms for 256 x 256 on one core" if found.milliseconds else "-"
    rows.append(["", "latency", speed])
    print_table(["", "what", "found"], rows, title=found.spec.full_name)
    typer.echo("\nNot checked, because nothing here could tell:")
    for line in BEYOND:
        typer.echo(f"- {line}")
    failed = sum(check.state == "failed" for check in found.checks)
    unchecked = sum(check.state == "unchecked" for check in found.checks)
    verdict = f"{failed} failed" if failed else "nothing failed"
    typer.echo(f"\n{verdict}" + (f", {unchecked} not checked" if unchecked else ""))
