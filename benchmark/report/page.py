"""``report.html``: one self-contained file, the same bytes for the same run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from benchmark.files import write_bytes, write_text
from benchmark.report import facts, figures, gallery, standings, tables
from benchmark.report.highlights import effect_sentence, gap_sentence, spread_metrics
from benchmark.report.manifest import ComparisonRecord, MetricRecord
from benchmark.report.markup import assets, environment, slug
from benchmark.report.model import RunView
from benchmark.report.sections import Section, sections
from benchmark.report.summary import lines
from benchmark.report.svg import inline, png_bytes, svg_bytes
from benchmark.report.wording import (
    EFFECT_VERDICTS,
    GAP_VERDICTS,
    RECONSTRUCTION,
    clean,
    humanise,
)


@dataclass(frozen=True)
class Drawing:
    """A figure in the page: the element, and what it shows in words."""

    svg: Markup
    caption: str


def write_report(view: RunView) -> Path:
    """Write ``report.html`` and ``figures/*.{svg,png}`` and return the page's path."""
    parts = sections(view)
    drawn = _figures(view, parts)
    path = view.folder / "report.html"
    write_text(path, _render(view, parts, drawn))
    return path


def _render(view: RunView, parts: tuple[Section, ...], drawn: dict[str, Drawing]) -> str:
    manifest = view.manifest
    quality = next(
        (m for m in manifest.headline_metrics if m.name == manifest.headline.quality), None
    )
    spread = spread_metrics(view)
    first = {f"groups-{slug(metric.name)}" for metric in (*spread, *manifest.headline_metrics)}
    others = {n: d for n, d in drawn.items() if n.startswith("groups-") and n not in first}
    return (
        environment()
        .get_template("report.html")
        .render(
            manifest=manifest,
            digest=view.digest,
            assets=assets(),
            highlights=[gap_sentence(view, metric) for metric in spread],
            sections=parts,
            part_findings=[sentence for part in parts for sentence in part.findings],
            effect_sentences=_effect_sentences(view, spread),
            reconstruction=RECONSTRUCTION if manifest.reconstructed else "",
            headlines=[
                tables.headline(view, metric, quality if i == 0 and quality is not metric else None)
                for i, metric in enumerate(spread)
            ],
            drawn={name: drawing for name, drawing in drawn.items() if name not in others},
            gaps=tables.gaps(view),
            groups=[
                (tables.groups(view, metric), others.get(f"groups-{slug(metric.name)}"))
                for metric in view.metrics_in(view.groups)
            ],
            effects=[tables.arm_effects(view, comparison) for comparison in manifest.comparisons],
            tiers=standings.tiers(view),
            strata=standings.strata(view),
            gallery=gallery.build(view),
            facts=[
                facts.systems(view),
                facts.metrics(view),
                facts.phases(view),
                facts.licences(view),
                facts.files(view),
            ],
            unavailable=[metric for metric in manifest.metrics if not metric.available],
            gap_verdicts=GAP_VERDICTS.values(),
            effect_verdicts=EFFECT_VERDICTS.values(),
        )
    )


def _effect_sentences(view: RunView, spread: tuple[MetricRecord, ...]) -> list[str]:
    found = (
        effect_sentence(view, comparison, metric)
        for comparison in view.manifest.comparisons
        for metric in spread
    )
    return [sentence for sentence in found if sentence]


def _figures(view: RunView, parts: tuple[Section, ...]) -> dict[str, Drawing]:
    """Draw everything, save each as SVG and PNG, and return what the page embeds."""
    drawn = {}
    plots = (plot for part in parts for plot in part.plots)
    own = ((f"part-{slug(p.slug)}", p.figure, p.title, p.caption) for p in plots)
    for name, figure, title, caption in (*_drawings(view), *own):
        svg = svg_bytes(figure)
        write_bytes(view.folder / "figures" / f"{name}.svg", svg)
        write_bytes(view.folder / "figures" / f"{name}.png", png_bytes(figure))
        element = inline(svg, slug=name, title=clean(title), description=clean(caption))
        drawn[name] = Drawing(element, caption)
    return drawn


def _drawings(view: RunView) -> Iterator[tuple[str, Figure, str, str]]:
    manifest = view.manifest
    axis = manifest.headline.axis
    primary = [m for m in manifest.metrics if m.role == "primary" and m.available]
    measured = set(view.groups["metric"])
    for metric in dict.fromkeys([*spread_metrics(view), *manifest.headline_metrics, *primary]):
        if metric.name in measured:
            title = f"{humanise(metric.name)} of every system by {humanise(axis)}"
            yield f"groups-{slug(metric.name)}", figures.dot_plot(view, metric, axis), title, (
                f"{title}. Points are group means with 95 % intervals, the grey tick is the mean "
                "of all. Hollow points are small groups, small grey ones have too few subjects."
            )  # fmt: skip
    for comparison in manifest.comparisons:
        name = f"arms-{slug(comparison.system)}-{slug(comparison.arm)}-{slug(comparison.baseline)}"
        yield name, figures.slope_chart(view, comparison, axis), *_slope_words(comparison, axis)
    for quality in manifest.headline_metrics[:1]:
        for metric in spread_metrics(view):
            if metric.name != quality.name and any(r.disparity for r in lines(view, metric, axis)):
                title = f"{humanise(quality.name)} against the gap in {humanise(metric.name)}"
                figure = figures.trade_off(view, quality, metric, axis)
                yield f"tradeoff-{slug(metric.name)}", figure, title, (
                    f"{title}. Further right is better quality where higher is better, lower is "
                    "fairer. Systems on the dashed line are not beaten on both by any other."
                )  # fmt: skip


def _slope_words(comparison: ComparisonRecord, axis: str) -> tuple[str, str]:
    title = f"{comparison.system}: from {comparison.baseline} to {comparison.arm}"
    return title, (
        f"{title}, one line per group of {humanise(axis)}, thin lines are single seeds. Lines that "
        "come together close the gap; look whether the lower rises or the upper falls."
    )
