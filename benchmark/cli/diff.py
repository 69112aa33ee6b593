"""``python -m benchmark diff``: what changed between two runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from benchmark.regression.difference import Difference

_TERMS_SHOWN, _ROWS_SHOWN, _MOVERS_SHOWN = 20, 30, 5


def diff(
    one: Annotated[Path, typer.Argument(help="A finished run: before.")],
    two: Annotated[Path, typer.Argument(help="A finished run on the same samples: after.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, machine-readable.")] = False,
) -> None:
    """What they say of themselves, what groups and gaps changed by, which samples lost most."""
    from benchmark.cli.output import print_json
    from benchmark.regression.difference import compare

    found = compare(one, two)
    if as_json:
        print_json(_plain(found))
    else:
        _print(found)


def _plain(found: Difference) -> dict[str, Any]:
    effects = json.loads(found.effects.to_json(orient="records"))
    moved = [{k: _finite(v) for k, v in asdict(mover).items()} for mover in found.moved]
    terms = [{"key": key, "before": was, "after": now} for key, was, now in found.terms]
    rest = {name: getattr(found, name) for name in ("unchanged", "only_one", "only_two")}
    return {"a": found.one, "b": found.two, "terms": terms, "effects": effects,
            "moved": moved} | rest  # fmt: skip


def _finite(value: Any) -> Any:
    """Infinity and NaN have no JSON."""
    return None if isinstance(value, float) and value - value != 0 else value


def _print(found: Difference) -> None:
    from benchmark.cli.output import print_table
    from benchmark.regression.outputs import number

    typer.echo(f"A {found.one}\nB {found.two}")
    if found.terms:
        print_table(
            ["what differs", "A", "B"],
            [[key, _short(was), _short(now)] for key, was, now in found.terms[:_TERMS_SHOWN]],
        )
        _more(len(found.terms), _TERMS_SHOWN)
    for name, systems in (("A", found.only_one), ("B", found.only_two)):
        if systems:
            typer.echo(f"only in {name}: {', '.join(systems)}")
    effects = found.effects[found.effects["verdict"].isin(["better", "worse", "levelled_down"])]
    if len(effects):
        print_table(
            ["system", "metric", "axis", "who", "B - A", "95 % interval", "Holm p", ""],
            [
                [row["system"], row["metric"], row["axis"], row["target"], number(row["effect"]),
                 f"{number(row['ci_low'])} to {number(row['ci_high'])}", number(row["p_holm"]),
                 row["verdict"]]
                for row in effects.head(_ROWS_SHOWN).to_dict("records")
            ],
        )  # fmt: skip
        _more(len(effects), _ROWS_SHOWN)
    elif len(found.effects):
        typer.echo("values moved, but there is no evidence of a change in any mean or gap")
    if found.moved:
        worst = found.moved[:_MOVERS_SHOWN]
        print_table(
            ["lost most", "sample", "group", "metric", "A", "B"],
            [
                [f"{m.system} {m.arm}".strip(), m.sample, ", ".join(m.groups), m.metric,
                 number(m.before), number(m.after)]
                for m in worst
            ],
        )  # fmt: skip
        _more(len(found.moved), _MOVERS_SHOWN)
    if found.unchanged:
        typer.echo(f"no value moved by more than rounding: {', '.join(found.unchanged)}")


def _more(total: int, shown: int) -> None:
    if total > shown:
        typer.echo(f"... and {total - shown} more; --json shows all")


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
