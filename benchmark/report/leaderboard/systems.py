"""The page of one system: every task, all groups, both arms, its limits, pictures and card."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from benchmark.report.leaderboard.board import Board
from benchmark.report.leaderboard.charts import key
from benchmark.report.leaderboard.limits import limits
from benchmark.report.leaderboard.store import Result, Thumbnail
from benchmark.report.leaderboard.tables import Panel, group_table, main_table
from benchmark.report.leaderboard.text import submission_card
from benchmark.report.manifest import SystemRecord
from benchmark.report.markup import slug
from benchmark.report.tables import arm_effects
from benchmark.report.wording import RECONSTRUCTION, Scale, clean, humanise, shorten
from benchmark.spec.submission import SubmissionSpec

_REFERENCES = ("input", "oracle")


@dataclass(frozen=True)
class Page:
    """What the template shows, and the tables that go with it as files."""

    values: Mapping[str, Any]
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Arm:
    """The limits of one arm; ``name`` is empty for systems without arms."""

    name: str
    sentences: tuple[str, ...]


def submission_of(system: str, texts: Mapping[str, SubmissionSpec]) -> SubmissionSpec | None:
    """What was submitted under this name, or as an enhancer that is registered under it."""
    if system in texts:
        return texts[system]
    found = (spec for _, spec in sorted(texts.items()) if spec.enhancer == system)
    return next(found, None)


def system_page(system: str, boards: Sequence[Board], spec: SubmissionSpec | None) -> Page:
    """Everything known of ``system``.

    Args:
        system: its name in the tables.
        boards: the most telling board of every task.
        spec: the submission, if it is one.
    """
    parts, panels = [], []
    own: list[SystemRecord] = []
    for board in boards:
        records = [r for r in board.view.manifest.systems if r.system == system]
        if records:
            own += records
            part = _task(board, system, records)
            parts.append(part)
            panels += [*part["groups"], *part["effects"]]
    first = own[0]
    values = {
        "system": system,
        "lead": shorten(spec.title if spec else first.note or first.label, 300),
        "facts": _facts(own),
        "card": list(submission_card(spec)) if spec else [],
        "tasks": parts,
    }
    return Page(values, panels)


def _task(board: Board, system: str, records: Sequence[SystemRecord]) -> dict[str, Any]:
    source = board.source[records[0].key]
    tables = [
        {"table": main_table(board, metric, only={system, *_REFERENCES}), "key": key(board.levels)}
        for metric in board.spread
    ]
    return {
        "board": board,
        "provenance": f"From result {source.name}, run {source.view.manifest.run_id}.",
        "limits": [
            Arm(record.arm, limits(board, record))
            for record in records
            if record.kind != "reference"
        ],
        "panels": tables,
        "groups": [group_table(board, record) for record in records],
        "effects": list(_effects(board, system)),
        "reconstruction": RECONSTRUCTION if any(r.arm == "cals" for r in records) else "",
        "cases": list(_cases(board, records, source)),
    }


def _effects(board: Board, system: str) -> Iterator[Panel]:
    """Arms against their baselines, in the metrics that are ranked."""
    names = {metric.name for metric in (*board.ranked, *filter(None, [board.quality]))}
    for comparison in board.view.manifest.comparisons:
        if comparison.system != system:
            continue
        view = board.only(comparison)
        view = replace(view, effects=view.effects[view.effects["metric"].isin(names)])
        table = arm_effects(view, comparison)
        shown = replace(
            table,
            slug=f"effects-{board.name}-{comparison.arm}",
            caption=f"{board.title}: {table.caption}",
        )
        rows = view.effects.drop(columns="sentence").to_dict("records")
        yield Panel(shown, rows, f"{slug(f'{system}-{comparison.arm}')}-{board.name}-effects")


def _cases(
    board: Board, records: Sequence[SystemRecord], source: Result
) -> Iterator[dict[str, Any]]:
    keys = {record.key for record in records}
    for picture in source.record.thumbnails:
        if (picture.system, picture.arm) in keys:
            group = humanise(picture.group)
            yield {
                "uri": Markup(_uri(source, picture.file)),
                "alt": clean(
                    f"input, output of {picture.system} {picture.arm} and clean reference "
                    f"side by side, {group}"
                ),
                "group": group,
                "arm": picture.arm,
                "score": _score(board, picture),
            }


def _score(board: Board, picture: Thumbnail) -> str:
    if picture.value is None:
        return "not measured"
    metric = next((m for m in board.ranked if m.name == picture.metric), None)
    if metric is None:
        return f"{humanise(picture.metric)} {picture.value:.3g}"
    scale = Scale.of(metric)
    return f"{humanise(metric.name)} {scale.with_unit(scale.number(picture.value))}"


def _uri(source: Result, name: str) -> str:
    content = base64.b64encode((source.folder / name).read_bytes()).decode()
    return f"data:image/webp;base64,{content}"


def _facts(records: Sequence[SystemRecord]) -> list[tuple[str, str]]:
    first = records[0]
    arms = sorted({r.arm for r in records if r.arm})
    return [
        ("kind", first.kind),
        ("licence", first.licence),
        ("parameters", f"{first.parameters:,}"),
        *([("arms", ", ".join(arms))] if arms else []),
    ]
