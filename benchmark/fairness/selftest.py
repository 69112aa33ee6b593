"""Does the engine keep its promises at a given task's group sizes? Simulated on true nulls.

Tables in which no group differs are drawn with the task's own numbers of clusters and analysed by
the very code that makes the gap table; every table is a column, so a thousand cost a few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.errors import SpecError
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import Partition, partition
from benchmark.fairness.estimates import Columns, estimate
from benchmark.fairness.gaps import pair_tests
from benchmark.fairness.intervals import mean_intervals
from benchmark.fairness.model import MetricInfo, Policy
from benchmark.fairness.omnibus import equal_means
from benchmark.fairness.resampling import Floats, stream
from benchmark.fairness.spread import spread
from benchmark.fairness.study import Layout

#: What the specification promises.
LARGEST_TYPE_I, SMALLEST_COVERAGE = 0.065, 0.93

_TABLES_AT_A_TIME, _RATE = 250, 0.7


@dataclass(frozen=True)
class SelfTest:
    """Rates over simulated tables without any true difference.

    Attributes:
        tables: how many were simulated.
        type_i: share in which the max-T test rejected at 5 %.
        type_i_q: share in which Cochran's Q rejected at 5 %.
        coverage: share of group intervals that held the true mean.
        coverage_pinned: share of worst-against-rest intervals that held 0.
        mean_gap, mean_null: average visible gap, and average of the null printed beside it.
    """

    tables: int
    type_i: float
    type_i_q: float
    coverage: float
    coverage_pinned: float
    mean_gap: float
    mean_null: float

    @property
    def passed(self) -> bool:
        """Whether the promises are kept: type-I error of the test, coverage of both intervals."""
        covered = min(self.coverage, self.coverage_pinned) >= SMALLEST_COVERAGE
        return self.type_i <= LARGEST_TYPE_I and covered


def selftest(
    clusters: Sequence[int],
    *,
    design: Literal["nested", "crossed"],
    items: int = 4,
    kind: Literal["value", "rate"] = "value",
    skewed: bool = False,
    spreads: Sequence[float] | None = None,
    tables: int = 1000,
    replicates: int = 999,
    seed: int = 0,
) -> SelfTest:
    """Simulate null tables and count how often the engine is wrong.

    Args:
        clusters: number of clusters in each group; crossed designs need equal numbers.
        design: ``nested`` (each cluster in one group) or ``crossed`` (every cluster in all).
        items: items of one cluster in one group.
        kind: values around a common mean, or rates around 0.7 that vary between clusters.
        skewed: exponential instead of normal scatter, for values.
        spreads: relative scatter of each group, all 1 by default.
        tables: how many tables; time and memory grow in proportion.
        replicates: of bootstrap and permutation.
        seed: fixes the result.

    Raises:
        SpecError: for a crossed design with unequal groups.
    """
    k = len(clusters)
    if design == "crossed" and len(set(clusters)) > 1:
        raise SpecError("a crossed design has the same clusters in every group")
    parts = _design(tuple(clusters), design)
    scatter = np.ones(k) if spreads is None else np.asarray(spreads, dtype=np.float64)
    rng, counts = stream(seed, "selftest", design, kind), np.zeros(6)
    boot = Bootstrap(parts, seed, replicates)
    for start in range(0, tables, _TABLES_AT_A_TIME):
        j = min(_TABLES_AT_A_TIME, tables - start)
        if kind == "rate":
            values, truth = _null_rates(rng, parts, j, items), _RATE
        else:
            values, truth = _null_values(rng, parts, scatter, j, items, skewed=skewed), 0.0
        counts += _outcomes(boot, values, MetricInfo("simulated", 1, kind=kind), items, truth)
    return SelfTest(tables, *(float(c) for c in counts / tables))


def _outcomes(
    boot: Bootstrap, values: Floats, metric: MetricInfo, items: int, truth: float
) -> Floats:
    """Analyse ``[M, j]`` cells of j tables; the sums that :class:`SelfTest` has the means of."""
    parts, (_, j) = boot.parts, values.shape
    k = parts.n_groups
    policy = Policy(n_min=2, n_full=2, bootstrap=boot.replicates, permutations=boot.replicates)
    layout = Layout(
        axis="group",
        role="sensitive",
        names=parts.names,
        level=np.arange(k),
        block=np.zeros(k, dtype=np.int64),
        block_names=("",),
        compared=np.ones(k, dtype=bool),
    )
    sizes = np.bincount(parts.cell_group, minlength=k).astype(np.float64)
    rows: Floats = np.repeat(sizes[:, None], j, axis=1)
    data = Columns(
        variant=np.zeros(j, dtype=np.int64),
        metric=np.zeros(j, dtype=np.int64),
        info=(metric,),
        values=values,
        items=rows * items,
        expected=rows * items,
        expected_clusters=rows,
        failures=np.zeros_like(rows),
    )
    found = estimate(layout, boot, data, policy)
    wide = spread(found, policy)
    low, high, _ = mean_intervals(
        values,
        parts.cell_group,
        found.moments,
        found.replicates,
        rate=data.rate,
        items=data.items,
        level=0.95,
    )
    p = pair_tests(found, seed=boot.seed, policy=policy).p_any
    _, q_p = equal_means(
        parts, layout, values, found.moments, eligible=found.eligible, rate=data.rate
    )
    return np.array(
        [
            (p <= 0.05).sum(),
            (q_p <= 0.05).sum(),
            ((low <= truth) & (truth <= high)).mean(axis=0).sum(),
            ((wide.low <= 0) & (wide.high >= 0)).sum(),
            wide.extremes.gap.sum(),
            wide.null_mean.sum(),
        ]
    )


def _design(clusters: tuple[int, ...], design: str) -> Partition:
    groups = np.repeat(np.arange(len(clusters)), clusters)
    people = np.arange(len(groups))
    if design == "crossed":
        people = np.concatenate([np.arange(n) for n in clusters])
    names = tuple(f"g{i:02d}" for i in range(len(clusters)))
    return partition(groups.astype(np.int64), people.astype(np.int64), names)


def _null_rates(rng: np.random.Generator, parts: Partition, j: int, items: int) -> Floats:
    """Cell shares ``[M, j]``; people differ, groups do not."""
    people = int(parts.cell_cluster.max()) + 1
    own = rng.beta(10 * _RATE, 10 * (1 - _RATE), size=(people, j))[parts.cell_cluster]
    shares: Floats = rng.binomial(items, own) / items
    return shares


def _null_values(
    rng: np.random.Generator, parts: Partition, scatter: Floats, j: int, items: int, *, skewed: bool
) -> Floats:
    """Cell means ``[M, j]`` around 0; people and items differ, groups do not."""
    people = int(parts.cell_cluster.max()) + 1
    own = rng.exponential(size=(people, j)) - 1 if skewed else rng.normal(size=(people, j))
    noise = rng.normal(size=(parts.n_cells, j)) / np.sqrt(items)
    values: Floats = (own[parts.cell_cluster] + noise) * scatter[parts.cell_group][:, None]
    return values
