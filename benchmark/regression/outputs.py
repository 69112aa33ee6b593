"""What the gate hands over: JSON for machines, Markdown for reviewers, JUnit for CI.

The same report gives the same bytes: no time, no machine, numbers to six significant digits.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmark.errors import StoreError
from benchmark.files import write_text
from benchmark.regression.decision import GateReport
from benchmark.regression.rows import Row

_TITLES = {
    "pass": "PASS",
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "not_comparable": "NOT COMPARABLE",
}
_WHAT = {
    "gap": "gap of the baseline's worst group",
    "v_dc": "variance between groups",
    "levelled_down": "levelled down",
}
#: Rows of one table of the Markdown; the JSON has them all.
_MOST_ROWS = 40


def write_outputs(report: GateReport, folder: Path, *, strict: bool = False) -> tuple[Path, ...]:
    """Write ``gate.json``, ``gate.md`` and ``gate.xml`` and return their paths.

    Raises:
        StoreError: if the folder cannot be written to.
    """
    files = {
        "gate.json": as_json(report, strict=strict),
        "gate.md": as_markdown(report),
        "gate.xml": as_junit(report, strict=strict),
    }
    for name, text in files.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in files)


def step_summary(report: GateReport) -> None:
    """Append the Markdown to the summary of a GitHub Actions step, if this runs in one.

    Raises:
        StoreError: if the file that GitHub names cannot be written to.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(as_markdown(report))
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=path) from error


def as_json(report: GateReport, *, strict: bool = False) -> str:
    """Everything, with null for what there is no number for."""
    content = {
        "format": 1,
        "verdict": report.verdict,
        "exit_code": report.exit_code(strict=strict),
        "task": report.task,
        "baseline": report.baseline,
        "candidate": report.candidate,
        "policy": report.policy.model_dump(mode="json"),
        "problems": list(report.problems),
        "notes": list(report.notes),
        "unchanged": list(report.unchanged),
        "rows": [asdict(row) for row in report.rows],
        "moved": [asdict(mover) for mover in report.moved],
    }
    return json.dumps(_plain(content), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def as_markdown(report: GateReport) -> str:
    """The answer, what it rests on, and the samples that moved most."""
    return "\n".join(_markdown(report)) + "\n"


def headline(report: GateReport) -> str:
    """The answer in one sentence."""
    if report.verdict == "not_comparable":
        return "The two runs cannot be held against each other."
    fails, open_ = len(report.of("fail")), len(report.of("inconclusive"))
    parts = [
        f"{fails} of {len(report.rows)} verdicts blocked" if fails else "nothing is blocked",
        f"{open_} left open" if open_ else "nothing is left open",
    ]
    return f"{', '.join(parts)}.".capitalize()


def _markdown(report: GateReport) -> Iterator[str]:
    yield f"## Fairness gate: {_TITLES[report.verdict]}"
    yield ""
    yield (
        f"{_cell(report.task)}: `{_code(report.candidate)}` against the baseline "
        f"`{_code(report.baseline)}`. {headline(report)}"
    )
    if report.problems:
        yield ""
        yield from (f"- {_cell(problem)}" for problem in report.problems)
    titles = {"fail": "Blocked", "inconclusive": "Not decided"}
    for verdict, title in titles.items():
        rows = report.of(verdict)  # type: ignore[arg-type]
        if rows:
            yield from ("", f"### {title}", "")
            yield from _row_table(rows)
    if report.moved and report.verdict in {"fail", "inconclusive"}:
        wanted = {(r.system, r.arm, r.metric) for r in report.rows if r.verdict == "fail"}
        shown = [m for m in report.moved if (m.system, m.arm, m.metric) in wanted] or report.moved
        yield from ("", "### Samples that lost most", "")
        yield from _table(
            ("system", "seed", "sample", "group", "metric", "before", "after"),
            [
                (f"{m.system} {m.arm}".strip(), "" if m.seed < 0 else str(m.seed), m.sample,
                 ", ".join(m.groups), m.metric, number(m.before), number(m.after))
                for m in shown
            ],
        )  # fmt: skip
    if report.unchanged:
        names = ", ".join(_cell(name) for name in report.unchanged)
        yield from ("", f"No value moved by more than rounding: {names}.")
    if report.notes:
        yield ""
        yield from (f"- {_cell(note)}" for note in report.notes)


def _row_table(rows: Sequence[Row]) -> Iterator[str]:
    yield from _table(
        ("system", "metric", "who", "clusters", "before", "after", "lost (bounds)", "harm",
         "allowed", "Holm p", "why"),
        [
            (row.label, row.metric, who(row), str(row.n), number(row.before), number(row.after),
             f"{number(row.loss)} ({number(row.low)} to {number(row.high)})", number(row.harm),
             number(row.allowed), number(row.p_holm), row.reason)
            for row in rows
        ],
    )  # fmt: skip


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows[:_MOST_ROWS]:
        yield f"| {' | '.join(_cell(text) for text in row)} |"
    if len(rows) > _MOST_ROWS:
        yield ""
        yield f"... and {len(rows) - _MOST_ROWS} more in gate.json."


def who(row: Row) -> str:
    """Whom a row is about, in words."""
    if row.kind in _WHAT:
        return f"{row.axis}: {_WHAT[row.kind]}"
    floor = ", floor" if row.kind == "floor" else ""
    return f"{row.axis}: {row.target}{floor}"


def as_junit(report: GateReport, *, strict: bool = False) -> str:
    """One test case for every verdict; an inconclusive one is skipped, or fails if ``strict``."""
    suite = ElementTree.Element("testsuite", name=f"fairness gate: {_xml(report.task)}")
    counts = {"failures": 0, "errors": 0, "skipped": 0}
    if report.problems:
        case = ElementTree.SubElement(suite, "testcase", classname="gate", name="comparable")
        text = _xml("\n".join(report.problems))
        ElementTree.SubElement(case, "error", message="not comparable").text = text
        counts["errors"] += 1
    for row in report.rows:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_xml(".".join(part for part in (row.system, row.arm, row.metric) if part)),
            name=_xml(who(row)),
        )
        about = _xml(
            f"lost {number(row.loss)} ({number(row.low)} to {number(row.high)}), margins "
            f"{number(row.harm)} and {number(row.allowed)}, {row.n} clusters: {row.reason}"
        )
        if row.verdict == "fail" or (strict and row.verdict == "inconclusive"):
            ElementTree.SubElement(case, "failure", message=_xml(row.reason)).text = about
            counts["failures"] += 1
        elif row.verdict == "inconclusive":
            ElementTree.SubElement(case, "skipped", message=about)
            counts["skipped"] += 1
    suite.set("tests", str(len(suite)))
    for name, count in counts.items():
        suite.set(name, str(count))
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def number(value: float) -> str:
    """A number for people: three significant digits, a dash where there is none."""
    if math.isnan(value):
        return "-"
    return "lost" if math.isinf(value) else f"{value:.3g}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _cell(text: str) -> str:
    """Text that stays in its cell and is no markup: names come from other people's files."""
    flat = " ".join(str(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#!~])", r"\\\1", flat)


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


def _xml(text: str) -> str:
    """Text without the characters that XML 1.0 forbids even when escaped."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
