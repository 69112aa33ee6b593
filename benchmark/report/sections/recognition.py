"""Downstream recognition: what enhancement mends, what it breaks, and under which protocol."""

from __future__ import annotations

import math

from benchmark.report.model import RunView
from benchmark.report.sections.base import (
    COARSE,
    SHARE,
    Plot,
    Row,
    Section,
    as_float,
    by_system,
    everyone,
    in_order,
    known,
    quantity,
    rows_of,
    with_interval,
)
from benchmark.report.sections.drawings import harm_and_help
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.tables import BLANK, system_cell
from benchmark.report.wording import Scale, humanise, p_value, shorten

#: Protocol -> what it says about the recogniser (metrics, section 5.6).
PROTOCOLS = {
    "frozen": "the recogniser was trained on normal light and never saw an enhanced image",
    "retrained": "the recogniser was trained anew on the outputs of every system",
}
_RATIO = Scale(1.0, 2, "", "")
_LEAD = (
    "Every picture is read by the same recogniser before enhancement, after it, and as the clean "
    "reference. Harmed are pictures that were read rightly before and wrongly after, helped the "
    "reverse; both are shares of all pictures of the row, and the change is helped minus harmed. "
    "An enhancer that helps on average can still take the sign away from somebody who could read "
    "it.",
    "The change is tested on the same pictures with McNemar's exact test, taken over scenes where "
    "several pictures show one. Recovery is the part of the loss that came back: 1 is the clean "
    "image; it is left out where there was next to nothing to lose. The calibration error says how "
    "far the recogniser's confidence is from being right, and is left out below 200 pictures.",
)


def recognition(view: RunView) -> Section | None:
    """Tables and drawings of ``outcomes.parquet``; None if the run has no recogniser."""
    if view.outcomes.empty:
        return None
    rows = by_system(view, rows_of(view.outcomes))
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda r: list(PROTOCOLS).index(r["protocol"])):
        groups.setdefault((row["protocol"], row["judge"]), []).append(row)
    first = {protocol: (protocol, judge) for protocol, judge in reversed(groups)}
    parts = [(key, groups[key]) for key in groups]
    return Section(
        slug="recognition",
        short="Recognition",
        title="What can still be read",
        lead=(*_LEAD, *(f"Protocol {p}: {PROTOCOLS[p]}." for p in first)),
        findings=tuple(_finding(view, key, groups[key]) for key in first.values()),
        tables=tuple(_overall(view, key, part) for key, part in parts),
        details=tuple(_strata(view, key, part) for key, part in parts),
        plots=tuple(plot for key in first.values() for plot in _plots(view, key, groups[key])),
        brief=tuple(_brief(view, key, groups[key]) for key in first.values()),
    )


def _tag(key: tuple[str, str]) -> str:
    protocol, judge = key
    return f"[{protocol}] judge {judge}"


def _overall(view: RunView, key: tuple[str, str], rows: list[Row]) -> Table:
    return Table(
        slug=f"outcomes-{'-'.join(key)}",
        caption=f"{_tag(key)}: right answers before and after",
        columns=[TH("system"), *_columns()],
        rows=[
            [system_cell(view.by_key[row["system"], row["arm"]]), *_cells(row)]
            for row in rows
            if row["axis"] == ""
        ],
        wide=True,
    )


