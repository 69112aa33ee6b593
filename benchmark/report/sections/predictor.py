"""What the schedule was told: how well the context predictor knows what a picture is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.report.model import RunView
from benchmark.report.records import Grid, digest, show
from benchmark.report.sections.base import SHARE, Section
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.wording import humanise

_LEAD = (
    "The schedule weighs the loss terms by what the predictor says a training picture is of: the "
    "same one for every arm, and no group label is known to it. A picture that it takes for "
    "another context loses the protection of its own: a dark face that is not taken for a face "
    "loses its identity term. So recall is told for every stratum that is known. The mean "
    "probability is the share of the protection that remains."
)


def predictor(view: RunView) -> Section | None:
    """The record card of the predictor; None if no arm of the run was scheduled by one."""
    record = view.manifest.predictor
    if record is None:
        return None
    card = record.card
    found = digest(card)
    facts = Table(
        slug="predictor",
        caption=f"Accuracy and calibration of the context predictor {record.name}",
        columns=[TH("what"), TH("value", numeric=True)],
        rows=[[text(name), _cell(value)] for name, value in found.facts],
    )
    return Section(
        slug="predictor",
        short="Contexts",
        title="What the schedule was told",
        lead=(_LEAD, f"The predictor is {record.name}, judged on {record.measured_on}."),
        findings=tuple(_finding(card, found.grids)),
        tables=((facts,) if found.facts else ()),
        details=tuple(_table(position, grid) for position, grid in enumerate(found.grids)),
    )


def _table(position: int, grid: Grid) -> Table:
    return Table(
        slug=f"predictor-{position}",
        caption=f"Context predictor: {grid.title}",
        columns=[
            TH(humanise(column) or grid.title, numeric=_is_numeric(grid, index))
            for index, column in enumerate(grid.columns)
        ],
        rows=[[_cell(value) for value in row] for row in grid.rows],
        filterable=len(grid.rows) > 12,
    )


def _is_numeric(grid: Grid, index: int) -> bool:
    values = [row[index] for row in grid.rows if row[index] is not None]
    return bool(values) and all(_is_number(value) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> TD:
    return number(float(value), show(value)) if _is_number(value) else text(show(value))


def _finding(card: Mapping[str, Any], grids: list[Grid]) -> list[str]:
    """Overall accuracy, and the stratum in which recall is worst."""
    parts = []
    accuracy, error = card.get("accuracy"), card.get("ece")
    if isinstance(accuracy, float):
        parts.append(f"right for {SHARE.number(accuracy)} % of pictures")
    if isinstance(error, float):
        parts.append(f"calibration error {SHARE.number(error)} %")
    if silent := card.get("no_answer"):
        parts.append(f"no answer to {silent} of {card['n']}")
    recalls = [found for grid in grids if "recall" in grid.columns for found in _recalls(grid)]
    if recalls:
        recall, where = min(recalls)
        parts.append(f"lowest recall {SHARE.number(recall)} % ({where})")
    return [f"Context predictor: {'; '.join(parts)}."] if parts else []


def _recalls(grid: Grid) -> Iterator[tuple[float, str]]:
    """Recall and what it is of, for every row of a grid that has it."""
    column = grid.columns.index("recall")
    for row in grid.rows:
        if _is_number(row[column]):
            names = [
                f"{humanise(name)} {humanise(value)}".strip()
                for name, value in zip(grid.columns, row, strict=True)
                if isinstance(value, str)
            ]
            yield float(row[column]), ", ".join([grid.title, *names])
