"""``python -m benchmark list`` and ``show``: everything that can be named."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import Annotated, Any

import typer

from benchmark.cli.output import print_json, print_table


class Kind(StrEnum):
    """What there are lists of."""

    TASKS = "tasks"
    SUBMISSIONS = "submissions"
    ENHANCERS = "enhancers"
    HOSTS = "hosts"
    PLUGINS = "plugins"
    METRICS = "metrics"
    LOSSES = "losses"
    SCHEDULES = "schedules"
    JUDGES = "judges"
    CONTEXTS = "contexts"
    CLASSIFIERS = "classifiers"


@dataclass(frozen=True)
class _Catalogue:
    """Names with a summary each, and the details of one name.

    ``mends``, where things can be absent, maps the names of those that are to the command that
    brings them.
    """

    summaries: Callable[[], Mapping[str, str]]
    details: Callable[[str], Mapping[str, Any]]
    mends: Callable[[], Mapping[str, str]] | None = None


AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def list_(kind: Annotated[Kind, typer.Argument()], as_json: AsJson = False) -> None:
    """List everything of one kind by name."""
    catalogue = _CATALOGUES[kind]
    summaries = catalogue.summaries()
    mends = catalogue.mends() if catalogue.mends else None
    if as_json:
        rows: list[dict[str, Any]] = [{"name": n, "summary": s} for n, s in summaries.items()]
        if mends is not None:
            rows = [row | {"mend": mends.get(row["name"])} for row in rows]
        print_json(rows)
    elif mends:
        cells = [[n, s, mends.get(n, "-")] for n, s in summaries.items()]
        print_table(["name", "summary", "first"], cells)
    elif summaries:
        print_table(["name", "summary"], [[n, s] for n, s in summaries.items()])
    else:
        typer.echo(f"no {kind.value}")


def reference() -> None:
    """Print every file format, key by key, as Markdown."""
    from benchmark.report.reference import reference as text

    typer.echo(text())


def show(
    kind: Annotated[Kind, typer.Argument()],
    name: Annotated[str, typer.Argument()],
    as_json: AsJson = False,
) -> None:
    """Show all that is declared about one thing."""
    details = _CATALOGUES[kind].details(name)
    if as_json:
        print_json(details)
    else:
        print_table(["", ""], [[key, _text(value)] for key, value in details.items()], title=name)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_text(inner) for inner in value) or "-"
    return "-" if value in ("", None) else str(value)


def _tasks() -> Mapping[str, str]:
    from benchmark.spec.catalogue import find_task, task_names

    return {name: find_task(name).spec.title for name in task_names()}


def _task(name: str) -> Mapping[str, Any]:
    from benchmark.spec.catalogue import find_task

    found: Mapping[str, Any] = find_task(name).spec.model_dump(mode="json")
    return found


def _submissions() -> Mapping[str, str]:
    from benchmark.spec.submission import find_submission, submission_names

    return {name: find_submission(name).title for name in submission_names()}


def _submission(name: str) -> Mapping[str, Any]:
    from benchmark.spec.submission import find_submission

    found: Mapping[str, Any] = find_submission(name).model_dump(mode="json")
    return found


#: Where the registries behind a list are, imported only when it is asked for.
_REGISTRIES: Mapping[Kind, tuple[str, ...]] = {
    Kind.ENHANCERS: ("benchmark.enhancers:ENHANCERS", "benchmark.enhancers.hosts:HOSTS"),
    Kind.HOSTS: ("benchmark.enhancers.hosts:HOSTS",),
    Kind.PLUGINS: ("benchmark.enhancers.hosts:PLUGINS",),
    Kind.LOSSES: ("benchmark.losses:LOSSES",),
    Kind.SCHEDULES: (
        "benchmark.schedules:ARMS",
        "benchmark.schedules.unsupervised:UNSUPERVISED",
        "benchmark.schedules.own:OWN_ARMS",
    ),
    Kind.JUDGES: ("benchmark.judges:JUDGES",),
    Kind.CONTEXTS: ("benchmark.contexts:PREDICTORS",),
    Kind.CLASSIFIERS: ("benchmark.contexts.router:CLASSIFIERS",),
}


def _registries(kind: Kind) -> list[Any]:
    places = (place.partition(":") for place in _REGISTRIES[kind])
    return [getattr(importlib.import_module(module), name) for module, _, name in places]


def _from_registries(kind: Kind) -> _Catalogue:
    def summaries() -> Mapping[str, str]:
        found: dict[str, str] = {}
        for registry in _registries(kind):
            for entry in registry:  # of two things with one name the first is meant
                found.setdefault(entry.name, entry.summary)
        return found

    def details(name: str) -> Mapping[str, Any]:
        from benchmark.registry import unknown_name

        for registry in _registries(kind):
            if name in registry:
                entry = registry.entry(name)
                target = registry.get(name)
                declared = (
                    asdict(target) if is_dataclass(target) and not isinstance(target, type) else {}
                )
                return {
                    "name": entry.name,
                    "summary": entry.summary,
                    "origin": entry.origin,
                    **{k: v for k, v in entry.meta.items() if isinstance(v, str | int | float)},
                    **{k: v for k, v in declared.items() if not callable(v)},
                }
        raise unknown_name(kind.value, name, tuple(summaries()))

    return _Catalogue(summaries, details, partial(_absent, kind) if kind in _WEIGHTED else None)


#: Kinds of which some look through published weights.
_WEIGHTED = {Kind.ENHANCERS, Kind.LOSSES}


def _absent(kind: Kind) -> Mapping[str, str]:
    """Names that lack weights, with the commands that bring them."""
    from benchmark.weights import WeightStore
    from benchmark.weights.store import mending_command

    store, found = WeightStore(), {}
    for entry in chain.from_iterable(_registries(kind)):
        states = [store.status(name) for name in entry.meta.get("weights", ())]
        lacking = [s.weight for s in states if s.path is None or s.state == "wrong"]
        if lacking:
            found[entry.name] = " && ".join(map(mending_command, lacking))
    return found


def _metrics() -> Mapping[str, str]:
    from benchmark.metrics import metric_specs

    return {name: spec.summary for name, spec in metric_specs().items()}


def _metric(name: str) -> Mapping[str, Any]:
    from benchmark.metrics import plan_scorers

    scorers = plan_scorers((name,))
    missing = scorers.unavailable.get(name)
    declared = asdict(scorers.specs[name])
    declared["needs"] = sorted(declared["needs"])
    state = f"no: {missing.reason}; {missing.mend}" if missing else "yes"
    return declared | {"available": state}


_CATALOGUES: Mapping[Kind, _Catalogue] = {
    Kind.TASKS: _Catalogue(_tasks, _task),
    Kind.SUBMISSIONS: _Catalogue(_submissions, _submission),
    Kind.METRICS: _Catalogue(_metrics, _metric),
    **{kind: _from_registries(kind) for kind in _REGISTRIES},
}
