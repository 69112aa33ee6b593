"""What a run found, in sentences: the first thing that the console and the page say."""

from __future__ import annotations

from collections import Counter

from benchmark.report.manifest import ComparisonRecord, MetricRecord
from benchmark.report.model import RunView
from benchmark.report.summary import effects, lines
from benchmark.report.wording import EFFECT_VERDICTS, GAP_VERDICTS, Scale, humanise, target


def spread_metrics(view: RunView) -> tuple[MetricRecord, ...]:
    """The metrics whose gaps are the headline: endpoint and outcome, or else the quality."""
    line = view.manifest.headline
    available = view.manifest.headline_metrics
    found = tuple(m for m in available if m.name in {line.endpoint, line.outcome})
    return found or available[:1]


def gap_sentence(view: RunView, metric: MetricRecord) -> str:
    """In how many systems the groups differ, who is worst, and what the instrument adds itself."""
    axis = view.manifest.headline.axis
    rows = [row for row in lines(view, metric, axis) if row.disparity]
    systems = [row for row in rows if row.system.kind != "reference"]
    seen = [row.disparity for row in systems if row.disparity and row.disparity.verdict == "gap"]
    what = f"{humanise(metric.name)} by {humanise(axis)}"
    if not systems:
        return f"{what}: no system has groups to compare."
    count = f"{len(seen)} of {len(systems)}"
    text = f"{what}: {count} enhancers show a gap beyond chance"
    if seen:
        group, times = Counter(found.worst for found in seen).most_common(1)[0]
        text += f"; the worst group is {humanise(group)} in {times} of these {len(seen)}"
    text += "."
    for row in rows:
        if row.system.system == "oracle" and row.disparity:
            word = GAP_VERDICTS.get(row.disparity.verdict, (row.disparity.verdict,))[0]
            scale = Scale.of(metric)
            gap = scale.with_unit(scale.number(row.disparity.gap), difference=True)
            text += f" On the clean references themselves the gap is {gap} ({word})."
    return text


def effect_sentence(view: RunView, comparison: ComparisonRecord, metric: MetricRecord) -> str:
    """What an arm changed, in one sentence with intervals, seeds and the verdict; "" if unknown.

    It names the change overall, of the worst group and of the gap; levelling down, wherever it was
    seen, is named in capitals.
    """
    found = effects(view, comparison, metric.name, view.manifest.headline.axis)
    if not found:
        return ""
    scale = Scale.of(metric, fine=1 if metric.kind == "rate" else 0)
    by_target = {effect.target: effect for effect in found}
    shown = [by_target[t] for t in ("overall", "worst", "range") if t in by_target]
    parts = [
        f"{target(e.target)} {scale.with_unit(scale.signed(e.value), difference=True)} "
        f"{scale.interval(e.low, e.high, signed=True, blank='[no interval]')}"
        f" ({EFFECT_VERDICTS.get(e.verdict, (e.verdict, ''))[0]})"
        for e in shown
    ]
    seeds = max(effect.n_seeds for effect in found)
    plural = "seed" if seeds == 1 else "seeds"
    text = (
        f"{comparison.arm} against {comparison.baseline} on {comparison.system} "
        f"({seeds} {plural}), {humanise(metric.name)}: {'; '.join(parts)}."
    )
    verdicts = {effect.verdict for effect in found}
    if "levelled_down" in verdicts:
        text += " LEVELLED DOWN: the gap shrank because the best group fell; not an improvement."
    if verdicts == {"no_claim"}:
        text += f" No claim from {seeds} {plural}."
    return text
