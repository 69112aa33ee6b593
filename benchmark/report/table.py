"""A table as the page's template wants it: text to show beside the value to sort by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class TD:
    """A cell. ``sort`` is None where nothing is known: such rows stay last in either order.

    ``note`` is shown smaller behind the text, ``hint`` is spoken and shown on hover, ``tone`` is a
    style class and ``graphic`` a drawing that only repeats what the text says.
    """

    text: str
    sort: float | str | None = None
    note: str = ""
    hint: str = ""
    tone: str = ""
    graphic: Markup | None = None


@dataclass(frozen=True)
class TH:
    """A column: ``numeric`` ones are right-aligned; ``facet`` ones get a menu to filter by."""

    title: str
    note: str = ""
    numeric: bool = False
    facet: bool = False
    preset: str = ""


@dataclass(frozen=True)
class Table:
    """A captioned table whose first column names its rows."""

    slug: str
    caption: str
    columns: Sequence[TH]
    rows: Sequence[Sequence[TD]]
    filterable: bool = False
    wide: bool = False
    notes: Sequence[str] = field(default=())


def text(value: str, *, note: str = "", hint: str = "", tone: str = "") -> TD:
    """A cell that is sorted by its text."""
    return TD(value, sort=value.casefold(), note=note, hint=hint, tone=tone)


def number(
    value: float,
    shown: str,
    *,
    note: str = "",
    hint: str = "",
    tone: str = "",
    graphic: Markup | None = None,
) -> TD:
    """A cell that is sorted by ``value``; NaN is unknown."""
    known = None if math.isnan(value) else value
    return TD(shown, sort=known, note=note, hint=hint, tone=tone, graphic=graphic)


def strip(gap: float, null_mean: float, null_p95: float, largest: float) -> Markup | None:
    """A bar of the gaps that chance gives (to its 95th percentile) with the gap as a dot.

    Args:
        gap, null_mean, null_p95: as in ``gaps.parquet``.
        largest: value at the right end; the same for all rows of a table.
    """
    if not largest > 0 or math.isnan(gap):
        return None
    scale = 72 / largest
    bars = ""
    if not math.isnan(null_p95):
        bars = (
            f'<rect x="4" y="3" width="{null_p95 * scale:.1f}" height="8" fill="var(--null)"/>'
            f'<path d="M{4 + null_mean * scale:.1f} 1v12" stroke="var(--muted)"/>'
        )
    return Markup(
        '<svg class="strip" viewBox="0 0 80 14" width="80" height="14" aria-hidden="true">'
        '<path d="M4 7h72" stroke="var(--rule)"/>'
        f'{bars}<circle cx="{4 + gap * scale:.1f}" cy="7" r="4" fill="var(--accent)"/></svg>'
    )
