"""What a section of a report is, and how all of them write their cells."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from benchmark.report.model import RunView
from benchmark.report.table import TD, Table, number
from benchmark.report.tables import BLANK
from benchmark.report.wording import Scale, humanise

Row = Mapping[Hashable, Any]

SHARE = Scale(100.0, 1, "%", "pts")
COARSE = Scale(100.0, 0, "%", "pts")


@dataclass(frozen=True)
class Plot:
    """A figure of a section, drawn once; ``slug`` is its file name and its id in the page."""

    slug: str
    figure: Figure
    title: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Attributes:
        slug: id in the page.
        short: name in the navigation.
        title: heading.
        lead: paragraphs that say what the tables are.
        findings: sentences for the summary and for the console.
        tables: shown open.
        details: shown folded.
        plots: figures, between the two.
        brief: narrow tables for the console.
    """

    slug: str
    short: str
    title: str
    lead: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    details: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    brief: tuple[Table, ...] = ()


def rows_of(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The rows with every missing value as NaN (numbers) or an empty text."""
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    return table.fillna(dict.fromkeys(texts, "")).to_dict("records")


def quantity(
    value: Any,
    scale: Scale,
    *,
    note: str = "",
    hint: str = "",
    tone: str = "",
    signed: bool = False,
) -> TD:
    """A number on a scale."""
    plain = as_float(value)
    write = scale.signed if signed else scale.number
    return number(plain, write(plain, blank=BLANK), note=note, hint=hint, tone=tone)


def with_interval(value: Any, low: Any, high: Any, scale: Scale, *, signed: bool = False) -> TD:
    """A number with its interval below."""
    interval = scale.interval(as_float(low), as_float(high), signed=signed, blank="")
    return quantity(value, scale, note=interval, signed=signed)


def count(value: Any) -> TD:
    """A whole number."""
    plain = as_float(value)
    return number(plain, BLANK if math.isnan(plain) else f"{plain:.0f}")


def as_float(value: Any) -> float:
    """A float; NaN for anything missing or empty."""
    return math.nan if value is None or value is pd.NA or value == "" else float(value)


def known(value: Any) -> bool:
    """True unless the value is missing."""
    return not math.isnan(as_float(value))


def everyone(group: str) -> str:
    """A group's name; the empty one is everyone."""
    return humanise(group) or "everyone"


def in_order(view: RunView, axis: str, groups: Iterable[str]) -> list[str]:
    """Groups of ``axis`` in the order that the manifest declares, unknown ones last."""
    declared = next((a.levels for a in view.manifest.axes if a.name == axis), ())
    rank = {level: position for position, level in enumerate(declared)}
    return sorted(dict.fromkeys(groups), key=lambda g: (rank.get(g, len(rank)), g))


def by_system(view: RunView, rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of the systems of the run, otherwise as they were."""
    order = {key: position for position, key in enumerate(view.by_key)}
    return sorted(rows, key=lambda row: order[row["system"], row["arm"]])
