"""Distribution: are the outputs of every group as near to its clean images as everybody's?"""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.report.model import RunView
from benchmark.report.sections.base import (
    Plot,
    Row,
    Section,
    as_float,
    by_system,
    in_order,
    known,
    quantity,
    rows_of,
    with_interval,
)
from benchmark.report.sections.drawings import Dot, Panel, group_panels
from benchmark.report.table import TD, TH, Table, text
from benchmark.report.tables import BLANK, system_cell
from benchmark.report.wording import Scale, humanise

_KID = Scale(1.0, 3, "", "")
_SQUARED = Scale(1.0, 4, "", "")
_LEAD = (
    "Kernel distance (unbiased KID on features brought to one length, so that 16 is the most) "
    "between the outputs of a group and the clean images of the same group, in the features of "
    "several networks. Lower is nearer; values a little below zero are chance. Intervals resample "
    "pairs of output and clean image.",
    "No single network is trusted: where two networks name different groups as the worst the row "
    "says that they disagree, and nothing about the groups should be concluded from it.",
)


def distribution(view: RunView) -> Section | None:
    """Distances per group and network, and their parity; None if the run has none."""
    if view.distribution.empty:
        return None
    rows = by_system(view, rows_of(view.distribution))
    parity = by_system(view, rows_of(view.parity))
    measured = any(known(row["gap"]) for row in parity)
    axes = list(dict.fromkeys(row["axis"] for row in rows))
    parted = {axis: [row for row in rows if row["axis"] == axis] for axis in axes}
    return Section(
        slug="distribution",
        short="Distribution",
        title="How near each group's outputs are to its clean images",
        lead=_LEAD,
        findings=tuple(_findings(rows, parity)),
        tables=(_parity(view, parity),) if measured else (),
        details=tuple(_distances(view, axis, part) for axis, part in parted.items()),
        plots=tuple(
            _plot(view, axis, part)
            for axis, part in parted.items()
            if any(known(row["kid"]) for row in part)
        ),
        brief=(_brief(view, parity),) if measured else (),
    )


