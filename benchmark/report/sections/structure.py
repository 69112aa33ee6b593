"""Medical structure: what is invented beside what is lost, and whether the metrics can see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmark.report.manifest import MetricRecord, SanityRecord
from benchmark.report.model import RunView
from benchmark.report.sections.base import (
    Plot,
    Row,
    Section,
    by_system,
    known,
    rows_of,
    with_interval,
)
from benchmark.report.sections.drawings import two_errors
from benchmark.report.summary import lines
from benchmark.report.table import TD, TH, Table, text
from benchmark.report.tables import BLANK, cell, system_cell
from benchmark.report.wording import Scale, humanise, shorten

_INVENTED = Scale(1.0, 2, "", "")
_LOST, _MADE = "omission", "hallucination"
#: Check -> what it asks (metrics, section 5.5).
CHECKS = {
    "blur_above_deformation": "a blurred image scores better than the same image deformed as well",
    "falls_with_lesion": "the score falls steadily as a painted lesion grows",
}
#: Check -> what a metric does that keeps it.
_SEES = {
    "blur_above_deformation": "tell moved structure from blurred",
    "falls_with_lesion": "notice a painted lesion",
}
_LEAD = (
    "An enhancer can fail a patient in two ways: it loses structure that is there (omission) and "
    "it draws structure that is not (hallucination). They are counted apart and never added: an "
    "enhancer that smooths everything away invents nothing. The row of the clean reference shows "
    "what the judge itself gets wrong.",
)


def structure(view: RunView) -> Section | None:
    """Errors of both kinds, the null test and the self-tests; None if the run has none of them."""
    pairs = _pairs(view)
    if not pairs and view.phantoms.empty and not view.sanity:
        return None
    errors = tuple(_errors(view, lost, made) for lost, made in pairs)
    nulls = () if view.phantoms.empty else (_phantoms(view),)
    checks = (_sanity(view.sanity),) if view.sanity else ()
    return Section(
        slug="structure",
        short="Structure",
        title="Structure lost and structure invented",
        lead=_LEAD,
        findings=(*_null_finding(view), *_sanity_findings(view.sanity)),
        tables=(*errors[:1], *nulls, *checks),
        details=errors[1:],
        plots=tuple(_plot(view, lost, made) for lost, made in pairs[:1]),
        brief=tuple(_brief(view, lost, made) for lost, made in pairs[:1]),
    )


def _pairs(view: RunView) -> list[tuple[MetricRecord, MetricRecord]]:
    """Measured metrics ``X_omission`` with ``X_hallucination`` of the same judge.

    The pair of the headline comes first: it is the one that is shown open.
    """
    measured = {metric.name: metric for metric in view.metrics_in(view.groups)}
    found = [
        (metric, measured[other])
        for name, metric in measured.items()
        if _LOST in name and (other := name.replace(_LOST, _MADE)) in measured
    ]
    outcome = view.manifest.headline.outcome
    return sorted(found, key=lambda pair: outcome not in {metric.name for metric in pair})


def _errors(view: RunView, lost: MetricRecord, made: MetricRecord) -> Table:
    """Omission of every group on the left, hallucination on the right."""
    axis = view.manifest.headline.axis
    columns = [TH("system")]
    for metric, word in ((lost, "lost"), (made, "invented")):
        unit = Scale.of(metric).unit
        columns.append(TH(f"{word}, all", note=unit, numeric=True))
        columns += [
            TH(word, note=shorten(humanise(level), 20), numeric=True) for level in view.levels(axis)
        ]
    rows = []
    for left, right in zip(lines(view, lost, axis), lines(view, made, axis), strict=True):
        cells: list[TD] = [system_cell(left.system)]
        for line in (left, right):
            scale = Scale.of(line.metric)
            cells += [cell(c, scale) for c in (line.overall, *line.groups)]
        rows.append(cells)
    return Table(
        slug=f"errors-{lost.name}",
        caption=f"{humanise(lost.name)} beside {humanise(made.name)}, by {humanise(axis)}",
        columns=columns,
        rows=rows,
        wide=True,
        notes=(f"lost: {lost.summary}", f"invented: {made.summary}"),
    )


def _brief(view: RunView, lost: MetricRecord, made: MetricRecord) -> Table:
    axis = view.manifest.headline.axis
    rows = []
    for left, right in zip(lines(view, lost, axis), lines(view, made, axis), strict=True):
        cells = [text(left.system.name)]
        for line in (left, right):
            scale = Scale.of(line.metric)
            cells.append(TD(scale.number(line.overall.mean)))
            cells.append(TD(scale.interval(line.overall.low, line.overall.high, blank="")))
        rows.append(cells)
    units = [Scale.of(metric).unit for metric in (lost, made)]
    return Table(
        slug=f"brief-{lost.name}",
        caption=f"lost beside invented: {lost.name}, {made.name} (lower is better, never added)",
        columns=[
            TH("system"),
            TH("lost", note=units[0], numeric=True),
            TH("95% int.", numeric=True),
            TH("invented", note=units[1], numeric=True),
            TH("95% int.", numeric=True),
        ],
        rows=rows,
    )


def _plot(view: RunView, lost: MetricRecord, made: MetricRecord) -> Plot:
    axis = view.manifest.headline.axis
    scales = Scale.of(lost), Scale.of(made)
    points = [
        (
            left.system.name,
            left.system.kind == "reference",
            scales[0].factor * left.overall.mean,
            scales[1].factor * right.overall.mean,
        )
        for left, right in zip(lines(view, lost, axis), lines(view, made, axis), strict=True)
    ]
    title = f"{humanise(made.name)} against {humanise(lost.name)}"
    labels = [
        f"{humanise(m.name)} ({s.unit})" if s.unit else humanise(m.name)
        for m, s in zip((lost, made), scales, strict=True)
    ]
    return Plot(
        f"errors-{lost.name}",
        two_errors(points, across=labels[0], up=labels[1]),
        title,
        f"{title}, one point a system. Bottom left is best; bottom right smooths away, top left "
        "invents. Hollow points are the references: the untouched input, and the clean image, "
        "which shows the judge's own errors.",
    )


def _pooled(view: RunView) -> list[dict[Any, Any]]:
    """Seeds of an arm joined: the mean, and the widest interval of any seed."""
    keys = ["system", "arm", "phantom", "structure"]
    joined = view.phantoms.groupby(keys, sort=False, dropna=False).agg(
        n=("n", "max"),
        invented=("invented", "mean"),
        ci_low=("ci_low", "min"),
        ci_high=("ci_high", "max"),
        seeds=("seed", "nunique"),
    )
    return rows_of(joined.reset_index())


def _phantoms(view: RunView) -> Table:
    """Systems as rows; what was drawn into which images as columns."""
    rows = by_system(view, _pooled(view))
    found = {(r["system"], r["arm"], r["phantom"], r["structure"]): r for r in rows}
    cases = list(dict.fromkeys((row["phantom"], row["structure"]) for row in rows))
    keys = list(dict.fromkeys((row["system"], row["arm"]) for row in rows))
    most = max(int(row["n"]) for row in rows)
    return Table(
        slug="phantoms",
        caption=f"Null test: structure found per image, in up to {most} enhanced images of each "
        "kind that hold none",
        columns=[
            TH("system"),
            *(
                TH(humanise(structure), note=f"in {humanise(phantom)}", numeric=True)
                for phantom, structure in cases
            ),
        ],
        rows=[
            [
                system_cell(view.by_key[key]),
                *(_invented(found.get((*key, *case))) for case in cases),
            ]
            for key in keys
        ],
        notes=(
            "Images without structure go through the enhancer; whatever the judge then finds was "
            "invented, or is the judge's own (see input). Below it the 95 % interval; of several "
            "seeds the mean, and the widest interval of any of them.",
        ),
        wide=True,
    )


def _invented(row: Row | None) -> TD:
    if row is None:
        return TD(BLANK)
    return with_interval(row["invented"], row["ci_low"], row["ci_high"], _INVENTED)


def _null_finding(view: RunView) -> list[str]:
    if view.phantoms.empty:
        return []
    means = view.phantoms.groupby(["system", "arm"], sort=False)["invented"].mean().reset_index()
    found = {
        view.by_key[row["system"], row["arm"]].name: float(row["invented"])
        for row in rows_of(means)
    }
    base = found.get("input", math.nan)
    name = max(found, key=lambda n: found[n])
    said = (
        f"Null test: in images without structure {shorten(name, 24)} invents most, "
        f"{_INVENTED.number(found[name])} components an image"
    )
    return [said + (f" (untouched: {_INVENTED.number(base)})." if known(base) else ".")]


def _sanity(records: tuple[SanityRecord, ...]) -> Table:
    """Metrics as rows, what must hold as columns."""
    found = {(record.metric, record.check): record for record in records}
    present = dict.fromkeys(record.check for record in records)
    checks = sorted(present, key=[*CHECKS, *present].index)
    return Table(
        slug="sanity",
        caption="Self-tests: what each metric can see on this data",
        columns=[
            TH("metric"),
            *(TH(f"does it {_SEES.get(check, humanise(check))}?") for check in checks),
        ],
        rows=[
            [text(humanise(metric)), *(_result(found.get((metric, check))) for check in checks)]
            for metric in dict.fromkeys(record.metric for record in records)
        ],
        wide=True,
        notes=(
            *(f"{_SEES[check]}: {CHECKS[check]}." for check in checks if check in CHECKS),
            "A metric that fails a check here says nothing about what the check asks: one that a "
            "painted lesion does not move would not notice a missed or an invented one either.",
        ),
    )


def _result(record: SanityRecord | None) -> TD:
    if record is None:
        return TD(BLANK)
    word, tone = ("○ yes", "") if record.holds else ("✕ no", "bad")
    said = record.detail or values_text(record.values)
    return TD(word, sort=float(record.holds), note=said, tone=tone)


def values_text(values: Mapping[str, Any]) -> str:
    """``blur 0.91, deformed 0.88``: numbers to three decimals, lists in brackets."""
    return ", ".join(f"{humanise(name)} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({values_text(value)})"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "unknown" if value is None else str(value)


def _sanity_findings(records: tuple[SanityRecord, ...]) -> list[str]:
    """Which metrics are blind to what: a reader must not build on them."""
    found = []
    for check, sees in _SEES.items():
        mine = [record for record in records if record.check == check]
        failing = [humanise(record.metric) for record in mine if not record.holds]
        if failing:
            number = f"{len(failing)} of {len(mine)} metrics do not {sees}"
            found.append(f"Self-tests on this data: {number} ({_names(failing)}).")
        elif mine:
            found.append(f"Self-tests on this data: all metrics {sees}.")
    return found


def _names(names: list[str], most: int = 8) -> str:
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")
