"""Drawings of the site as SVG text: hundreds of pages in seconds, the same bytes everywhere.

Reports draw with matplotlib, because their figures are also files of their own. A site has one
drawing a system, and its bytes must not change with the release of a drawing library. Colours,
markers, limits and the placing of labels are those of the reports.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from benchmark.report.labels import choose
from benchmark.report.manifest import MetricRecord, SystemRecord
from benchmark.report.palette import group_style, themed
from benchmark.report.scales import ORACLE, dodge, limits, pareto_front, span
from benchmark.report.summary import Cell, Line
from benchmark.report.wording import Scale, clean, humanise, shorten

_WIDTH, _LEFT, _RIGHT = 760, 190, 20
_PLOT = _WIDTH - _LEFT - _RIGHT
#: More rows than this are in the table alone.
MOST_ROWS = 40
_MOST_LABELS = 30
_STRIP = 120
#: Labels nearer than this to their point, across and up, need no line to it.
_NEAR = (9, 11)

_SHAPES = {
    "o": "M{a} 0A{r} {r} 0 1 1 -{a} 0A{r} {r} 0 1 1 {a} 0Z",
    "s": "M-{b} -{b}H{b}V{b}H-{b}Z",
    "D": "M0 -{c}L{c} 0L0 {c}L-{c} 0Z",
    "^": "M0 -{a}L{a} {b}H-{a}Z",
    "v": "M0 {a}L{a} -{b}H-{a}Z",
    "P": "M-{d} -{a}H{d}V-{d}H{a}V{d}H{d}V{a}H-{d}V{d}H-{a}V-{d}H-{d}Z",
    "X": "M-{a} -{b}L-{b} -{a}L0 -{d}L{b} -{a}L{a} -{b}L{d} 0L{a} {b}L{b} {a}L0 {d}L-{b} {a}L-{a} "
    "{b}L-{d} 0Z",
    "<": "M-{a} 0L{b} -{a}V{a}Z",
    ">": "M{a} 0L-{b} -{a}V{a}Z",
    "p": "M0 -{a}L{a} -{d}L{b} {a}H-{b}L-{a} -{d}Z",
}


@dataclass(frozen=True)
class Figure:
    """A drawing in a page, and what it shows in words."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class _Ruler:
    """Values from ``low`` to ``high`` on ``length`` units of the drawing from ``start``."""

    low: float
    high: float
    start: float
    length: float

    def at(self, value: float) -> float:
        """Where a value lies; outside the ends, at the nearer one."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + self.length * min(1.0, max(0.0, share))


def strip(line: Line, low: float, high: float, scale: Scale) -> Markup:
    """The groups of one system as shapes on a line that is the same for all rows of a table."""
    ruler = _Ruler(low, high, 6, _STRIP - 12)
    shapes = [
        _marker(index, ruler.at(scale.factor * cell.mean), 9, 3.6, cell)
        for index, cell in enumerate(line.groups)
        if low <= scale.factor * cell.mean <= high
    ]
    return Markup(
        f'<svg class="dots" viewBox="0 0 {_STRIP} 18" width="{_STRIP}" height="18" '
        f'aria-hidden="true"><path d="M6 9h{_STRIP - 12}" stroke="var(--rule)"/>'
        f"{''.join(shapes)}</svg>"
    )


def dot_plot(rows: Sequence[Line], levels: Sequence[str], *, slug: str, title: str) -> Figure:
    """Systems as rows, groups as shapes with their intervals, the mean of all as a tick."""
    metric = rows[0].metric
    scale = Scale.of(metric)
    shown = rows[:MOST_ROWS]
    ruler = _Ruler(*limits(rows, scale), _LEFT, _PLOT)
    pitch = max(26.0, 9.0 * len(levels) + 10)
    legend = _legend(levels)
    top = 14 + 20 * (1 + (len(levels) - 1) // 4)
    bottom = top + pitch * len(shown)

    parts = [legend, *_axis(ruler, top, bottom)]
    for number, row in enumerate(shown):
        middle = top + pitch * (number + 0.5)
        if number % 2:
            parts.append(
                f'<rect x="{_LEFT}" y="{middle - pitch / 2:.1f}" width="{_PLOT}" '
                f'height="{pitch:.1f}" fill="var(--panel)"/>'
            )
        parts.append(_text(_LEFT - 8, middle + 4, _named(row.system), anchor="end"))
        parts.append(_dots(row, ruler, scale, middle=middle, pitch=pitch))
    caption = (
        f"{title}. Shapes are group means with 95 % intervals, the grey tick is the mean of all; "
        "hollow shapes are small groups."
    )
    if len(rows) > len(shown):
        caption += f" The first {len(shown)} of {len(rows)} systems; the table has all."
    better = "higher is better" if metric.direction == 1 else "lower is better"
    unit = f" ({scale.unit})" if scale.unit else ""
    label = f"{humanise(metric.name)}{unit}, {better}"
    parts.append(_text(_LEFT + _PLOT / 2, bottom + 38, label, anchor="middle"))
    return Figure(_svg(parts, bottom + 48, slug=slug, title=title, description=caption), caption)


def front(
    points: Sequence[tuple[SystemRecord, float, float]],
    across: MetricRecord,
    up: MetricRecord,
    *,
    slug: str,
    title: str,
) -> Figure:
    """Quality of all against what the worst group gets; the front joins those that none beats.

    Args:
        points: system, its mean in ``across`` over everybody, its worst group's mean in ``up``.
        across, up: the metrics.
        slug: prefix of ids in the page.
        title: accessible name.
    """
    x_scale, y_scale = Scale.of(across), Scale.of(up)
    plain = [(s, x_scale.factor * a, y_scale.factor * b) for s, a, b in points]
    own = [p for p in points if not _reference(p[0])]
    best = pareto_front([(s, across.direction * a, -up.direction * b) for s, a, b in own])
    top, height, left = 34, 330, 74
    width = _WIDTH - left - _RIGHT
    near = [p for p in plain if p[0].system != ORACLE]
    ends = (
        span([a for _, a, _ in near], [a for _, a, _ in plain]),
        span([b for _, _, b in near], [b for _, _, b in plain]),
    )
    x, y = _Ruler(*ends[0], left, width), _Ruler(*ends[1], top + height, -height)
    at = {s.key: (x.at(a), y.at(b)) for s, a, b in plain}
    parts = [_front_legend(), *_axis(x, top, top + height)]
    for tick, shown in _ticks(y):
        parts.append(f'<path d="M{left} {y.at(tick):.1f}h{width}" stroke="var(--rule)"/>')
        parts.append(_text(left - 8, y.at(tick) + 4, shown, anchor="end"))
    joined = sorted(at[key] for key in best)
    if len(joined) > 1:
        path = "L".join(f"{right:.1f} {down:.1f}" for right, down in joined)
        parts.append(
            f'<path d="M{path}" fill="none" stroke="var(--accent)" stroke-dasharray="5 4"/>'
        )
    parts += [_point(s, at[s.key], best=s.key in best) for s, _, _ in plain]
    few = len(plain) <= _MOST_LABELS
    chosen = [p for p in plain if few or p[0].key in best or _reference(p[0])][:_MOST_LABELS]
    labels = [(*at[s.key], _named(s) + _off_scale((a, x), (b, y))) for s, a, b in chosen]
    parts += _labels(labels, (left, top, left + width, top + height))
    x_name, y_name = (
        humanise(m.name) + (f" ({scale.unit})" if scale.unit else "")
        for m, scale in ((across, x_scale), (up, y_scale))
    )
    parts.append(_text(left + width / 2, top + height + 40, f"{x_name}, all", anchor="middle"))
    parts.append(
        f'<g transform="translate(16 {top + height / 2:.1f}) rotate(-90)">'
        f"{_text(0, 0, f'{y_name}, worst group', anchor='middle')}</g>"
    )
    better = ["higher" if m.direction == 1 else "lower" for m in (across, up)]
    winners = ", ".join(sorted(clean(s.name) for s, _, _ in own if s.key in best)) or "none"
    caption = (
        f"{title}. Across, {better[0]} is better; up, {better[1]} is better. No other system beats "
        f"those on the dashed front in both: {winners}. References are hollow and left out of it; "
        "differences within a tie tier are not evidence. Values in brackets lie outside the frame."
    )
    return Figure(
        _svg(parts, top + height + 52, slug=slug, title=title, description=caption), caption
    )


def key(levels: Sequence[str]) -> Markup:
    """What the shapes of :func:`strip` mean, as a list for people."""
    items = "".join(
        f'<li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">'
        f"{_shape(index, 7, 7, 4.6)}</svg> {escape(shorten(humanise(level), 40))}</li>"
        for index, level in enumerate(levels)
    )
    return Markup(f'<ul class="shapes">{items}</ul>')


def _dots(row: Line, ruler: _Ruler, scale: Scale, *, middle: float, pitch: float) -> str:
    parts = []
    overall = scale.factor * row.overall.mean
    if ruler.low <= overall <= ruler.high:
        parts.append(
            f'<path d="M{ruler.at(overall):.1f} {middle - 0.38 * pitch:.1f}v{0.76 * pitch:.1f}" '
            'stroke="var(--null)" stroke-width="2.5"/>'
        )
    elif math.isfinite(overall):
        right = overall > ruler.high
        shown = scale.number(row.overall.mean)
        at, text = (_LEFT + _PLOT - 4, f"{shown} →") if right else (_LEFT + 4, f"← {shown}")
        return _text(at, middle + 4, text, anchor="end" if right else "start", muted=True)
    for index, (cell, offset) in enumerate(zip(row.groups, dodge(len(row.groups)), strict=True)):
        value, low, high = (scale.factor * v for v in (cell.mean, cell.low, cell.high))
        if not ruler.low <= value <= ruler.high:
            continue
        y = middle + offset * pitch
        if cell.size_class != "insufficient" and math.isfinite(low + high):
            colour = themed(group_style(index)[0])
            parts.append(
                f'<path d="M{ruler.at(low):.1f} {y:.1f}H{ruler.at(high):.1f}" stroke="{colour}" '
                'stroke-width="2"/>'
            )
        parts.append(_marker(index, ruler.at(value), y, 4.4, cell))
    return "".join(parts)


def _marker(index: int, x: float, y: float, radius: float, cell: Cell) -> str:
    return _shape(index, x, y, radius, hollow=cell.size_class != "full")


def _shape(index: int, x: float, y: float, radius: float, *, hollow: bool = False) -> str:
    colour, shape = group_style(index)
    sizes = {"a": radius, "r": radius, "b": 0.82 * radius, "c": 1.2 * radius, "d": 0.4 * radius}
    path = _SHAPES[shape].format(**{name: f"{size:.2g}" for name, size in sizes.items()})
    fill = "var(--paper)" if hollow else themed(colour)
    return (
        f'<path transform="translate({x:.1f} {y:.1f})" d="{path}" fill="{fill}" '
        f'stroke="{themed(colour)}"/>'
    )


def _point(system: SystemRecord, at: tuple[float, float], *, best: bool) -> str:
    colour = "var(--accent)" if best else "var(--muted)"
    fill = "var(--paper)" if _reference(system) else colour
    shape = "o" if _reference(system) else "D" if best else "s"
    path = _SHAPES[shape].format(a=5, r=5, b=4.1, c=6, d=2)
    return (
        f'<path transform="translate({at[0]:.1f} {at[1]:.1f})" d="{path}" fill="{fill}" '
        f'stroke="{colour}" stroke-width="1.5"><title>{escape(clean(system.name))}</title></path>'
    )


def _labels(
    labels: Sequence[tuple[float, float, str]], frame: tuple[float, float, float, float]
) -> list[str]:
    """Texts beside their points; ``frame`` is left, top, right and bottom."""
    left, top, right, bottom = frame
    upwards = [(x, -y) for x, y, _ in labels]
    texts = [text for _, _, text in labels]
    places = choose(upwards, texts, (left, -bottom, right, -top), per_point=1.3)
    parts = []
    for (x, y, text), (dx, dy, align) in zip(labels, places, strict=True):
        if abs(dx) > _NEAR[0] or not -_NEAR[1] <= dy <= _NEAR[1]:
            parts.append(_leader(x, y, x + dx, y - dy))
        parts.append(_text(x + dx, y - dy, text, anchor="end" if align == "right" else "start"))
    return parts


def _leader(x: float, y: float, right: float, down: float) -> str:
    """A line from a point to a label that had to be put further away."""
    end = down + (2 if down < y else -9)
    return (
        f'<path d="M{x:.1f} {y:.1f}L{right:.1f} {end:.1f}" stroke="var(--muted)" '
        'stroke-width=".8"/>'
    )


def _off_scale(*places: tuple[float, _Ruler]) -> str:
    """Values in brackets where a point lies outside the frame and is drawn at its edge."""
    if all(ruler.low <= value <= ruler.high for value, ruler in places):
        return ""
    return f" ({', '.join(_plain(value) for value, _ in places)})"


def _legend(levels: Sequence[str]) -> str:
    parts = []
    for index, level in enumerate(levels):
        x, y = _LEFT + 6 + (index % 4) * 138, 12 + 20 * (index // 4)
        parts.append(_shape(index, x, y, 4.4) + _text(x + 10, y + 4, shorten(humanise(level), 18)))
    return "".join(parts)


def _front_legend() -> str:
    entries = (
        ("D", "var(--accent)", "var(--accent)", "on the Pareto front"),
        ("s", "var(--muted)", "var(--muted)", "beaten by another in both"),
        ("o", "var(--muted)", "var(--paper)", "reference"),
    )
    return "".join(
        f'<path transform="translate({80 + 210 * i} 12)" '
        f'd="{_SHAPES[shape].format(a=5, r=5, b=4.1, c=6, d=2)}" fill="{fill}" stroke="{edge}"/>'
        + _text(92 + 210 * i, 16, text)
        for i, (shape, edge, fill, text) in enumerate(entries)
    )


def _axis(ruler: _Ruler, top: float, bottom: float) -> list[str]:
    parts = []
    for tick, shown in _ticks(ruler):
        x = ruler.at(tick)
        parts.append(f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="var(--rule)"/>')
        parts.append(_text(x, bottom + 17, shown, anchor="middle"))
    return parts


def _ticks(ruler: _Ruler, most: int = 7) -> list[tuple[float, str]]:
    """Round numbers between the ends, all written with the decimals of the step."""
    low, high = ruler.low, ruler.high
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    decimals = max(0, -math.floor(math.log10(step)) + (round(step / power, 1) == 2.5))
    first = math.ceil(low / step - 1e-9)
    values = [step * n for n in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(value, f"{value if abs(value) > step / 2 else 0:.{decimals}f}") for value in values]


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _named(system: SystemRecord) -> str:
    return shorten(system.name, 26)


def _reference(system: SystemRecord) -> bool:
    return system.kind == "reference"


def _text(x: float, y: float, text: str, *, anchor: str = "start", muted: bool = False) -> str:
    fill = "var(--muted)" if muted else "var(--ink)"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">'
        f"{escape(clean(text))}</text>"
    )


def _svg(parts: Sequence[str], height: float, *, slug: str, title: str, description: str) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" font-size="12.5" role="img" '
        f'aria-labelledby="{slug}-title {slug}-desc"><title id="{slug}-title">'
        f'{escape(clean(title))}</title><desc id="{slug}-desc">{escape(clean(description))}</desc>'
        f"{''.join(parts)}</svg>"
    )