def _distances(view: RunView, axis: str, rows: list[Row]) -> Table:
    nets = list(dict.fromkeys(row["features"] for row in rows))
    levels = in_order(view, axis, (row["group"] for row in rows))
    body = []
    for net in nets:
        for key, system in view.by_key.items():
            mine = {
                r["group"]: r for r in rows if (r["system"], r["arm"], r["features"]) == (*key, net)
            }
            if not mine:
                continue
            body.append([system_cell(system), text(net), *(_distance(mine.get(g)) for g in levels)])
    return Table(
        slug=f"distances-{axis}",
        caption=f"KID by {humanise(axis)}",
        columns=[
            TH("system", facet=True),
            TH("features", facet=True),
            *(TH(humanise(level) or "everyone", note=_KID.unit, numeric=True) for level in levels),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )


def _key(row: Row) -> tuple[str, str, str]:
    return row["system"], row["arm"], row["features"]


def _distance(row: Row | None) -> TD:
    if row is None:
        return TD(BLANK)
    if not known(row["kid"]):
        return TD(BLANK, hint=str(row["reason"]))
    found = with_interval(row["kid"], row["ci_low"], row["ci_high"], _KID)
    return TD(found.text, found.sort, found.note, f"n = {row['n']:.0f}")


def _parity(view: RunView, rows: list[Row]) -> Table:
    body = [
        [
            system_cell(view.by_key[row["system"], row["arm"]]),
            text(row["features"], note="knows the attribute" if row["attribute_aware"] else ""),
            text(humanise(row["axis"])),
            text(humanise(row["worst_group"]) or BLANK, note=_best(row)),
            quantity(row["gap"], _KID),
            quantity(row["v_dc"], _SQUARED),
            _verdict(row),
        ]
        for row in rows
    ]
    return Table(
        slug="parity",
        caption="Gap in KID between groups, network by network",
        columns=[
            TH("system", facet=True),
            TH("features", facet=True),
            TH("axis", facet=True),
            TH("worst group"),
            TH("gap", note=_KID.unit, numeric=True),
            TH("variance", note=_SQUARED.unit, numeric=True),
            TH("do the networks agree?", facet=True),
        ],
        rows=body,
        filterable=True,
        wide=True,
    )


def _best(row: Row) -> str:
    return f"best: {humanise(row['best_group'])}" if row["best_group"] else ""


def _verdict(row: Row) -> TD:
    reason = str(row["reason"] or "")
    if not known(row["gap"]):
        return text("… not measured", note=reason, tone="verdict muted")
    if bool(row["disagreement"]):
        return text("✕ they disagree", note=reason, tone="verdict warn")
    return text("○ they agree", note=reason, tone="verdict")


def _findings(rows: list[Row], parity: list[Row]) -> Iterable[str]:
    """Whether the networks agree, or why nothing could be measured."""
    systems = {(r["system"], r["arm"]) for r in parity if known(r["gap"])}
    what = "Distance of the outputs from the clean images"
    if not systems:
        why = "; ".join(dict.fromkeys(str(row["reason"]) for row in rows if row["reason"]))
        yield f"{what}: groups were not compared{f' ({why})' if why else ''}."
        return
    torn = {(r["system"], r["arm"]) for r in parity if bool(r["disagreement"])}
    nets = list(dict.fromkeys(str(r["features"]) for r in parity))
    yield (
        f"{what}: for {len(torn)} of {len(systems)} systems the networks ({', '.join(nets)}) name "
        "different groups as the worst" + ("; no claim about groups there." if torn else ".")
    )


def _brief(view: RunView, rows: list[Row]) -> Table:
    nets = list(dict.fromkeys(row["features"] for row in rows))
    found = {_key(row): row for row in rows}
    body = []
    for key, system in view.by_key.items():
        mine = [found.get((*key, net)) for net in nets]
        if not any(mine):
            continue
        cells = [text(system.name)]
        for row in mine:
            gap = _KID.number(as_float(row["gap"])) if row else "-"
            cells.append(TD(f"{gap} {humanise(str(row['worst_group'])) if row else ''}".strip()))
        torn = any(row and bool(row["disagreement"]) for row in mine)
        both = all(row and known(row["gap"]) for row in mine)
        cells.append(TD("disagree" if torn else "agree" if both else "-"))
        body.append(cells)
    return Table(
        slug="brief-parity",
        caption="gap in KID between groups and its worst group, by feature network",
        columns=[TH("system"), *(TH(net, numeric=True) for net in nets), TH("networks")],
        rows=body,
    )


def _plot(view: RunView, axis: str, rows: list[Row]) -> Plot:
    nets = list(dict.fromkeys(row["features"] for row in rows))
    levels = in_order(view, axis, (row["group"] for row in rows if row["group"]))
    found = {(*_key(row), row["group"]): row for row in rows}
    keys = list(dict.fromkeys((row["system"], row["arm"]) for row in rows))

    def dot(key: tuple[str, str], net: str, level: str) -> Dot:
        row = found.get((*key, net, level))
        columns = ("kid", "ci_low", "ci_high")
        return Dot(*(as_float(row[c]) if row else float("nan") for c in columns))

    panels = [
        Panel(net, [[dot(key, net, level) for level in levels] for key in keys]) for net in nets
    ]
    title = f"KID of every system by {humanise(axis)}, network by network"
    return Plot(
        f"kid-{axis}",
        group_panels(
            [view.by_key[key] for key in keys], levels, panels, scale=_KID,
            label="KID (lower is nearer)",
        ),
        title,
        f"{title}. Points are distances with 95 % intervals. Compare the order of the groups "
        "within a panel, never values across panels: each network has a scale of its own.",
    )  # fmt: skip
