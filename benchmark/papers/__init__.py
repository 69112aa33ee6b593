"""Numbers that papers print, as data with their source, to stand beside ours and never among them.

A printed column has a measured one beside it only where both follow the same protocol; scores that
take something from the ground truth are flagged, and what nobody can run is a reported row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.registry import unknown_name
from benchmark.spec.paper import Flag, PaperSpec, PrintedTable
from benchmark.spec.yamlfile import read_spec

_FOLDER = Path(__file__).resolve().parent

#: What a flag means, for a footnote; its number is its place here.
FLAGS: Mapping[Flag, str] = {
    "ground-truth-brightness": "printed scores are of outputs that were scaled to the brightness "
    "of the ground truth",
    "ground-truth-illumination": "its authors' test on LOL takes the illumination ratio of each "
    "picture from the ground truth; who prints its scores does not say that another was taken",
    "reported-only": "no code or weights were found: nobody here can measure it",
}

#: Scores at the brightness of the ground truth: a column of its own, which no paper's is.
AT_BRIGHTNESS = "psnr_gtmean"


@dataclass(frozen=True)
class Beside:
    """One row: what was printed and what we measure, metric by metric.

    Attributes:
        system: as the paper calls it.
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
    flag: Flag | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """Its name with the number of its flag."""
        return self.system + (f" ({flag_number(self.flag)})" if self.flag else "")


def flag_number(flag: Flag) -> int:
    """The number of a flag's footnote."""
    return [*FLAGS].index(flag) + 1


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
    """Join the rows of a printed table with measurements by our systems' names.

    Args:
        paper: of the table.
        table: printed.
        measured: by system and metric, means over the dataset of the table.
    """
    metrics = [c.ours for c in map(paper.column, table.columns) if c.ours]
    return [
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


def not_printed(systems: Iterable[str], dataset: str) -> list[str]:
    """Those of our systems that no table about ``dataset`` has a row of."""
    printed = {row.ours for _, table in tables_on(dataset) for row in table.rows}
    return [system for system in systems if system not in printed]


def _of(found: Mapping[str, float], metrics: Sequence[str]) -> dict[str, float | None]:
    return {metric: found.get(metric) for metric in (*metrics, AT_BRIGHTNESS)}