def _strata(view: RunView, key: tuple[str, str], rows: list[Row]) -> Table:
    """Every group of every axis; the menus start on the first context axis."""
    axis = _context(view, rows)
    body = []
    for name in dict.fromkeys(row["axis"] for row in rows if row["axis"]):
        part = [row for row in rows if row["axis"] == name]
        for group in in_order(view, name, (row["group"] for row in part)):
            body += [
                [
                    system_cell(view.by_key[row["system"], row["arm"]]),
                    text(everyone(group)),
                    text(humanise(name)),
                    *_cells(row),
                ]
                for row in part
                if row["group"] == group
            ]
    return Table(
        slug=f"outcomes-strata-{'-'.join(key)}",
        caption=f"{_tag(key)}: within each context and group",
        columns=[
            TH("system", facet=True),
            TH("group", facet=True),
            TH("axis", facet=True, preset=humanise(axis)),
            *_columns(),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )


def _columns() -> list[TH]:
    return [
        TH("n", note="pictures", numeric=True),
        TH("before", note="%", numeric=True),
        TH("after", note="%", numeric=True),
        TH("clean", note="%", numeric=True),
        TH("change", note="pts, 95 % interval", numeric=True),
        TH("p", note="McNemar, Holm", numeric=True),
        TH("harmed", note="% (n)", numeric=True),
        TH("helped", note="% (n)", numeric=True),
        TH("recovery", note="1 is clean", numeric=True),
        TH("ECE", note="%", numeric=True),
    ]


def _cells(row: Row) -> list[TD]:
    changed = f"{as_float(row['worse']):.0f} worse, {as_float(row['better']):.0f} better"
    return [
        number(row["n"], f"{row['n']:.0f}", hint=f"{row['n_clusters']:.0f} subjects"),
        quantity(row["accuracy_input"], SHARE),
        quantity(row["accuracy"], SHARE),
        quantity(row["accuracy_reference"], SHARE),
        with_interval(row["delta"], row["delta_low"], row["delta_high"], SHARE, signed=True),
        _p(row, changed),
        _rate(row["harm_rate"], row["harm_n"]),
        _rate(row["help_rate"], row["help_n"]),
        quantity(row["recovery"], _RATIO),
        quantity(row["ece"], SHARE, hint="" if known(row["ece"]) else "too few pictures"),
    ]


def _p(row: Row, hint: str) -> TD:
    """McNemar's p, corrected where it belongs to a family."""
    raw, holm = as_float(row["mcnemar_p"]), as_float(row["p_holm"])
    shown = raw if math.isnan(holm) else holm
    note = "" if math.isnan(holm) else f"raw {p_value(raw)}"
    return number(shown, p_value(shown, blank=BLANK), note=note, hint=hint)


def _rate(value: float, n: float) -> TD:
    return quantity(value, SHARE, note=f"of {as_float(n):.0f}" if known(n) else "")


def _brief(view: RunView, key: tuple[str, str], rows: list[Row]) -> Table:
    """Eighty columns of it."""
    body = []
    for row in rows:
        if row["axis"]:
            continue
        interval = COARSE.interval(
            as_float(row["delta_low"]), as_float(row["delta_high"]), signed=True, blank=""
        )
        body.append(
            [
                text(view.by_key[row["system"], row["arm"]].name),
                quantity(row["accuracy_input"], COARSE),
                quantity(row["accuracy"], COARSE),
                quantity(row["accuracy_reference"], COARSE),
                text(f"{COARSE.signed(as_float(row['delta']))} {interval}".strip()),
                _plain(_p(row, "")),
                _plain(quantity(row["harm_rate"], SHARE)),
                _plain(quantity(row["help_rate"], SHARE)),
                quantity(row["ece"], SHARE),
            ]
        )
    n = max((int(row["n"]) for row in rows if row["axis"] == ""), default=0)
    return Table(
        slug=f"brief-{'-'.join(key)}",
        caption=f"{_tag(key)}: right answers in % of {n} pictures",
        columns=[
            TH("system"),
            TH("before", numeric=True),
            TH("after", numeric=True),
            TH("clean", numeric=True),
            TH("change", note="95% int.", numeric=True),
            TH("p", numeric=True),
            TH("harmed", numeric=True),
            TH("helped", numeric=True),
            TH("ECE", numeric=True),
        ],
        rows=body,
    )


def _plain(cell: TD) -> TD:
    return TD(cell.text)


def _finding(view: RunView, key: tuple[str, str], rows: list[Row]) -> str:
    """Whom it harmed most: the stratum with the largest harm, and how many systems help at all."""
    systems = {
        (r["system"], r["arm"])
        for r in rows
        if view.by_key[r["system"], r["arm"]].kind != "reference"
    }
    overall = [r for r in rows if not r["axis"] and (r["system"], r["arm"]) in systems]
    better = [r for r in overall if as_float(r["delta_low"]) > 0]
    worse = [r for r in overall if as_float(r["delta_high"]) < 0]
    said = (
        f"{_tag(key)}: {len(better)} of {len(overall)} enhancers give more right answers than the "
        f"untouched pictures, {len(worse)} fewer"
    )
    harmed = [
        r for r in rows if r["axis"] and (r["system"], r["arm"]) in systems and r["harm_rate"] > 0
    ]
    if harmed:
        most = max(harmed, key=lambda r: as_float(r["harm_rate"]))
        name = view.by_key[most["system"], most["arm"]].name
        said += (
            f"; most harm: {shorten(name, 24)} takes {SHARE.number(most['harm_rate'])} % of "
            f"{humanise(most['axis'])} {humanise(most['group'])}"
        )
    return said + "."


def _context(view: RunView, rows: list[Row]) -> str:
    """The axis to show first: the headline's if it is there, else the first context axis."""
    present = dict.fromkeys(row["axis"] for row in rows if row["axis"])
    roles = {axis.name: axis.role for axis in view.manifest.axes}
    first = view.manifest.headline.axis
    contexts = [name for name in present if roles.get(name) == "context"]
    return next((n for n in (first, *contexts, *present) if n in present and n), "")


def _plots(view: RunView, key: tuple[str, str], rows: list[Row]) -> list[Plot]:
    axis = _context(view, rows)
    part = [row for row in rows if row["axis"] == axis] if axis else []
    shown = [
        (view.by_key[row["system"], row["arm"]], row)
        for row in part
        if row["system"] not in {"input", "oracle"}
    ]
    if not shown:
        return []
    title = f"{_tag(key)}: harmed and helped by {humanise(axis)}"
    levels = in_order(view, axis, (row["group"] for row in part))
    return [
        Plot(
            f"outcomes-{'-'.join(key)}",
            harm_and_help(shown, levels),
            title,
            f"{title}. To the left the share of pictures that were read rightly before and wrongly "
            "after, to the right the reverse; the diamond is the difference, hollow where its "
            "interval contains zero.",
        )
    ]
