"""``leaderboards/site``: static pages made of committed results, submissions and cards alone.

The same input gives the same bytes: nothing is dated, nothing depends on the machine, and drawings
are text. Pages are whole in themselves and work from a disk without a network.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment

from benchmark.errors import DataError, StoreError
from benchmark.report.highlights import effect_sentence, gap_sentence
from benchmark.report.leaderboard import charts
from benchmark.report.leaderboard.board import Board, boards, most_telling, page_of
from benchmark.report.leaderboard.charts import key
from benchmark.report.leaderboard.files import downloads, json_text, table_csv
from benchmark.report.leaderboard.history import history
from benchmark.report.leaderboard.overview import glance, overview
from benchmark.report.leaderboard.store import TABLES, Result
from benchmark.report.leaderboard.systems import submission_of, system_page
from benchmark.report.leaderboard.tables import Panel, standing_panel, worst_group
from benchmark.report.leaderboard.text import markdown
from benchmark.report.manifest import MetricRecord
from benchmark.report.markup import assets, environment, slug
from benchmark.report.sections.recognition import PROTOCOLS
from benchmark.report.wording import (
    EFFECT_VERDICTS,
    GAP_VERDICTS,
    RECONSTRUCTION,
    humanise,
)
from benchmark.spec.submission import SubmissionSpec

#: Lists the files of a site; a folder without it is never replaced.
INDEX = "site.json"
_MOST_NAMES = 12
_SEEN = (
    "rendered here, so in nobody's training data; systems of kind 'trained' learned from other "
    "subjects of the same renderer"
)
#: Tables that a page shows only in part; groups and effects are beside those of the systems.
_APART = tuple(name for name in TABLES if name not in {"groups", "effects"})


def build_site(
    results: Sequence[Result],
    *,
    submissions: Mapping[str, SubmissionSpec],
    cards: Mapping[str, str],
) -> dict[str, str]:
    """Every file of the site, by its path.

    Args:
        results: as read from ``leaderboards/results``.
        submissions: texts by ``owner/name``.
        cards: Markdown by the name of the task.

    Raises:
        DataError: if there is no result, or a table lacks a baseline.
    """
    found = boards(results)
    if not found:
        raise DataError(
            "there is no result to show",
            where="leaderboards/results",
            mend="add one: `python -m benchmark leaderboard add RUN`",
        )
    builder = _Builder(found, submissions, cards)
    return dict(sorted(builder.files()))


def write_site(files: Mapping[str, str], folder: Path) -> None:
    """Replace ``folder`` by the site; a reader sees the old one or the new one.

    Raises:
        StoreError: if the folder holds anything but a site, or cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / INDEX).is_file():
        raise StoreError(
            f"the folder is not empty and holds no {INDEX}: it is not a site",
            where=str(folder),
            mend="name another folder with --out",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".site-", dir=folder.parent))
        fresh.chmod(0o755)
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        if folder.exists():
            old = fresh.with_name(f"{fresh.name}-old")
            folder.rename(old)
            fresh.rename(folder)
            shutil.rmtree(old)
        else:
            fresh.rename(folder)
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(folder)) from error


