"""The samples that moved most: a failed check shows its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.regression.comparable import moved
from benchmark.report.manifest import MetricRecord


@dataclass(frozen=True)
class Mover:
    """One sample of one system that got worse in one metric.

    Attributes:
        system, arm, seed, sample, metric: which.
        groups: its group on every axis, ``axis=group``.
        before, after: its values; NaN where there is none.
        loss: what was lost, positive is harm; infinite if the value itself was lost.
    """

    system: str
    arm: str
    seed: int
    sample: str
    metric: str
    groups: tuple[str, ...]
    before: float
    after: float
    loss: float


def movers(
    pairs: pd.DataFrame,
    systems: Sequence[tuple[str, str]],
    metrics: Sequence[MetricRecord],
    *,
    axes: Sequence[str],
    noise: dict[str, float],
    count: int,
) -> Iterator[Mover]:
    """The largest losses of every system and metric, largest first; ties by sample.

    Args:
        pairs: as from :func:`benchmark.regression.comparable.matched`.
        systems: which systems, in order.
        metrics: which metrics, in order.
        axes: whose groups are named.
        noise: the difference of each metric that passes for rounding.
        count: how many samples of each system and metric.
    """
    for system, arm in systems:
        rows = pairs[(pairs["system"] == system) & (pairs["arm"] == arm)]
        for metric in metrics:
            name = metric.name
            before = rows[f"{name}_before"].to_numpy(dtype=np.float64)
            after = rows[f"{name}_after"].to_numpy(dtype=np.float64)
            loss = metric.direction * (before - after)
            loss = np.where(np.isfinite(before) & ~np.isfinite(after), np.inf, loss)
            worse = moved(rows, name, noise[name]) & (loss > 0)
            order = np.lexsort((rows["seed"], rows["sample"].astype(str), -loss))
            for at in [i for i in order if worse[i]][:count]:
                row = rows.iloc[int(at)]
                yield Mover(
                    system,
                    arm,
                    int(row["seed"]),
                    str(row["sample"]),
                    name,
                    tuple(f"{axis}={row[axis]}" for axis in axes),
                    float(before[at]),
                    float(after[at]),
                    float(loss[at]),
                )
