"""Everything that the group table and the gap table share, for one axis and many columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.bootstrap import Bootstrap, Replicates
from benchmark.fairness.cells import Codes, Partition, cell_means
from benchmark.fairness.intervals import STUDENTISED
from benchmark.fairness.model import MetricInfo, Policy
from benchmark.fairness.moments import Moments, moments
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Layout, Study

Mask = NDArray[np.bool_]

#: Replicates x groups x columns held at a time: 32 MB an array.
_NUMBERS_AT_A_TIME = 4_000_000


@dataclass(frozen=True)
class Columns:
    """Cell values of J columns (metric x variant), and what each column is.

    Attributes:
        variant: ``[J]`` number of the system and arm.
        metric: ``[J]`` number of the metric.
        info: the metrics that ``metric`` counts.
        values: ``[M, J]`` cell means, NaN where nothing was measured.
        items: ``[K, J]`` rows measured in each group.
        expected: ``[K, J]`` rows expected.
        expected_clusters: ``[K, J]`` clusters expected.
        failures: ``[K, J]`` rows with a status other than ok.
    """

    variant: Codes
    metric: Codes
    info: tuple[MetricInfo, ...]
    values: Floats
    items: Floats
    expected: Floats
    expected_clusters: Floats
    failures: Floats

    @property
    def direction(self) -> Floats:
        """``[J]`` +1.0 or -1.0."""
        return np.array([self.info[m].direction for m in self.metric], dtype=np.float64)

    @property
    def rate(self) -> Mask:
        """``[J]`` whether the column is a rate."""
        return np.array([self.info[m].kind == "rate" for m in self.metric], dtype=bool)

    @property
    def coverage(self) -> Floats:
        """``[K, J]`` measured over expected rows, NaN for an empty group."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Floats = self.items / self.expected
        return share


@dataclass(frozen=True)
class Estimates:
    """Group means of one axis with their uncertainty.

    Attributes:
        layout: the groups.
        parts: the partition into cells.
        columns: the data.
        moments: means and covariance.
        replicates: their bootstrap replicates.
        eligible: ``[K, J]`` groups that are large enough and may be compared.
    """

    layout: Layout
    parts: Partition
    columns: Columns
    moments: Moments
    replicates: Replicates
    eligible: Mask

    @property
    def null_delta(self) -> Floats:
        """``[B, K, J]`` noise of the group means, with the variance that a bootstrap loses."""
        scaled: Floats = self.replicates.delta * self._lost
        return scaled

    def null_delta_of(self, group: int) -> Floats:
        """``[B, J]`` the same of one group."""
        scaled: Floats = self.replicates.delta[:, group] * self._lost[group]
        return scaled

    @property
    def _lost(self) -> Floats:
        n = np.maximum(self.moments.n, 2.0)
        factor: Floats = np.sqrt(n / (n - 1))
        return factor


def columns(data: Study, parts: Partition, metrics: Sequence[int]) -> Columns:
    """Sum the rows into cells for the given metrics and all variants.

    Args:
        data: the study.
        parts: partition of its rows.
        metrics: numbers of the metrics.
    """
    v = len(data.variants)
    everything = np.ones(len(data.variant), dtype=bool)
    rows = parts.rows_per_group(everything, data.variant, v)
    failures = parts.rows_per_group(~data.ok, data.variant, v)
    _, in_cell = parts.sums(np.zeros(len(data.variant)), data.variant, v)
    clusters = np.zeros((parts.n_groups, v))
    np.add.at(clusters, parts.cell_group, (in_cell > 0).astype(np.float64))
    values, items = [], []
    for metric in metrics:
        column = data.values[:, metric]
        sums, counts = parts.sums(column, data.variant, v)
        values.append(cell_means(sums, counts))
        items.append(parts.rows_per_group(np.isfinite(column), data.variant, v))
    repeat = (1, len(metrics))
    return Columns(
        variant=np.tile(np.arange(v), len(metrics)),
        metric=np.repeat(np.asarray(metrics, dtype=np.int64), v),
        info=data.metrics,
        values=np.concatenate(values, axis=1),
        items=np.concatenate(items, axis=1),
        expected=np.tile(rows, repeat),
        expected_clusters=np.tile(clusters, repeat),
        failures=np.tile(failures, repeat),
    )


def estimate(layout: Layout, boot: Bootstrap, data: Columns, policy: Policy) -> Estimates:
    """Means, covariance and replicates of all groups of ``layout``."""
    parts = boot.parts
    found = moments(parts, data.values)
    wanted: Mask = np.any(
        (found.n >= STUDENTISED[0]) & (found.n < STUDENTISED[1]) & ~data.rate, axis=1
    )
    return Estimates(
        layout=layout,
        parts=parts,
        columns=data,
        moments=found,
        replicates=boot.run(data.values, found, studentise=wanted),
        eligible=layout.compared[:, None] & (found.n >= policy.n_min),
    )


def metric_blocks(data: Study, layout: Layout, policy: Policy) -> Iterator[list[int]]:
    """Numbers of metrics that are analysed together, so that memory stays bounded."""
    each = policy.bootstrap * len(layout.names) * len(data.variants)
    step = max(1, _NUMBERS_AT_A_TIME // each)
    for start in range(0, len(data.metrics), step):
        yield list(range(start, min(start + step, len(data.metrics))))
