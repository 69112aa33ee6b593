"""Direct labels beside points, placed so that they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_FONT = 9.0
#: Offsets in points from the marker and the alignment, in order of preference.
_PLACES = (
    (9, 5, "left"),
    (-9, 5, "right"),
    (9, -11, "left"),
    (-9, -11, "right"),
    (9, 17, "left"),
    (-9, 17, "right"),
    (9, 29, "left"),
    (-9, 29, "right"),
    (9, -24, "left"),
    (-9, -24, "right"),
    (26, -2, "left"),
    (-26, -2, "right"),
    (22, 41, "left"),
    (-22, 41, "right"),
    (22, -37, "left"),
    (-22, -37, "right"),
    (22, -50, "left"),
    (-22, -50, "right"),
)
_Box = tuple[float, float, float, float]


def place_labels(ax: Axes, labels: Sequence[tuple[float, float, str]]) -> None:
    """Write ``(x, y, text)`` labels greedily at the first free place; the layout must be final.

    Sizes are estimated from the font size, which is enough here and needs no rendering; a label
    that fits nowhere takes the place where it covers least.
    """
    figure = ax.figure
    if not isinstance(figure, Figure):
        raise TypeError("the axes must belong to a figure, not to a part of one")
    figure.draw_without_rendering()
    per_point = figure.dpi / 72
    frame = ax.get_window_extent()
    points = [tuple(ax.transData.transform((x, y))) for x, y, _ in labels]
    box = (frame.x0, frame.y0, frame.x1, frame.y1)
    places = choose(points, [text for _, _, text in labels], box, per_point=per_point)
    for (x, y, text), (dx, dy, align) in zip(labels, places, strict=True):
        ax.annotate(
            text, (x, y), textcoords="offset points", xytext=(dx, dy), ha=align,
            fontsize=_FONT, annotation_clip=False,
        )  # fmt: skip


def choose(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    frame: _Box,
    *,
    per_point: float,
) -> list[tuple[int, int, str]]:
    """For every label its offset in points and its alignment, taken greedily.

    Args:
        points: ``(x, y)`` of the markers, y upwards.
        texts: one label for each.
        frame: left, bottom, right and top of the drawing, in the units of the points.
        per_point: those units in a typographic point.
    """
    taken: list[_Box] = [(x - 9, y - 9, x + 9, y + 9) for x, y in points]
    chosen = []
    for own, ((x, y), text) in enumerate(zip(points, texts, strict=True)):
        others = taken[:own] + taken[own + 1 :]
        boxes = [_box(x, y, text, place, per_point) for place in _PLACES]
        covered = [
            _outside(box, frame) + sum(_overlap(box, other) for other in others) for box in boxes
        ]
        best = covered.index(min(covered))
        taken.append(boxes[best])
        chosen.append(_PLACES[best])
    return chosen


def _box(x: float, y: float, text: str, place: tuple[int, int, str], per_point: float) -> _Box:
    dx, dy, align = place
    width, height = 0.62 * _FONT * len(text) * per_point, _FONT * per_point
    left = x + dx * per_point - (width if align == "right" else 0)
    bottom = y + dy * per_point
    return left, bottom, left + width, bottom + height


def _overlap(a: _Box, b: _Box) -> float:
    """The area that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _outside(box: _Box, frame: _Box) -> float:
    """The area of a label beyond the frame, which it may leave by a little; weighs most."""
    wide = frame[0], box[1], frame[2] + 4, frame[3] + 14
    area = (box[2] - box[0]) * (box[3] - box[1])
    return 10 * max(0.0, area - _overlap(box, wide))
