"""Figures: what they show is what the tables say, and the same data give the same bytes."""

from __future__ import annotations

import io
import re
from collections import Counter
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmark.report import figures, labels
from benchmark.report.model import RunView
from benchmark.report.summary import lines, seed_means
from benchmark.report.svg import inline, png_bytes, svg_bytes


def _dots(view: RunView) -> Figure:
    return figures.dot_plot(view, view.manifest.metric("id_cosine"), "tone_level")


def _slopes(view: RunView) -> Figure:
    return figures.slope_chart(view, view.manifest.comparisons[0], "tone_level")


def _trade_off(view: RunView) -> Figure:
    quality, identity = view.manifest.metric("psnr"), view.manifest.metric("id_cosine")
    return figures.trade_off(view, quality, identity, "tone_level")


DRAWN = [_dots, _slopes, _trade_off]


@pytest.mark.parametrize("draw", DRAWN)
def test_the_same_run_gives_the_same_bytes(draw: object, view: RunView) -> None:
    assert callable(draw)
    first, second = draw(view), draw(view)
    assert svg_bytes(first) == svg_bytes(second)
    assert png_bytes(first) == png_bytes(second)
    assert b"<dc:date>" not in svg_bytes(first)


@pytest.mark.parametrize("draw", DRAWN)
def test_a_figure_is_neither_blank_nor_cut(draw: object, view: RunView) -> None:
    assert callable(draw)
    pixels = np.asarray(Image.open(io.BytesIO(png_bytes(draw(view)))).convert("L"), float)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert border.std() == 0, "something touches the edge"
    assert pixels.std() > 5


@pytest.mark.parametrize("draw", DRAWN)
def test_names_are_text_whatever_they_contain(draw: object, hostile: RunView) -> None:
    assert callable(draw)
    element = inline(svg_bytes(draw(hostile)), slug="f", title="<b>&", description='"')
    root = ET.fromstring(str(element))
    assert not {e.tag for e in root.iter()} & {"script", "style", "foreignObject", "image"}
    assert not [e for e in root.iter() if "style" in e.attrib]
    assert root.findtext("title") == "<b>&"
    shown = "".join(root.itertext())
    assert "{{" not in shown
    if draw is not _trade_off:
        assert '"><img src=x onerror' in shown


def test_inline_figures_share_no_ids_and_follow_the_theme(view: RunView) -> None:
    texts = [
        str(inline(svg_bytes(_dots(view)), slug=slug, title="t", description="d"))
        for slug in ("one", "two")
    ]
    ids = Counter(re.findall(r'\bid="([^"]+)"', "".join(texts)))
    assert ids
    assert max(ids.values()) == 1
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', "".join(texts)))
    assert used <= set(ids)
    assert "var(--ink)" in texts[0]
    assert "var(--g0)" in texts[0]


def test_dots_lie_at_the_means(view: RunView) -> None:
    ax = _dots(view).axes[0]
    drawn = {
        round(float(line.get_xdata()[0]), 9) for line in ax.lines if len(line.get_xdata()) == 1
    }
    rows = lines(view, view.manifest.metric("id_cosine"), "tone_level")
    assert drawn == {round(cell.mean, 9) for row in rows for cell in row.groups}


def test_a_reference_off_the_scale_does_not_squeeze_the_others(view: RunView) -> None:
    ax = figures.dot_plot(view, view.manifest.metric("psnr"), "tone_level").axes[0]
    assert ax.get_xlim()[1] < 30
    assert any("100.00 →" in text.get_text() for text in ax.texts)


def test_thin_lines_are_means_of_cluster_means(view: RunView) -> None:
    """Against a loop: unequal numbers of pictures per person must not shift the mean."""
    table = seed_means(view, "curve", "cals", "id_cosine", "tone_level")
    samples = view.samples.query("system == 'curve' and arm == 'cals' and seed == 1")
    dark = samples[samples["tone_level"] == "dark"]
    people = [dark.loc[dark["cluster"] == c, "id_cosine"].mean() for c in dark["cluster"].unique()]
    assert table.loc[1, "dark"] == pytest.approx(np.mean(people))
    assert list(table.index) == [0, 1, 2]


def test_the_pareto_front_is_what_nobody_beats(view: RunView) -> None:
    rng = np.random.default_rng(3)
    systems = [s for s in view.manifest.systems if s.kind != "reference"]
    for _ in range(50):
        points = [(s, *rng.integers(0, 4, 2).astype(float)) for s in systems]
        front = figures.pareto_front(points)
        for system, quality, gap in points:
            beaten = any(
                (q >= quality and g <= gap and (q, g) != (quality, gap)) for _, q, g in points
            )
            assert (system.key in front) == (not beaten)


def test_labels_find_free_places_in_a_crowd_and_at_the_edge() -> None:
    """As on the first committed boards: eight points within a label's length, one in a corner."""
    points = [(300.0 + 9 * i, 100.0 + 7 * (i % 3)) for i in range(8)] + [(600.0, 300.0)]
    texts = [f"system-{i}" for i in range(8)] + ["oracle (100, 1)"]
    frame = (0.0, 0.0, 600.0, 300.0)
    places = labels.choose(points, texts, frame, per_point=1.3)
    boxes = [
        labels._box(x, y, text, place, 1.3)
        for (x, y), text, place in zip(points, texts, places, strict=True)
    ]
    for i, box in enumerate(boxes):
        assert labels._outside(box, frame) == 0
        assert not any(labels._overlap(box, other) for other in boxes[i + 1 :])


def test_labels_do_not_cover_each_other(view: RunView) -> None:
    figure = _trade_off(view)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == len(view.manifest.systems)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
