"""The comparison tables of the page, built from a run."""

from __future__ import annotations

import math
from collections.abc import Iterable

from benchmark.report.manifest import ComparisonRecord, MetricRecord, SystemRecord
from benchmark.report.model import RunView
from benchmark.report.summary import Cell, Disparity, Effect, Line, effects, lines
from benchmark.report.table import TD, TH, Table, number, strip, text
from benchmark.report.wording import (
    EFFECT_VERDICTS,
    GAP_VERDICTS,
    SEEN,
    SIZE_FLAGS,
    Scale,
    humanise,
    p_value,
    shorten,
    target,
)

BLANK = "–"
#: "None seen" is no praise: it stays grey.
_GAP_TONES = {"gap": "bad", "unequal_coverage": "warn"}
_EFFECT_TONES = {"better": "good", "worse": "bad", "levelled_down": "bad"}
_GAP_ICONS = {"gap": "▲ ", "no_evidence": "○ ", "unequal_coverage": "✕ "}
_EFFECT_ICONS = {"better": "▲ ", "worse": "▼ ", "levelled_down": "⤓ ", "no_evidence": "○ "}


def headline(view: RunView, metric: MetricRecord, quality: MetricRecord | None) -> Table:
    """Systems in one metric on the headline axis, with the quality beside it."""
    axis = view.manifest.headline.axis
    levels = view.levels(axis)
    rows = lines(view, metric, axis)
    scale = Scale.of(metric)
    columns = [TH("system")]
    if quality:
        columns.append(TH(humanise(quality.name), note=Scale.of(quality).unit, numeric=True))
    columns.append(TH("all", note=scale.unit, numeric=True))
    counts = [max(row.groups[i].n_clusters for row in rows) for i in range(len(levels))]
    columns += [
        TH(shorten(humanise(level), 28), note=f"n = {count}", numeric=True)
        for level, count in zip(levels, counts, strict=True)
    ]
    columns += gap_columns(scale)
    qualities = lines(view, quality, axis) if quality else (None,) * len(rows)
    longest = largest(row.disparity for row in rows)
    body = []
    for row, other in zip(rows, qualities, strict=True):
        cells = [system_cell(row.system)]
        if quality:
            cells.append(_quality(other, quality))
        cells.append(cell(row.overall, scale))
        cells += [cell(group, scale) for group in row.groups]
        body.append([*cells, *gap_cells(row.disparity, scale, longest)])
    better = "higher" if metric.direction == 1 else "lower"
    return Table(
        slug=f"headline-{metric.name}",
        caption=f"{view.tag(metric)}{humanise(metric.name)} by {humanise(axis)}: {metric.summary} "
        f"({better} is better)",
        columns=columns,
        rows=body,
        wide=True,
        notes=_in_loss(metric),
    )


def _quality(row: Line | None, quality: MetricRecord) -> TD:
    return cell(row.overall, Scale.of(quality)) if row else TD(BLANK)


def _in_loss(metric: MetricRecord) -> tuple[str, ...]:
    if not metric.in_loss:
        return ()
    return (f"{metric.name} is part of a training loss here: it is no independent evidence.",)


def system_cell(system: SystemRecord) -> TD:
    """A system's name with its arm and what it has seen of the data; by whose word on hover."""
    hints = [system.label] if system.label != system.name else []
    seen = SEEN.get(system.seen, ("", ""))[1]
    return TD(
        system.system,
        sort=system.name.casefold(),
        note=", ".join(filter(None, [system.arm, seen])),
        hint="; ".join([*hints, *([system.note] if seen else [])]),
        tone="reference" if system.kind == "reference" else "",
    )