class _Builder:
    """Pages that share a menu, a style and the boards."""

    def __init__(
        self,
        found: tuple[Board, ...],
        submissions: Mapping[str, SubmissionSpec],
        cards: Mapping[str, str],
    ) -> None:
        self.boards, self.texts, self.cards = found, submissions, cards
        self.first = first = most_telling(found)
        self.engine: Environment = environment()
        self.assets = assets("board.css")
        self.menu = [
            {"title": "All tasks", "href": "index.html"},
            *(
                {"title": humanise(task.replace("-", " ")), "href": f"tasks/{board.name}.html"}
                for task, board in first.items()
            ),
            {"title": "Methods", "href": "methods.html"},
        ]

    def files(self) -> Iterator[tuple[str, str]]:
        """Path and content of every file."""
        names = []
        for name, content in self._pages():
            names.append(name)
            yield name, content
        names.append(INDEX)
        about = {
            "format": 1,
            "boards": {b.name: _about(b) for b in self.boards},
            "files": sorted(names),
        }
        yield INDEX, json_text(about)

    def _pages(self) -> Iterator[tuple[str, str]]:
        table = overview(self.first)
        yield from downloads(table, {})
        yield "index.html", self._render("board_index", "index.html", **self._index(table))
        for board in self.boards:
            yield from self._task(board)
        for system in sorted({s.system for b in self.boards for s in b.view.manifest.systems}):
            yield from self._system(system)
        for task, card in sorted(self.cards.items()):
            if task in self.first:
                title = f"Card: {self.first[task].title}"
                content = markdown(card)
                here = f"cards/{task}.html"
                yield here, self._render("board_text", here, title=title, content=content)
        yield "methods.html", self._methods()

    def _render(self, template: str, here: str, **values: Any) -> str:
        return self.engine.get_template(f"{template}.html").render(
            assets=self.assets,
            menu=self.menu,
            here=here,
            root="../" * here.count("/"),
            **values,
        )

    def _index(self, systems: Panel) -> dict[str, Any]:
        tasks = []
        for task, board in self.first.items():
            count = len({s.system for s in board.view.manifest.systems})
            tasks.append(
                {
                    "board": board,
                    "findings": [gap_sentence(board.view, metric) for metric in board.spread],
                    "key": key(board.levels),
                    "glance": glance(board),
                    "systems": f"{count} systems",
                    "others": [
                        {"name": b.name, "label": _label(b)}
                        for b in self.boards
                        if b.protocol.task == task and b is not board
                    ],
                }
            )
        return {"tasks": tasks, "systems": systems}

    def _task(self, board: Board) -> Iterator[tuple[str, str]]:
        shown = [standing_panel(board, metric) for metric in board.ranked]
        past = history(board)
        for panel in (*shown, past):
            yield from downloads(panel, _about(board))
        tables = []
        for name in _APART:
            table: pd.DataFrame = getattr(board.view, name)
            if len(table):
                tables.append(name)
                yield f"data/{board.name}-{name}.csv", table_csv(table)
        here = f"tasks/{board.name}.html"
        yield (
            here,
            self._render(
                "board_task",
                here,
                board=board,
                facts=_facts(board),
                protocol_note=PROTOCOLS.get(board.protocol.tag, ""),
                findings=[*_findings(board), *_effect_sentences(board)],
                reconstruction=RECONSTRUCTION if board.view.manifest.reconstructed else "",
                open=shown[: len(board.spread)],
                folded=shown[len(board.spread) :],
                drawings=list(_drawings(board)),
                history=past,
                protocol=list(_protocol(board)),
                tables=tables,
            ),
        )

    def _system(self, system: str) -> Iterator[tuple[str, str]]:
        page = system_page(system, tuple(self.first.values()), submission_of(system, self.texts))
        for panel in page.panels:
            yield from downloads(panel, {"system": system})
        here = f"systems/{page_of(system)}"
        yield here, self._render("board_system", here, **page.values)

    def _methods(self) -> str:
        return self._render(
            "board_methods",
            "methods.html",
            manifest={"statistics": {}, "notes": []},
            gap_verdicts=GAP_VERDICTS.values(),
            effect_verdicts=EFFECT_VERDICTS.values(),
            reconstruction=RECONSTRUCTION,
        )


def _findings(board: Board) -> list[str]:
    """In each headline metric: who is worst, what the judge adds, and who is in front."""
    found = []
    for metric in board.spread:
        found.append(gap_sentence(board.view, metric))
        found.append(_leaders(board, metric))
    return [sentence for sentence in found if sentence]


