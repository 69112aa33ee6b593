"""Numbers that papers print, as data with their source, to stand beside ours and never among them.

A printed column has a measured one beside it only where both follow the same protocol; scores that
use the brightness of the ground truth are flagged, and what nobody can run is a reported row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.registry import unknown_name
from benchmark.spec.paper import PaperSpec, PrintedTable
from benchmark.spec.yamlfile import read_spec

_FOLDER = Path(__file__).resolve().parent

#: What a flag means, for a footnote.
FLAGS: Mapping[str, str] = {
    "ground-truth-brightness": "printed scores use the brightness of the ground truth at test time",
    "reported-only": "no code or weights were found: nobody here can measure it",
}


@dataclass(frozen=True)
class Beside:
    """One row: what was printed and what we measure, metric by metric.

    Attributes:
        system: as the paper calls it; as we do, where the paper does not know it.
        ours: our name of it; empty where there is none.
        printed: by column of the paper; None where it says nothing.
        measured: by metric of ours; None where it was not measured.
        flag: see :data:`FLAGS`.
        note: why the two need not agree.
    """

    system: str
    ours: str
    printed: Mapping[str, float | None]
    measured: Mapping[str, float | None]
    flag: str = ""
    note: str = ""


def paper_names() -> tuple[str, ...]:
    """Names of all papers, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def find_paper(name: str) -> PaperSpec:
    """The printed tables of one paper.

    Raises:
        UnknownNameError: with the nearest names.
    """
    if name not in paper_names():
        raise unknown_name("paper", name, paper_names())
    return read_spec(_FOLDER / f"{name}.yaml", PaperSpec)


def tables_on(dataset: str) -> tuple[tuple[PaperSpec, PrintedTable], ...]:
    """Every printed table about one dataset that has rows that we can measure."""
    papers = map(find_paper, paper_names())
    return tuple(
        (paper, table)
        for paper in papers
        for table in paper.tables
        if table.dataset == dataset and any(row.ours for row in table.rows)
    )


def side_by_side(
    paper: PaperSpec, table: PrintedTable, measured: Mapping[str, Mapping[str, float]]
) -> list[Beside]:
    """Join a printed table with measurements by our systems' names.

    Args:
        paper: of the table.
        table: printed.
        measured: by system and metric, means over the dataset of the table.

    Returns:
        The printed rows in their order, then what only we have measured.
    """
    metrics = [c.ours for c in map(paper.column, table.columns) if c.ours]
    rows = [
        Beside(
            row.system,
            row.ours or "",
            dict(zip(table.columns, row.values, strict=True)),
            _of(measured.get(row.ours or "", {}), metrics),
            row.flag,
            row.note,
        )
        for row in table.rows
    ]
    known = {row.ours for row in rows}
    nothing = dict.fromkeys(table.columns)
    rows += [
        Beside(name, name, nothing, _of(found, metrics))
        for name, found in measured.items()
        if name not in known
    ]
    return rows


def _of(found: Mapping[str, float], metrics: Sequence[str]) -> dict[str, float | None]:
    """The wanted metrics, and PSNR at the reference's mean, which no paper's column is."""
    return {metric: found.get(metric) for metric in (*metrics, "psnr_gtmean")}
