"""The drawings of the optional sections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmark.report.labels import place_labels
from benchmark.report.manifest import SystemRecord
from benchmark.report.palette import group_style, light
from benchmark.report.sections.base import Row, as_float
from benchmark.report.svg import drawing
from benchmark.report.wording import Scale, humanise, shorten

_WIDTH = 7.6
_NAME = 22
_Shown = Sequence[tuple[SystemRecord, Row]]


@dataclass(frozen=True)
class Dot:
    """A value with its interval; NaN where unknown. ``tick`` is what it is to be compared with."""

    value: float
    low: float
    high: float
    tick: float = math.nan


@dataclass(frozen=True)
class Panel:
    """One panel: for every system, one dot a group."""

    title: str
    rows: Sequence[Sequence[Dot]]


def harm_and_help(shown: _Shown, levels: Sequence[str]) -> Figure:
    """One panel a stratum: bars to the left (harmed) and right (helped), a diamond for the net.

    Args:
        shown: systems with their rows of the outcome table, of one axis.
        levels: the strata, in display order.
    """
    systems = list({system.key: system for system, _ in shown}.values())
    columns = min(2, len(levels))
    lines = math.ceil(len(levels) / columns)
    with drawing():
        height = lines * (0.32 * len(systems) + 0.75) + 0.55
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for ax, level in zip(axes.flat, levels, strict=False):
            found = {s.key: row for s, row in shown if row["group"] == level}
            for y, system in enumerate(systems):
                if system.key in found:
                    _dumbbell(ax, found[system.key], y)
            ax.axvline(0, color=light("muted"), linewidth=1)
            n = max((row["n"] for row in found.values()), default=0)
            ax.set_title(f"{shorten(humanise(level), 30)}  n = {n:.0f}", fontsize=9.5, loc="left")
            ax.set_yticks(range(len(systems)), [shorten(s.name, _NAME) for s in systems])
            ax.set_ylim(len(systems) - 0.5, -0.5)
            ax.grid(visible=False, axis="y")
            ax.tick_params(axis="y", length=0)
            ax.xaxis.set_major_locator(MaxNLocator(5))
            ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        for ax in axes.flat[len(levels) :]:
            ax.set_axis_off()
        for ax in list(axes.flat[: len(levels)])[-columns:]:
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("harmed  ←  % of pictures  →  helped")
        figure.legend(
            handles=_outcome_legend(),
            loc="outside upper left",
            ncols=4,
            frameon=False,
            fontsize=9.5,
        )
    return figure


def _dumbbell(ax: Axes, row: Row, y: int) -> None:
    harm, gain = 100 * as_float(row["harm_rate"]), 100 * as_float(row["help_rate"])
    ax.hlines(y, -harm, 0, color=light("bad"), linewidth=5)
    ax.hlines(y, 0, gain, color=light("good"), linewidth=5)
    low, high = as_float(row["delta_low"]), as_float(row["delta_high"])
    sure = low > 0 or high < 0
    ax.plot(
        100 * as_float(row["net"]), y, marker="D", markersize=6, linestyle="none",
        markerfacecolor=light("ink") if sure else light("paper"), markeredgecolor=light("ink"),
    )  # fmt: skip


def _outcome_legend() -> list[Line2D]:
    bars = [
        Line2D([], [], color=light(role), linewidth=5, label=label)
        for role, label in (("bad", "harmed"), ("good", "helped"))
    ]
    diamonds = [
        Line2D(
            [], [], marker="D", color=light("ink"), markerfacecolor=light(face), label=label,
            linestyle="none",
        )
        for face, label in (("ink", "difference"), ("paper", "not beyond chance"))
    ]  # fmt: skip
    return bars + diamonds


def two_errors(points: Sequence[tuple[str, bool, float, float]], *, across: str, up: str) -> Figure:
    """Two kinds of error against each other: the best corner is the bottom left.

    Args:
        points: name, whether it is a reference, error across, error upwards.
        across: label of the horizontal axis.
        up: label of the vertical axis.
    """
    known = [p for p in points if not (math.isnan(p[2]) or math.isnan(p[3]))]
    with drawing():
        figure = Figure(figsize=(_WIDTH, 4.0), layout="constrained")
        ax = figure.add_subplot()
        for _, reference, x, y in known:
            colour = light("muted" if reference else "accent")
            ax.plot(
                x, y, marker="o", markersize=7.5, linestyle="none", clip_on=False,
                markerfacecolor=light("paper") if reference else colour, markeredgecolor=colour,
            )  # fmt: skip
        ax.set_xlim(0, 1.15 * max((p[2] for p in known), default=0) or 1)
        ax.set_ylim(0, 1.15 * max((p[3] for p in known), default=0) or 1)
        ax.set_xlabel(across)
        ax.set_ylabel(up)
        place_labels(ax, [(x, y, shorten(name, _NAME)) for name, _, x, y in known])
    return figure


def group_panels(
    systems: Sequence[SystemRecord],
    levels: Sequence[str],
    panels: Sequence[Panel],
    *,
    scale: Scale,
    label: str,
    tick: str = "",
) -> Figure:
    """Systems as rows and groups as coloured shapes, one panel beside the other.

    Args:
        systems: names of the rows, the same in all panels.
        levels: groups in display order.
        panels: ``rows[system][group]`` each.
        scale: of the values.
        label: of the horizontal axes.
        tick: what the ticks are, where dots have one.
    """
    pitch = max(0.45, 0.15 * len(levels) + 0.15)
    columns = min(4, len(levels) + bool(tick))
    with drawing():
        height = pitch * len(systems) + 1.2 + 0.22 * math.ceil((len(levels) + bool(tick)) / columns)
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for ax, panel in zip(axes, panels, strict=True):
            _draw_panel(ax, panel, len(systems), scale)
            ax.set_title(shorten(panel.title, 44 // len(panels) + 8), fontsize=9.5, loc="left")
            ax.set_xlabel(label)
        axes[0].set_yticks(range(len(systems)), [shorten(s.name, _NAME) for s in systems])
        axes[0].set_ylim(len(systems) - 0.5, -0.5)
        figure.legend(
            handles=_group_legend(levels, tick), loc="outside upper left", ncols=columns,
            frameon=False, fontsize=9.5,
        )  # fmt: skip
    return figure


def _draw_panel(ax: Axes, panel: Panel, count: int, scale: Scale) -> None:
    for y in range(1, count, 2):
        ax.axhspan(y - 0.5, y + 0.5, color=light("panel"), linewidth=0, zorder=0)
    for y, dots in enumerate(panel.rows):
        reach = min(0.3, 0.13 * max(0, len(dots) - 1))
        for position, (dot, offset) in enumerate(
            zip(dots, np.linspace(-reach, reach, len(dots)), strict=True)
        ):
            _draw_dot(ax, dot, y + offset, position, scale.factor)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))


def _draw_dot(ax: Axes, dot: Dot, y: Any, position: int, factor: float) -> None:
    colour, marker = group_style(position)
    if not math.isnan(dot.tick):
        ax.vlines(factor * dot.tick, y - 0.09, y + 0.09, color=light("muted"), linewidth=2.4)
    if math.isnan(dot.value):
        return
    if not (math.isnan(dot.low) or math.isnan(dot.high)):
        ax.hlines(y, factor * dot.low, factor * dot.high, color=colour, linewidth=1.6)
    ax.plot(
        factor * dot.value, y, marker=marker, markersize=6, linestyle="none", color=colour,
        markeredgewidth=1.4,
    )  # fmt: skip


def _group_legend(levels: Sequence[str], tick: str) -> list[Line2D]:
    handles = []
    for position, level in enumerate(levels):
        colour, marker = group_style(position)
        handles.append(
            Line2D(
                [], [], color=colour, marker=marker, linewidth=1.6, markersize=6,
                label=shorten(humanise(level), 22),
            )
        )  # fmt: skip
    if tick:
        handles.append(
            Line2D(
                [], [], color=light("muted"), marker="|", markersize=9, markeredgewidth=2.4,
                linestyle="none", label=tick,
            )
        )  # fmt: skip
    return handles
