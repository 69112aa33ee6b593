"""Tables about the run itself: systems, metrics, time, licences and files."""

from __future__ import annotations

import re

from benchmark.report.model import RunView
from benchmark.report.summary import NAN
from benchmark.report.table import TH, Table, number, text
from benchmark.report.tables import BLANK, system_cell

_RESTRICTED = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)


def systems(view: RunView) -> Table:
    """Who took part."""
    rows = [
        [
            system_cell(s),
            text(s.kind),
            number(s.parameters, f"{s.parameters:,}"),
            number(
                NAN if s.latency_ms is None else s.latency_ms,
                BLANK if s.latency_ms is None else f"{s.latency_ms:.1f}",
            ),
            text(s.licence),
            text(s.note),
        ]
        for s in view.manifest.systems
    ]
    columns = [
        *(TH("system"), TH("kind"), TH("parameters", numeric=True)),
        *(TH("latency", note="ms per image", numeric=True), TH("licence"), TH("note")),
    ]
    return Table(slug="systems", caption="Systems that took part", columns=columns, rows=rows)


def metrics(view: RunView) -> Table:
    """What was measured, and what could not be."""
    rows = []
    for m in view.manifest.metrics:
        low, high = ("∞" if end is None else f"{end:g}" for end in m.range)
        state = "measured" if m.available else "not measured"
        note = "in a training loss" if m.in_loss else "" if m.available else m.reason
        rows.append(
            [
                text(m.name, note=f"v{m.version}"),
                text(m.summary),
                text("higher" if m.direction == 1 else "lower"),
                text("share" if m.kind == "rate" else m.unit or BLANK),
                text(f"{'−' if m.range[0] is None else ''}{low} to {high}"),
                text(m.role),
                text(state, note=note, tone="" if m.available else "warn"),
                text(m.licence),
                text(m.source or BLANK),
            ]
        )
    columns = [
        *(TH("metric"), TH("what it is"), TH("better"), TH("unit"), TH("range"), TH("role")),
        *(TH("state"), TH("licence"), TH("source")),
    ]
    return Table(
        slug="metrics", caption="Metrics", columns=columns, rows=rows, filterable=True, wide=True
    )


def phases(view: RunView) -> Table:
    """Where the time went."""
    rows = [
        [
            text(p.name),
            number(p.seconds, f"{p.seconds:.1f}"),
            number(p.units, str(p.units)),
            number(float(p.cached), ("yes" if p.cached else "no"))
            if isinstance(p.cached, bool)
            else number(p.cached, str(p.cached)),
        ]
        for p in view.manifest.phases
    ]
    total = sum(p.seconds for p in view.manifest.phases)
    columns = [
        *(TH("phase"), TH("seconds", numeric=True), TH("units of work", numeric=True)),
        TH("from cache", numeric=True),
    ]
    return Table(
        slug="phases", caption=f"Time: {total:.0f} seconds in all", columns=columns, rows=rows
    )


def licences(view: RunView) -> Table:
    """The terms that the numbers come with."""
    rows = []
    for r in view.manifest.licences:
        restricted = bool(_RESTRICTED.search(f"{r.licence} {r.note}"))
        note = r.note or ("non-commercial use only" if restricted else BLANK)
        tone = "warn" if restricted else ""
        rows.append([text(r.name), text(r.kind), text(r.licence), text(note, tone=tone)])
    columns = [TH("thing"), TH("kind"), TH("licence"), TH("note")]
    return Table(slug="licences", caption="Licences", columns=columns, rows=rows)


def files(view: RunView) -> Table:
    """Digests of the tables, to tell whether a report belongs to them."""
    rows = [
        [text(name), text(digest if isinstance(digest, str) else str(digest.get("sha256", BLANK)))]
        for name, digest in sorted(view.manifest.files.items())
        if not name.startswith("gallery/")
    ]
    columns = [TH("file"), TH("SHA-256")]
    return Table(slug="files", caption="Files of this run", columns=columns, rows=rows)
