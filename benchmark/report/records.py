"""The measured quality in an instrument's record, whatever its keys, as facts and grids."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.report.wording import humanise


@dataclass(frozen=True)
class Grid:
    """A table of what a record says of several cases."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass
class Digest:
    """A record as ``facts`` (name and value) and ``grids``."""

    facts: list[tuple[str, Any]] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)


def digest(record: Mapping[str, Any], *, within: str = "") -> Digest:
    """Sort a nested record into single facts and tables.

    Lists of mappings and mappings of mappings become grids, single values become facts; names of
    outer keys are put before those of inner ones. Order is that of the record, so equal records
    give equal bytes.

    Args:
        record: plain JSON data.
        within: name put before all others.
    """
    found = Digest()
    for key, value in record.items():
        name = f"{within}, {humanise(str(key))}" if within else humanise(str(key))
        if isinstance(value, Mapping):
            _mapping(found, name, value)
        elif _is_list_of_mappings(value):
            columns = tuple(dict.fromkeys(column for row in value for column in row))
            rows = tuple(tuple(row.get(column) for column in columns) for row in value)
            found.grids.append(Grid(name, columns, rows))
        elif isinstance(value, list | tuple):
            found.facts.append((name, ", ".join(show(item) for item in value)))
        else:
            found.facts.append((name, value))
    return found


def _mapping(found: Digest, name: str, value: Mapping[str, Any]) -> None:
    inner = list(value.values())
    if inner and all(isinstance(v, Mapping) for v in inner):
        if all(_is_flat(v) for v in inner):
            columns = tuple(dict.fromkeys(column for row in inner for column in row))
            rows = tuple(
                (key, *(row.get(column) for column in columns)) for key, row in value.items()
            )
            found.grids.append(Grid(name, ("", *columns), rows))
            return
    elif inner and _is_flat(value):
        found.grids.append(Grid(name, ("", "value"), tuple(value.items())))
        return
    deeper = digest(value, within=name)
    found.facts += deeper.facts
    found.grids += deeper.grids


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(v, Mapping | list | tuple) for v in value.values())


def _is_list_of_mappings(value: Any) -> bool:
    sequence = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return bool(sequence and value and all(isinstance(item, Mapping) for item in value))


def show(value: Any) -> str:
    """A value as text: four significant digits, "yes" and "no", a dash where nothing is known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