def cell(found: Cell, scale: Scale) -> TD:
    """A mean with its interval below; flagged where the group is small or the worst."""
    flag, explanation = SIZE_FLAGS.get(found.size_class, ("", found.size_class))
    shown = scale.number(found.mean, blank=BLANK)
    if found.size_class == "insufficient":
        shown = f"({shown})"
    elif found.size_class == "small":
        shown += flag
    hints = [explanation] if flag else []
    if found.failures:
        hints.append(f"{found.failures} outputs failed")
    if found.worst:
        hints.append("worst group" + (", but unsure" if found.worst == "tentative" else ""))
        shown += "?" if found.worst == "tentative" else "*"
    return number(
        found.mean,
        shown,
        note=scale.interval(found.low, found.high, blank=""),
        hint="; ".join(hints),
        tone=f"{found.size_class} {found.worst}".strip(),
    )


def gap_columns(scale: Scale) -> list[TH]:
    """Headers of :func:`gap_cells`."""
    unit = scale.difference_unit
    return [
        TH("gap", note=unit, numeric=True),
        TH("null", note="by chance", numeric=True),
        TH("deficit", note="95 % interval", numeric=True),
        TH("verdict"),
    ]


def gap_cells(found: Disparity | None, scale: Scale, longest: float) -> list[TD]:
    """A gap with its drawing, its null, the deficit and the verdict.

    Args:
        longest: value at the right end of the drawing, the same for all rows of a table.
    """
    if found is None:
        return [TD(BLANK)] * 4
    drawing = strip(found.gap, found.null_mean, found.null_p95, longest)
    return [
        number(found.gap, scale.number(found.gap, blank=BLANK), graphic=drawing),
        _null(found, scale),
        _deficit(found, scale),
        gap_verdict(found),
    ]


def _null(found: Disparity, scale: Scale) -> TD:
    high = scale.number(found.null_p95, blank="")
    shown = scale.number(found.null_mean, blank=BLANK)
    return number(found.null_mean, shown, note=f"95 % < {high}" if high else "")


def _deficit(found: Disparity, scale: Scale) -> TD:
    shown = scale.interval(found.low, found.high, blank=BLANK)
    return number((found.low + found.high) / 2, shown)


def gap_verdict(found: Disparity) -> TD:
    """The verdict as an icon and a word; the reason on hover."""
    word, _, explanation = GAP_VERDICTS.get(found.verdict, (found.verdict, "", ""))
    return text(
        _GAP_ICONS.get(found.verdict, "… ") + word,
        hint=found.reason or explanation,
        tone=f"verdict {_GAP_TONES.get(found.verdict, 'muted')}",
    )


def effect_verdict(found: Effect) -> TD:
    """The verdict on an arm's effect as an icon and a word; the sentence on hover."""
    word, explanation = EFFECT_VERDICTS.get(found.verdict, (found.verdict, ""))
    return text(
        _EFFECT_ICONS.get(found.verdict, "… ") + word,
        hint=found.sentence or explanation,
        tone=f"verdict {_EFFECT_TONES.get(found.verdict, 'muted')}",
    )


def gaps(view: RunView) -> Table:
    """Every gap of the run beside its null."""
    rows = [
        _gap_row(line, axis, Scale.of(metric, fine=int(metric.kind == "rate")), line.disparity)
        for metric in view.metrics_in(view.gaps)
        for axis in view.axes
        for line in lines(view, metric, axis)
        if line.disparity
    ]
    first = view.manifest.headline
    return Table(
        slug="gaps",
        caption="Gaps between groups, each beside the gap that chance alone gives",
        columns=[
            TH("system", facet=True),
            TH("metric", facet=True, preset=humanise(first.endpoint)),
            TH("axis", facet=True, preset=humanise(first.axis)),
            TH("worst group"),
            TH("gap", numeric=True),
            TH("null", note="by chance", numeric=True),
            TH("excess", numeric=True),
            TH("deficit", note="95 % interval", numeric=True),
            TH("p", note="Holm", numeric=True),
            TH("detectable", note="deficit", numeric=True),
            TH("verdict", facet=True),
        ],
        rows=rows,
        filterable=True,
        wide=True,
    )


