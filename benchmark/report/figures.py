"""The three figures: groups with intervals, what an arm changed, and quality against gap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmark.report.labels import place_labels
from benchmark.report.manifest import ComparisonRecord, MetricRecord, SystemRecord
from benchmark.report.model import RunView
from benchmark.report.palette import group_style, light
from benchmark.report.scales import ORACLE, dodge, limits, pareto_front, span
from benchmark.report.summary import Cell, Disparity, Line, lines, seed_means
from benchmark.report.svg import drawing
from benchmark.report.wording import Scale, humanise, shorten

_WIDTH = 7.6
_NAME = 24


def dot_plot(view: RunView, metric: MetricRecord, axis: str) -> Figure:
    """Systems as rows, groups as coloured shapes with their intervals, the overall mean as a tick.

    Small groups are hollow and groups with insufficient data are faint and without interval. Where
    the oracle would squeeze all others, its value is written at the edge.
    """
    rows = lines(view, metric, axis)
    levels = view.levels(axis)
    scale = Scale.of(metric)
    pitch = max(0.5, 0.16 * len(levels) + 0.16)
    columns = min(4, max(1, len(levels)))
    legend_rows = math.ceil(len(levels) / columns)
    height = pitch * len(rows) + 0.9 + 0.22 * legend_rows
    with drawing():
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        ax = figure.add_subplot()
        low, high = limits(rows, scale)
        for y, row in enumerate(rows):
            if y % 2:
                ax.axhspan(y - 0.5, y + 0.5, color=light("panel"), linewidth=0, zorder=0)
            _row_of_dots(ax, row, y, scale, (low, high))
        ax.set_yticks(range(len(rows)), [_name(row.system) for row in rows])
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(low, high)
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(MaxNLocator(7))
        ax.set_xlabel(_axis_label(metric, scale))
        handles = [_handle(position, level) for position, level in enumerate(levels)]
        figure.legend(
            handles=handles, loc="outside upper left", ncols=columns, frameon=False, fontsize=9.5
        )
    return figure


def _row_of_dots(ax: Axes, row: Line, y: int, scale: Scale, limits: tuple[float, float]) -> None:
    offsets = dodge(len(row.groups))
    overall = scale.factor * row.overall.mean
    if limits[0] <= overall <= limits[1]:
        ax.vlines(overall, y - 0.38, y + 0.38, color=light("null"), linewidth=2, zorder=1)
    outside = [c for c in row.groups if not limits[0] <= scale.factor * c.mean <= limits[1]]
    if len(outside) == len(row.groups) and not math.isnan(overall):
        right = overall > limits[1]
        text = f"{scale.number(row.overall.mean)} →" if right else f"← {scale.number(overall)}"
        ax.text(
            limits[1 if right else 0], y, f" {text} ", va="center", ha="right" if right else "left",
            color=light("muted"), fontsize=9,
        )  # fmt: skip
        return
    for position, (cell, offset) in enumerate(zip(row.groups, offsets, strict=True)):
        _dot(ax, cell, position, y + offset, scale)


def _dot(ax: Axes, cell: Cell, position: int, y: float, scale: Scale) -> None:
    if math.isnan(cell.mean):
        return
    colour, marker = group_style(position)
    faint = cell.size_class == "insufficient"
    if not (faint or math.isnan(cell.low) or math.isnan(cell.high)):
        ax.hlines(y, scale.factor * cell.low, scale.factor * cell.high, color=colour, linewidth=1.6)
    ax.plot(
        scale.factor * cell.mean, y, marker=marker, markersize=4 if faint else 6.5,
        markerfacecolor=colour if cell.size_class == "full" else light("paper"),
        markeredgecolor=light("muted") if faint else colour, markeredgewidth=1.4, linestyle="none",
    )  # fmt: skip


def slope_chart(view: RunView, comparison: ComparisonRecord, axis: str) -> Figure:
    """From the baseline arm to the other, one line per group and a thin one per seed.

    One panel per headline metric.
    """
    metrics = view.manifest.headline_metrics
    levels = view.levels(axis)
    with drawing():
        figure = Figure(figsize=(_WIDTH, 3.9), layout="constrained")
        axes = figure.subplots(1, len(metrics), squeeze=False)[0]
        for ax, metric in zip(axes, metrics, strict=True):
            _slopes(ax, view, comparison, metric, axis)
        handles = [_handle(position, level) for position, level in enumerate(levels)]
        handles.append(Line2D([], [], color=light("muted"), linewidth=0.8, label="one seed"))
        figure.legend(
            handles=handles, loc="outside upper left", ncols=min(5, len(handles)), frameon=False,
            fontsize=9.5,
        )  # fmt: skip
    return figure


def _slopes(
    ax: Axes, view: RunView, comparison: ComparisonRecord, metric: MetricRecord, axis: str
) -> None:
    system, arms = comparison.system, (comparison.baseline, comparison.arm)
    scale = Scale.of(metric)
    found = {
        row.system.arm: row for row in lines(view, metric, axis) if row.system.system == system
    }
    seeds = [seed_means(view, system, arm, metric.name, axis) for arm in arms]
    for position, level in enumerate(view.levels(axis)):
        colour, marker = group_style(position)
        cells = [found[arm].groups[position] if arm in found else None for arm in arms]
        for seed in seeds[0].index.intersection(seeds[1].index):
            pair = [table.get(level, {}).get(seed, math.nan) for table in seeds]
            ax.plot([0, 1], scale.factor * np.array(pair), color=colour, linewidth=0.7, alpha=0.55)
        means = [scale.factor * cell.mean if cell else math.nan for cell in cells]
        full = all(cell and cell.size_class == "full" for cell in cells)
        ax.plot(
            [0, 1], means, color=colour, marker=marker, linewidth=2.2, markersize=7,
            markerfacecolor=colour if full else light("paper"), markeredgewidth=1.4,
        )  # fmt: skip
    ax.set_xticks([0, 1], [shorten(arm, 14) for arm in arms])
    ax.set_xlim(-0.18, 1.18)
    ax.grid(visible=False, axis="x")
    arrow = "higher" if metric.direction == 1 else "lower"
    ax.set_title(
        scale.with_unit(f"{shorten(metric.name, 18)},").rstrip(",") + f"\n{arrow} is better",
        fontsize=9.5, loc="left",
    )  # fmt: skip
    ax.yaxis.set_major_locator(MaxNLocator(5))


def trade_off(view: RunView, quality: MetricRecord, metric: MetricRecord, axis: str) -> Figure:
    """Overall quality against the gap: best is the bottom right (or left, if lower is better).

    The Pareto front joins systems that no other beats on both; references are hollow and are left
    out of it. The grey bar of a point spans the gap expected by chance, mean to 95th percentile.
    """
    scale, across = Scale.of(metric), Scale.of(quality)
    overall = {row.system.key: row.overall.mean for row in lines(view, quality, axis)}
    points = [
        (row.system, across.factor * overall[row.system.key], row.disparity)
        for row in lines(view, metric, axis)
        if row.disparity and not math.isnan(row.disparity.gap)
    ]
    points = [point for point in points if not math.isnan(point[1])]
    with drawing():
        figure = Figure(figsize=(_WIDTH, 4.2), layout="constrained")
        ax = figure.add_subplot()
        low, high = span([x for s, x, _ in points if s.system != ORACLE], [x for _, x, _ in points])
        front = pareto_front(
            [(s, quality.direction * x, d.gap) for s, x, d in points if s.kind != "reference"]
        )
        for system, x, found in points:
            _trade_off_point(ax, system, min(max(x, low), high), found, scale, key_in=front)
        _draw_front(ax, [p for p in points if p[0].key in front], scale)
        ax.set_xlim(low, high)
        ax.set_ylim(0, 1.12 * max(ax.get_ylim()[1], 1e-9))
        ax.set_xlabel(f"{_axis_label(quality, across)}, overall")
        ax.set_ylabel(f"gap in {_axis_label(metric, scale, plain=True)}\n(smaller is fairer)")
        labels = []
        for system, x, found in points:
            off = (
                f" ({across.number(x / across.factor)}, off scale)" if not low <= x <= high else ""
            )
            labels.append((min(max(x, low), high), scale.factor * found.gap, _name(system) + off))
        figure.legend(
            handles=_trade_off_legend(), loc="outside upper left", ncols=4, frameon=False,
            fontsize=9.5,
        )  # fmt: skip
        place_labels(ax, labels)
    return figure


def _trade_off_point(
    ax: Axes,
    system: SystemRecord,
    x: float,
    found: Disparity,
    scale: Scale,
    *,
    key_in: set[tuple[str, str]],
) -> None:
    colour = light("accent" if system.key in key_in else "muted")
    if not math.isnan(found.null_p95):
        ends = scale.factor * found.null_mean, scale.factor * found.null_p95
        ax.vlines(x, *ends, color=light("null"), linewidth=5)
    reference = system.kind == "reference"
    ax.plot(
        x, scale.factor * found.gap, markersize=7.5, linestyle="none", clip_on=False,
        marker="o" if reference else "D" if system.key in key_in else "s",
        markerfacecolor=light("paper") if reference else colour, markeredgecolor=colour,
    )  # fmt: skip


def _trade_off_legend() -> list[Line2D]:
    accent, muted, paper = light("accent"), light("muted"), light("paper")
    points = (
        ("D", accent, accent, "on the Pareto front"),
        ("s", muted, muted, "beaten by another"),
        ("o", muted, paper, "reference"),
    )
    handles = [
        Line2D(
            [], [], marker=marker, color=edge, markerfacecolor=face, label=label,
            linestyle="none", markersize=7,
        )
        for marker, edge, face, label in points
    ]  # fmt: skip
    handles.append(Line2D([], [], color=light("null"), linewidth=5, label="gap expected by chance"))
    return handles


def _draw_front(
    ax: Axes, points: Sequence[tuple[SystemRecord, float, Disparity]], scale: Scale
) -> None:
    ordered = sorted((x, scale.factor * found.gap) for _, x, found in points)
    if len(ordered) > 1:
        xs, ys = zip(*ordered, strict=True)
        ax.plot(xs, ys, color=light("accent"), linewidth=1, linestyle=(0, (4, 3)), zorder=1)


def _handle(position: int, level: str) -> Line2D:
    colour, marker = group_style(position)
    return Line2D(
        [], [], color=colour, marker=marker, linewidth=1.6, markersize=6.5, label=shorten(level, 22)
    )


def _name(system: SystemRecord) -> str:
    return shorten(system.name, _NAME)


def _axis_label(metric: MetricRecord, scale: Scale, *, plain: bool = False) -> str:
    unit = scale.difference_unit if plain else scale.unit
    text = f"{humanise(metric.name)} ({unit})" if unit else humanise(metric.name)
    arrow = "higher is better" if metric.direction == 1 else "lower is better"
    return text if plain else f"{text}, {arrow}"