def _leaders(board: Board, metric: MetricRecord) -> str:
    """Who shares the first tie tier of the enhancers, by the worst group."""
    tiers: dict[int, list[str]] = {}
    for record in board.ordered:
        row = board.standing.get((metric.name, "worst", record.key))
        if row and record.kind != "reference":
            tiers.setdefault(int(row["tier"]), []).append(record.name)
    if not tiers:
        return ""
    first = tiers[min(tiers)]
    names = ", ".join(first[:_MOST_NAMES])
    if len(first) > _MOST_NAMES:
        names += f" and {len(first) - _MOST_NAMES} more"
    plural = "share" if len(first) > 1 else "is alone in"
    return (
        f"{humanise(metric.name)} of the worst group: {names} {plural} the first tie tier of "
        f"{sum(map(len, tiers.values()))} enhancers."
    )


def _effect_sentences(board: Board) -> list[str]:
    comparisons = board.view.manifest.comparisons[:_MOST_NAMES]
    found = (effect_sentence(board.view, c, m) for c in comparisons for m in board.spread)
    return [sentence for sentence in found if sentence]


def _facts(board: Board) -> list[tuple[str, str]]:
    protocol, manifest = board.protocol, board.view.manifest
    tag = [("protocol", protocol.tag)] if protocol.tag else []
    return [
        ("version", protocol.version),
        ("profile", protocol.profile),
        *tag,
        ("samples", str(manifest.n_samples)),
        ("systems", str(len({s.system for s in manifest.systems}))),
        ("results", str(len(board.results))),
    ]


def _protocol(board: Board) -> Iterator[tuple[str, str]]:
    protocol = board.protocol
    yield "task", f"{protocol.task}, version {protocol.version}, profile {protocol.profile}"
    yield "data", f"the embedded probe, digest {protocol.data}"
    yield "contamination", _SEEN
    yield "metrics", ", ".join(protocol.metrics)
    yield "judges", protocol.judges
    yield "protocol", protocol.tag or "without a recogniser"
    settings = board.view.manifest.statistics
    yield "statistics", ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))
    yield "key", protocol.key
    for result in board.results:
        samples = result.view.manifest.files.get("samples.parquet", "unknown")
        yield f"result {result.number}", f"{result.name}, samples SHA-256 {samples}"


def _label(board: Board) -> str:
    state = "" if board.current else ", superseded"
    return f"profile {board.protocol.profile}, version {board.protocol.version}{state}"


def _drawings(board: Board) -> Iterator[charts.Figure]:
    quality = board.quality
    for metric in board.spread:
        name = slug(f"{board.name}-{metric.name}")
        rows = [board.lines(metric)[record.key] for record in board.ordered]
        title = f"{humanise(metric.name)} of every system by {humanise(board.axis)}"
        yield charts.dot_plot(rows, board.levels, slug=f"dots-{name}", title=title)
        if quality is None or quality.name == metric.name:
            continue
        overall = board.lines(quality)
        worst = [worst_group(row, board.levels)[1].mean for row in rows]
        points = [
            (row.system, overall[row.system.key].overall.mean, least)
            for row, least in zip(rows, worst, strict=True)
        ]
        known = [point for point in points if all(map(math.isfinite, point[1:]))]
        if known:
            title = f"{humanise(quality.name)} of all against {humanise(metric.name)} of the worst"
            yield charts.front(known, quality, metric, slug=f"front-{name}", title=title)


def _about(board: Board) -> dict[str, Any]:
    """What a file of numbers has to say of itself, so that it can travel alone."""
    protocol = board.protocol
    return {
        "task": protocol.task,
        "version": protocol.version,
        "profile": protocol.profile,
        "protocol": protocol.tag,
        "key": protocol.key,
        "data": protocol.data,
        "metrics": list(protocol.metrics),
        "instruments": {name: dict(identity) for name, identity in protocol.instruments.items()},
        "results": {result.name: result.record.run_manifest for result in board.results},
    }