def _gap_row(line: Line, axis: str, scale: Scale, found: Disparity) -> list[TD]:
    best = humanise(found.best)
    return [
        system_cell(line.system),
        text(humanise(line.metric.name), note=scale.difference_unit),
        text(humanise(axis)),
        text(humanise(found.worst) or BLANK, note=f"best: {best}" if best else ""),
        number(found.gap, scale.number(found.gap, blank=BLANK)),
        _null(found, scale),
        number(found.excess, scale.number(found.excess, blank=BLANK)),
        _deficit(found, scale),
        number(found.p_holm, p_value(found.p_holm, blank=BLANK)),
        number(found.mde, scale.number(found.mde, blank=BLANK)),
        gap_verdict(found),
    ]


def groups(view: RunView, metric: MetricRecord) -> Table:
    """One metric: groups of all axes and crossings as rows, systems as columns."""
    scale = Scale.of(metric)
    systems = tuple(view.by_key.values())
    by_axis = {axis: lines(view, metric, axis) for axis in view.axes}
    rows = []
    first = next(iter(by_axis.values()), ())
    if first:
        everyone = max(line.overall.n_clusters for line in first)
        overall = [cell(line.overall, scale) for line in first]
        rows.append([text("everyone"), text(BLANK), number(everyone, str(everyone)), *overall])
    for axis, found in by_axis.items():
        for position, level in enumerate(view.levels(axis)):
            group = [line.groups[position] for line in found]
            count = max(c.n_clusters for c in group)
            rows.append(
                [
                    text(humanise(level)),
                    text(humanise(axis)),
                    number(count, str(count)),
                    *(cell(c, scale) for c in group),
                ]
            )
    return Table(
        slug=f"groups-{metric.name}",
        caption=f"{view.tag(metric)}{humanise(metric.name)}: {metric.summary}",
        columns=[
            TH("group"),
            TH("axis", facet=True),
            TH("n", numeric=True),
            *(TH(s.system, note=s.arm, numeric=True) for s in systems),
        ],
        rows=rows,
        filterable=True,
        wide=True,
        notes=_in_loss(metric),
    )


def arm_effects(view: RunView, comparison: ComparisonRecord) -> Table:
    """Every effect of one arm against its baseline."""
    rows = []
    for metric in view.metrics_in(view.effects):
        scale = Scale.of(metric, fine=1 if metric.kind == "rate" else 0)
        for axis in ("", *view.axes):
            for effect in effects(view, comparison, metric.name, axis):
                if effect.axis != axis:
                    continue
                rows.append(
                    [
                        text(target(effect.target)),
                        text(humanise(metric.name), note=scale.difference_unit),
                        text(humanise(axis) or "everyone"),
                        number(effect.value, scale.signed(effect.value, blank=BLANK)),
                        number(
                            (effect.low + effect.high) / 2,
                            scale.interval(effect.low, effect.high, signed=True, blank=BLANK),
                        ),
                        number(effect.p_holm, p_value(effect.p_holm, blank=BLANK)),
                        effect_verdict(effect),
                    ]
                )
    return Table(
        slug=f"effects-{comparison.system}-{comparison.arm}-{comparison.baseline}",
        caption=f"{comparison.arm} minus {comparison.baseline} on {comparison.system}",
        columns=[
            TH("what"),
            TH("metric", facet=True, preset=humanise(view.manifest.headline.endpoint)),
            TH("axis", facet=True),
            TH("effect", numeric=True),
            TH("95 % interval", numeric=True),
            TH("p", note="Holm", numeric=True),
            TH("verdict", facet=True),
        ],
        rows=rows,
        filterable=True,
        wide=True,
    )


def largest(found: Iterable[Disparity | None]) -> float:
    """The largest gap, or 95th percentile of chance, of a table."""
    values = (v for d in found if d for v in (d.gap, d.null_p95) if not math.isnan(v))
    return max(values, default=0.0)
