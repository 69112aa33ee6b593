"""What the Hugging Face Hub shows of a system: model index, ``.eval_results`` and a card section.

Values are those of the committed results, never of their author. Both the mean of everybody and
that of the worst group are named: a number without the other says nothing of fairness.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from benchmark.registry import unknown_name
from benchmark.report.leaderboard.board import Board
from benchmark.report.leaderboard.limits import limits
from benchmark.report.leaderboard.tables import worst_group
from benchmark.report.manifest import MetricRecord, SystemRecord
from benchmark.report.summary import Cell
from benchmark.report.tables import BLANK
from benchmark.report.wording import GAP_VERDICTS, Scale, clean, humanise

#: The pipeline that enhancers are filed under on the Hub.
_TASK_TYPE = "image-to-image"
OWNER = "equilux"


def hub_files(boards: Sequence[Board], system: str, arm: str = "") -> dict[str, str]:
    """Files for the repository of a model, by their path in it.

    Args:
        boards: the most telling board of every task.
        system: name of the system.
        arm: of a host.

    Returns:
        ``model-index.yaml`` (to be put into the front matter of ``README.md``),
        ``model-card-section.md`` (into its text) and ``.eval_results/equilux-<task>.yaml``.

    Raises:
        UnknownNameError: with the nearest names, if there is no such system and arm.
    """
    mine = [(board, board.view.by_key[system, arm]) for board in boards if _has(board, system, arm)]
    if not mine:
        known = {key for board in boards for key in board.source}
        wanted = f"{system} {arm}".strip()
        raise unknown_name("system", wanted, tuple(sorted(" ".join(k).strip() for k in known)))
    index = [{"name": mine[0][1].name, "results": [_indexed(*one) for one in mine]}]
    files = {
        "model-index.yaml": _yaml({"model-index": index}),
        "model-card-section.md": "\n".join(_section(mine)),
    }
    for board, record in mine:
        path = f".eval_results/{OWNER}-{board.protocol.task}.yaml"
        files[path] = _yaml(list(_entries(board, record)))
    return dict(sorted(files.items()))


def _has(board: Board, system: str, arm: str) -> bool:
    return (system, arm) in board.view.by_key


def _values(board: Board, record: SystemRecord) -> Iterator[tuple[MetricRecord, str, str, Cell]]:
    """Metric, name and group of every value: everybody's and the worst group's."""
    quality = [board.quality] if board.quality else []
    for metric in dict.fromkeys((*board.ranked, *quality)):
        line = board.lines(metric)[record.key]
        level, worst = worst_group(line, board.levels)
        for name, group, cell in (("all", "", line.overall), ("worst group", level, worst)):
            if math.isfinite(cell.mean):
                yield metric, f"{humanise(metric.name)}, {name}", group, cell


def _indexed(board: Board, record: SystemRecord) -> dict[str, Any]:
    protocol = board.protocol
    return {
        "task": {"type": _TASK_TYPE, "name": clean(board.title)},
        "dataset": {
            "type": f"{OWNER}/{protocol.task}",
            "name": f"Equilux {protocol.task}, version {protocol.version}",
            "config": protocol.profile,
            "revision": protocol.data,
        },
        "metrics": [
            {
                "type": metric.name,
                "name": name,
                "value": _number(cell.mean),
                "args": {
                    **({"group": clean(group), "axis": board.axis} if group else {}),
                    "ci_low": _number(cell.low),
                    "ci_high": _number(cell.high),
                    "version": metric.version,
                },
            }
            for metric, name, group, cell in _values(board, record)
        ],
    }


def _entries(board: Board, record: SystemRecord) -> Iterator[dict[str, Any]]:
    protocol = board.protocol
    note = f"profile {protocol.profile}, version {protocol.version}, key {protocol.key}"
    if protocol.tag:
        note = f"protocol {protocol.tag}, {note}"
    for metric, name, group, cell in _values(board, record):
        who = f"worst group: {clean(group)}, " if group else ""
        kind = "worst" if name.endswith("worst group") else "all"
        yield {
            "dataset": {"id": f"{OWNER}/{protocol.task}", "task_id": f"{metric.name}-{kind}"},
            "value": _number(cell.mean),
            "notes": f"{who}95 % interval {_number(cell.low)} to {_number(cell.high)}, {note}",
        }


def _section(mine: Sequence[tuple[Board, SystemRecord]]) -> Iterator[str]:
    yield "## Fairness, as measured by Equilux"
    yield ""
    yield "Groups of rendered people, eyes and scenes; the same subjects for every system. A gap"
    yield "stands beside the gap that chance alone gives. There is no overall fairness score."
    for board, record in mine:
        yield from ("", f"### {_inline(board.title)}", "")
        yield "| metric | all | worst group | gap | by chance | verdict | tie tier |"
        yield "| --- | ---: | --- | ---: | ---: | --- | --- |"
        for metric in board.ranked:
            yield _row(board, record, metric)
        sentences = limits(board, record)
        if sentences:
            yield from ("", "Limits, computed from lower bounds:", "")
            yield from (f"- {_inline(sentence)}" for sentence in sentences)
        source = board.source[record.key]
        yield ""
        yield (
            f"Task version {board.protocol.version}, profile {board.protocol.profile}, result "
            f"`{source.name}`, manifest SHA-256 `{source.record.run_manifest}`."
        )
    yield ""


def _row(board: Board, record: SystemRecord, metric: MetricRecord) -> str:
    scale = Scale.of(metric)
    line = board.lines(metric)[record.key]
    level, worst = worst_group(line, board.levels)
    gap, rank = line.disparity, board.standing.get((metric.name, "worst", record.key))
    cells = [
        f"{board.view.tag(metric)}{humanise(metric.name)}",
        _with_interval(line.overall, scale),
        f"{humanise(level)}: {_with_interval(worst, scale)}" if level else BLANK,
        scale.with_unit(scale.number(gap.gap), difference=True) if gap else BLANK,
        scale.with_unit(scale.number(gap.null_mean), difference=True) if gap else BLANK,
        GAP_VERDICTS.get(gap.verdict, (gap.verdict,))[0] if gap else BLANK,
        f"{rank['tier']:g} (rank {rank['rank_low']:g} to {rank['rank_high']:g})" if rank else BLANK,
    ]
    return f"| {' | '.join(_inline(cell) for cell in cells)} |"


def _with_interval(cell: Cell, scale: Scale) -> str:
    shown = scale.with_unit(scale.number(cell.mean, blank=BLANK))
    return f"{shown} {scale.interval(cell.low, cell.high, blank='')}".strip()


def _inline(text: str) -> str:
    """A text that stays within its cell or line of Markdown and is no HTML."""
    plain = clean(text).replace("\\", "\\\\")
    for character in "|<>*_`#":
        plain = plain.replace(character, f"\\{character}")
    return plain


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _yaml(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
