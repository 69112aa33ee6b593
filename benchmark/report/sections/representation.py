"""Representation: does an output still show the group that its person is of?"""

from __future__ import annotations

from math import nan

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
from benchmark.report.sections.drawings import Dot, Panel, group_panels
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.tables import BLANK, system_cell
from benchmark.report.wording import Scale, humanise, p_value, shorten

_DIVERGENCE = Scale(1.0, 4, "", "")
_RATIO = Scale(1.0, 2, "", "")
KINDS = {
    "rdp": "representation demographic parity: are all groups hit equally often?",
    "pr": "proportional representation: are the outputs judged in the proportions of the test set?",
    "flip": "are outputs judged to show other groups than the clean images of the same people?",
}
_LEAD = (
    "A judge of the attribute looks at every output. A hit is an output that is judged to show the "
    "group that the person is of. The judge errs on clean images too: the ceiling is its hit rate "
    "there, the relative hit is the part of it that is left, and the corrected hit estimates the "
    "true share from the judge's confusion on clean images. Read an uncorrected hit rate only "
    "beside its ceiling.",
    "Divergence is zero where representation is even. The corrected chi-squared has the value that "
    "chance alone gives taken off; the p-value is that of the test named beside it.",
)


def representation(view: RunView) -> Section | None:
    """Hits, ceilings and divergences; None if the run has no judge of an attribute."""
    if view.representation.empty:
        return None
    rows = by_system(view, rows_of(view.representation))
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row["judge"], row["axis"]), []).append(row)
    hits = tuple(_hits(view, judge, axis, part) for (judge, axis), part in parts.items())
    measures = () if view.divergences.empty else (_divergences(view),)
    return Section(
        slug="representation",
        short="Representation",
        title="Which group an output shows",
        lead=_LEAD,
        findings=tuple(_finding(view, judge, axis, part) for (judge, axis), part in parts.items()),
        tables=tuple(_overview(view, judge, axis, part) for (judge, axis), part in parts.items()),
        details=(*hits, *measures),
        plots=tuple(_plot(view, judge, axis, part) for (judge, axis), part in parts.items()),
        brief=tuple(_brief(view, judge, axis, part) for (judge, axis), part in parts.items()),
    )


def _finding(view: RunView, judge: str, axis: str, rows: list[Row]) -> str:
    """After how many enhancers hits are uneven, and whom an output shows least."""
    kinds = {key: record.kind for key, record in view.by_key.items()}
    table = view.divergences
    mine = table[(table["judge"] == judge) & (table["axis"] == axis) & (table["kind"] == "rdp")]
    tests = [r for r in rows_of(mine) if kinds[r["system"], r["arm"]] != "reference"]
    alpha = float(view.manifest.statistics.get("alpha", 0.05))
    uneven = [r for r in tests if as_float(r["p_value"]) < alpha]
    said = (
        f"{humanise(axis)} still shown, judge {judge}: groups are hit unevenly after {len(uneven)} "
        f"of {len(tests)} enhancers (RDP, p below {alpha:g}, uncorrected)"
    )
    measured = [
        row
        for row in rows
        if kinds[row["system"], row["arm"]] != "reference" and known(row["corrected"])
    ]
    if measured:
        least = min(measured, key=lambda row: as_float(row["corrected"]))
        name = shorten(view.by_key[least["system"], least["arm"]].name, 24)
        said += (
            f"; least shown: {humanise(least['group'])} after {name}, "
            f"{COARSE.number(as_float(least['corrected']))} % corrected"
        )
    return said + "."


def _overview(view: RunView, judge: str, axis: str, rows: list[Row]) -> Table:
    """Corrected hits of every group, with what was counted and the ceiling below them."""
    levels = _levels(view, axis, rows)
    found = {(row["system"], row["arm"], row["group"]): row for row in rows}
    keys = list(dict.fromkeys((row["system"], row["arm"]) for row in rows))
    return Table(
        slug=f"shown-{judge}-{axis}",
        caption=f"{humanise(axis)} still shown, by {judge}: corrected for the judge's confusion",
        columns=[
            TH("system"),
            *(TH(humanise(level), note="% (hit of ceiling)", numeric=True) for level in levels),
        ],
        rows=[
            [
                system_cell(view.by_key[key]),
                *(_corrected(found.get((*key, level))) for level in levels),
            ]
            for key in keys
        ],
        notes=("Intervals, flips and the direction of drift are in the folded table below.",),
    )


def _corrected(row: Row | None) -> TD:
    if row is None:
        return TD(BLANK)
    hit, ceiling = (SHARE.number(as_float(row[name]), blank=BLANK) for name in ("hit", "ceiling"))
    hint = "" if known(row["corrected"]) else "the judge confuses these groups too much to correct"
    return quantity(row["corrected"], SHARE, note=f"{hit} of {ceiling}", hint=hint)


