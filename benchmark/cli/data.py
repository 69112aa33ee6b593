"""``python -m benchmark data``: what somebody's images can carry, before they are evaluated."""

from __future__ import annotations

from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import print_json, print_table

if TYPE_CHECKING:
    from benchmark.data.opened import RealData
    from benchmark.runner.inspection import Inspection

app = typer.Typer(help="Your own images; nothing is ever uploaded.", no_args_is_help=True)

Ref = Annotated[
    str, typer.Argument(help="Folder, Parquet, saved dataset, or hub:owner/name@revision#split.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


@app.command("inspect")
def inspect_(  # noqa: PLR0917 - options are given by name
    reference: Ref,
    mapping: Annotated[
        str | None, typer.Option(help="A YAML file or a shipped name; default: the folder's own.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Other data that should share nobody with these.")
    ] = None,
    against_mapping: Annotated[
        str | None, typer.Option(help="How to read --against; default: as --mapping.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Judge group sizes by the policy of this task.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show groups, sizes, detectable effects, leaks, failures and licence of a set of images."""
    from benchmark.fairness.model import Policy
    from benchmark.progress import Reporter
    from benchmark.runner.inspection import inspect_data
    from benchmark.spec.catalogue import find_task

    policy = Policy()
    if task is not None:
        given = find_task(task).spec.policy
        policy = Policy(alpha=given.alpha, n_min=given.n_min, n_full=given.n_full)
    data = _open(reference, mapping)
    other = _open(against, against_mapping or mapping) if against is not None else None
    total = 2 * len(data.rows.frame) + len(data.rows.others)
    total += len(other.rows.frame) if other is not None else 0
    with Reporter().task(f"look at {data.mapping.name}", total) as advance:
        found = inspect_data(data, policy=policy, against=other, advance=advance)
    if as_json:
        print_json(_finite(asdict(found)))
    else:
        _print(found)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="Show the recipe of this mapping.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the ready mappings, or show how to get the data of one and lay them out."""
    from benchmark.spec.catalogue import mapping_files, mapping_for

    known = {key: mapping_for("", key) for key in ([name] if name else mapping_files())}
    if as_json:
        print_json([spec.model_dump(mode="json") for spec in known.values()])
    elif name is None:
        rows = [
            [key, spec.title, ", ".join(f"{a.name} ({a.source})" for a in spec.axes), spec.licence]
            for key, spec in known.items()
        ]
        print_table(["mapping", "data", "groups (labels)", "licence"], rows)
    else:
        spec = known[name]
        rows = [["data", spec.title], ["licence", spec.licence], ["source", spec.source]]
        rows += [["recipe", spec.recipe or "-"]]
        rows += [["note", note] for note in spec.cautions()]
        print_table(["", ""], rows, title=name)


@app.command()
def fetch(reference: Annotated[str, typer.Argument(help="hub:owner/name@revision")]) -> None:
    """Download a pinned revision from the Hugging Face Hub, so that runs need no network."""
    from benchmark.data.hub import fetch_dataset
    from benchmark.data.references import parse_reference
    from benchmark.errors import EquiluxError

    found = parse_reference(reference)
    if found.kind != "hub":
        raise EquiluxError("this is already here", where=reference, mend="pass it as --data")
    typer.echo(f"{found}: {fetch_dataset(found)}")


def _open(reference: str, mapping: str | None) -> RealData:
    from benchmark.data.opened import open_data
    from benchmark.data.references import parse_reference
    from benchmark.spec.catalogue import mapping_for

    return open_data(parse_reference(reference), mapping_for(reference, mapping))


def _print(found: Inspection) -> None:
    from benchmark.runner.inspection import reasons

    facts = [
        ["licence", found.licence],
        ["source", found.source],
        ["images", f"{found.images} to enhance, {found.gallery} in the gallery"],
        ["clusters", f"{found.clusters} independent"],
        ["metrics may use", ", ".join(found.provides)],
    ]
    facts += [["left out", f"{count} rows: {why}"] for why, count in found.left_out.items()]
    facts += [["unreadable", f"{n}: {why}"] for why, n in reasons(found.failures).items()]
    facts += [["note", note] for note in found.cautions]
    print_table(["", ""], facts, title=f"{found.title} ({found.reference})")
    for axis in found.axes:
        rows = [
            [
                size.group,
                str(size.images),
                str(size.clusters),
                size.size_class,
                _number(size.detectable, "{:.2f} sd"),
                _number(size.detectable_rate * 100, "{:.0f} points"),
            ]
            for size in found.groups
            if size.axis == axis.name
        ]
        title = f"\n{axis.title} ({axis.role}, {axis.source})"
        columns = ["group", "images", "clusters", "size", "detectable", "in a rate near 50 %"]
        print_table(columns, rows, title=title)
    rows = [
        [o.between, o.kind, str(o.pairs), str(o.across_clusters), "; ".join(o.examples)]
        for o in found.overlaps
    ]
    columns = ["where", "what", "found", "contradicting labels", "for example"]
    print_table(columns, rows, title="\nFound twice")
    leaks = [o for o in found.overlaps if o.pairs and o.between != "within the data"]
    if leaks:
        typer.echo("LEAK: what is evaluated is not new to whoever has seen the other data")


def _number(value: float, form: str) -> str:
    return "-" if isnan(value) else form.format(value)


def _finite(content: object) -> object:
    """NaN as null, which JSON can say."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and isnan(content) else content
