"""Where points go: ends of axes, offsets within a row, and who is on the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmark.report.manifest import SystemRecord
from benchmark.report.summary import Line
from benchmark.report.wording import Scale

#: The clean reference: its PSNR is a cap, and must not squeeze all other systems together.
ORACLE = "oracle"


def pareto_front(points: Sequence[tuple[SystemRecord, float, float]]) -> set[tuple[str, str]]:
    """Keys of the systems that none beats: quality up, gap down, strictly better in one."""
    return {
        system.key
        for system, quality, gap in points
        if not any(q >= quality and g <= gap and (q > quality or g < gap) for _, q, g in points)
    }


def limits(rows: Sequence[Line], scale: Scale) -> tuple[float, float]:
    """Ends of an axis that shows every group with its interval, but for an oracle far away."""

    def ends(chosen: Sequence[Line]) -> list[float]:
        cells = [cell for row in chosen for cell in (row.overall, *row.groups)]
        values = [v for c in cells for v in (c.mean, c.low, c.high) if math.isfinite(v)]
        return [scale.factor * value for value in values]

    return span(ends([row for row in rows if row.system.system != ORACLE]), ends(rows))


def span(main: Sequence[float], every: Sequence[float]) -> tuple[float, float]:
    """Limits around ``every`` value, or around ``main`` where the others would squeeze it."""
    if not every:
        return 0.0, 1.0
    chosen = main or every
    middle = float(np.median(chosen))
    low, high = min(chosen), max(chosen)
    for value in sorted(every, key=lambda v: abs(v - middle)):
        reach = min(low, value), max(high, value)
        if reach[1] - reach[0] <= 2.5 * (high - low) or not main:
            low, high = reach
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - pad, high + pad


def dodge(count: int) -> list[float]:
    """Offsets of ``count`` groups within a row of height 1."""
    reach = min(0.3, 0.13 * (count - 1))
    return list(np.linspace(-reach, reach, count))
