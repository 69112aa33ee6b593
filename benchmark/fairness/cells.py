"""The one partition that every estimate shares: clusters x groups, summed once.

A *cell* is what one cluster (person, patient, scene) contributes to one group. A group's mean is
the mean over its cells, so a person with many photographs weighs as much as one with few.

Clusters may be nested in groups (real people have one skin tone) or crossed with them (the face
probe renders each identity in every tone). One rule covers both: a cluster's *stratum* is the set
of groups that it appears in; resampling draws whole clusters within a stratum. Nested groups are
then resampled independently of each other, and crossed ones move together, which is what makes a
counterfactual design so much sharper.

Strata of fewer than five clusters that share a group with another stratum (somebody lacks one
view) are merged with the nearest one, because a stratum of one never varies. Trade-off: the number
of clusters per group then varies a little between replicates, as in an unstratified bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.resampling import Floats

Codes = NDArray[np.int64]

_SMALLEST_STRATUM = 5


@dataclass(frozen=True)
class Stratum:
    """Clusters that appear in the same groups.

    Attributes:
        key: names of its groups, sorted: names the stream of random draws.
        groups: ``[G_s]`` group codes.
        cells: ``[n_s, G_s]`` cell numbers, -1 where a merged cluster lacks the group.
    """

    key: tuple[str, ...]
    groups: Codes
    cells: Codes

    @property
    def n(self) -> int:
        """Number of clusters."""
        return len(self.cells)

    def take(self, values: Floats) -> Floats:
        """``[M, J]`` cell values as ``[n_s, G_s, J]``, NaN where there is no cell."""
        taken = values[self.cells]
        taken[self.cells < 0] = np.nan
        return taken


@dataclass(frozen=True)
class Partition:
    """Rows -> cells -> strata.

    Attributes:
        names: ``[K]`` group names.
        cell_of_row: ``[N]`` cell of each row, -1 if the row belongs to no group.
        cell_group: ``[M]`` group code of each cell.
        cell_cluster: ``[M]`` cluster code of each cell; cells are sorted by (cluster, group).
        strata: in the order of their keys.
    """

    names: tuple[str, ...]
    cell_of_row: Codes
    cell_group: Codes
    cell_cluster: Codes
    strata: tuple[Stratum, ...]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cell_group)

    @property
    def n_groups(self) -> int:
        """Number of groups, empty ones included."""
        return len(self.names)

    @cached_property
    def n_clusters(self) -> int:
        """Number of clusters that appear in any group."""
        return sum(stratum.n for stratum in self.strata)

    def sums(self, values: Floats, variant: Codes, n_variants: int) -> tuple[Floats, Floats]:
        """Sum and number of the finite values in every cell.

        Args:
            values: ``[N]`` one metric; NaN is a missing value.
            variant: ``[N]`` which column of the result a row belongs to.
            n_variants: number of columns.

        Returns:
            Sums and counts, each ``[M, n_variants]``.
        """
        use = np.isfinite(values) & (self.cell_of_row >= 0)
        at = self.cell_of_row[use] * n_variants + variant[use]
        size = self.n_cells * n_variants
        sums = np.bincount(at, weights=values[use], minlength=size).astype(np.float64)
        counts = np.bincount(at, minlength=size).astype(np.float64)
        return sums.reshape(-1, n_variants), counts.reshape(-1, n_variants)

    def rows_per_group(self, use: NDArray[np.bool_], variant: Codes, n_variants: int) -> Floats:
        """Number of the rows ``use[N]`` in every group: ``[K, n_variants]``."""
        use = use & (self.cell_of_row >= 0)
        at = self.cell_group[self.cell_of_row[use]] * n_variants + variant[use]
        counts = np.bincount(at, minlength=self.n_groups * n_variants)
        return counts.reshape(-1, n_variants).astype(np.float64)


def partition(groups: Codes, clusters: Codes, names: tuple[str, ...]) -> Partition:
    """Partition rows by cluster and group.

    Args:
        groups: ``[N]`` codes in 0..K-1, or -1 for a row that belongs to no group.
        clusters: ``[N]`` non-negative codes; their order fixes the order of draws.
        names: ``[K]`` distinct group names.
    """
    n_groups = len(names)
    inside = groups >= 0
    keys, inverse = np.unique(clusters[inside] * n_groups + groups[inside], return_inverse=True)
    cell_of_row = np.full(len(groups), -1, dtype=np.int64)
    cell_of_row[inside] = inverse
    cell_cluster, cell_group = np.divmod(keys, n_groups)
    return Partition(
        names=names,
        cell_of_row=cell_of_row,
        cell_group=cell_group,
        cell_cluster=cell_cluster,
        strata=_strata(cell_cluster, cell_group, names),
    )


def cell_means(sums: Floats, counts: Floats) -> Floats:
    """Mean per cell, NaN where a cell holds no finite value."""
    means: Floats = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def _strata(cell_cluster: Codes, cell_group: Codes, names: tuple[str, ...]) -> tuple[Stratum, ...]:
    _, first, cluster = np.unique(cell_cluster, return_index=True, return_inverse=True)
    n_clusters = len(first)
    table = np.full((n_clusters, len(names)), -1, dtype=np.int64)
    table[cluster, cell_group] = np.arange(len(cell_group))
    patterns, of_cluster, size = np.unique(
        np.packbits(table >= 0, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    present = np.unpackbits(patterns, axis=1, count=len(names)).astype(bool)
    merged = _merge_small(present, size, names)[of_cluster.ravel()]
    strata = []
    for code in np.unique(merged):
        cells = table[merged == code]
        groups = np.flatnonzero((cells >= 0).any(axis=0))
        key = tuple(sorted(names[g] for g in groups))
        strata.append(Stratum(key, groups.astype(np.int64), cells[:, groups]))
    return tuple(sorted(strata, key=lambda stratum: stratum.key))


def _merge_small(present: NDArray[np.bool_], size: Codes, names: tuple[str, ...]) -> Codes:
    """For every pattern of groups, the pattern that its clusters are resampled with."""
    target = np.arange(len(size))
    key = [tuple(sorted(names[g] for g in np.flatnonzero(row))) for row in present]
    size, present = size.copy(), present.copy()
    for small in sorted(range(len(size)), key=lambda s: (size[s], key[s])):
        if not 0 < size[small] < _SMALLEST_STRATUM:
            continue
        shared = (present & present[small]).sum(axis=1) * (size > 0)
        shared[small] = 0
        if not shared.any():
            continue
        alike = shared / (present | present[small]).sum(axis=1)
        into = min(range(len(size)), key=lambda s: (-alike[s], -size[s], key[s]))
        target[target == small] = into
        size[into] += size[small]
        size[small] = 0
        present[into] |= present[small]
    return target