def _hits(view: RunView, judge: str, axis: str, rows: list[Row]) -> Table:
    body = [
        [
            system_cell(view.by_key[row["system"], row["arm"]]),
            text(everyone(row["group"])),
            number(row["n"], f"{as_float(row['hits']):.0f} of {as_float(row['n']):.0f}"),
            with_interval(row["hit"], row["hit_low"], row["hit_high"], SHARE),
            quantity(row["ceiling"], SHARE),
            quantity(row["hit_relative"], _RATIO),
            with_interval(row["corrected"], row["corrected_low"], row["corrected_high"], SHARE),
            quantity(row["judged_share"], SHARE, note=_share(row["test_share"])),
            quantity(row["flip_rate"], SHARE),
            quantity(row["drift"], SHARE, signed=True),
        ]
        for row in rows
    ]
    return Table(
        slug=f"hits-{judge}-{axis}",
        caption=f"{humanise(axis)} as judged by {judge}: hits beside the judge's ceiling",
        columns=[
            TH("system", facet=True),
            TH("group", facet=True),
            TH("hits", numeric=True),
            TH("hit", note="%, 95 % interval", numeric=True),
            TH("ceiling", note="% on clean", numeric=True),
            TH("relative", note="1 is the ceiling", numeric=True),
            TH("corrected", note="%, 95 % interval", numeric=True),
            TH("judged so", note="% of all (in the data)", numeric=True),
            TH("flipped", note="%", numeric=True),
            TH("drift", note="pts, flips to it less from it", numeric=True),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )


def _share(value: float) -> str:
    return f"({SHARE.number(as_float(value))})" if known(value) else ""


def _divergences(view: RunView) -> Table:
    body = []
    for row in by_system(view, rows_of(view.divergences)):
        kind = str(row["kind"])
        body.append(
            [
                system_cell(view.by_key[row["system"], row["arm"]]),
                text(kind.upper(), hint=KINDS.get(kind, "")),
                text(str(row["judge"]), note=humanise(row["axis"])),
                *(
                    quantity(row[name], _DIVERGENCE)
                    for name in ("chi2", "chi2_corrected", "cheb", "tv", "tv_l1", "kl", "js")
                ),
                _test(row),
            ]
        )
    return Table(
        slug="divergences",
        caption="Divergence from even representation (RDP), from the data's proportions (PR), and "
        "from what the clean images show (flip)",
        columns=[
            TH("system", facet=True),
            TH("kind", facet=True),
            TH("judge", facet=True),
            TH("chi²", numeric=True),
            TH("chi²", note="corrected", numeric=True),
            TH("Chebyshev", numeric=True),
            TH("TV", numeric=True),
            TH("TV", note="L1", numeric=True),
            TH("KL", numeric=True),
            TH("JS", numeric=True),
            TH("p", note="test", numeric=True),
        ],
        rows=body,
        filterable=True,
        wide=True,
        notes=tuple(f"{kind.upper()}: {words}" for kind, words in KINDS.items()),
    )


def _test(row: Row) -> TD:
    p = as_float(row["p_value"])
    hint = str(row["reason"] or "")
    note = humanise(str(row["test"] or "")) or hint
    return number(p, p_value(p, blank=BLANK), note=note, hint=hint)


def _levels(view: RunView, axis: str, rows: list[Row]) -> list[str]:
    return in_order(view, axis, (row["group"] for row in rows if row["group"]))


def _brief(view: RunView, judge: str, axis: str, rows: list[Row]) -> Table:
    levels = _levels(view, axis, rows)[:5]
    found = {(row["system"], row["arm"], row["group"]): row for row in rows}
    body = []
    for key, system in view.by_key.items():
        mine = [found.get((*key, level)) for level in levels]
        if not any(mine):
            continue
        cells = [text(system.name)]
        for row in mine:
            hit, ceiling, right = (
                COARSE.number(as_float(row[name])) if row else "-"
                for name in ("hit", "ceiling", "corrected")
            )
            cells.append(TD(f"{hit}/{ceiling} {right}"))
        body.append(cells)
    return Table(
        slug=f"brief-hits-{judge}-{axis}",
        caption=f"{humanise(axis)} still shown, in %: hit/ceiling corrected (judge {judge})",
        columns=[TH("system"), *(TH(humanise(level), numeric=True) for level in levels)],
        rows=body,
    )


def _plot(view: RunView, judge: str, axis: str, rows: list[Row]) -> Plot:
    levels = _levels(view, axis, rows)
    found = {(row["system"], row["arm"], row["group"]): row for row in rows}
    keys = list(dict.fromkeys((row["system"], row["arm"]) for row in rows))

    def dot(key: tuple[str, str], level: str, name: str) -> Dot:
        row = found.get((*key, level))
        if row is None:
            return Dot(nan, nan, nan)
        low, high = as_float(row[f"{name}_low"]), as_float(row[f"{name}_high"])
        tick = as_float(row["ceiling"]) if name == "hit" else nan
        return Dot(as_float(row[name]), low, high, tick)

    panels = [
        Panel(title, [[dot(key, level, name) for level in levels] for key in keys])
        for title, name in (("hit", "hit"), ("corrected hit", "corrected"))
    ]
    title = f"{humanise(axis)} still shown after every system, judge {judge}"
    return Plot(
        f"hits-{judge}-{axis}",
        group_panels(
            [view.by_key[key] for key in keys], levels, panels, scale=SHARE, label="%",
            tick="ceiling of the judge",
        ),
        title,
        f"{title}. Points are shares with 95 % intervals; the grey tick beside a point is what the "
        "judge reaches on clean images. On the right the same corrected for the judge's confusion.",
    )  # fmt: skip
