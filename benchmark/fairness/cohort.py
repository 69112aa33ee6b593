"""What set-level statistics share: who is in which group, and one array per system and arm.

Arrays have one row per sample, in the order of the samples table; a row of NaN is an output that
failed or that the network could not judge. Trained arms come with several seeds, which are pooled:
the seeds of an arm are repetitions of one system, not more people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.fairness.cells import Codes, Partition, partition
from benchmark.fairness.resampling import Floats

#: system, arm, seed
RunKey = tuple[str, str, int]
#: system, arm
Variant = tuple[str, str]


@dataclass(frozen=True)
class Cohort:
    """The samples of one axis, coded once.

    Attributes:
        axis: column of the samples table.
        names: ``[K]`` group names.
        order: ``[N]`` positions of the rows in the caller's table, sorted by sample.
        group: ``[N]`` group code of each sorted row, -1 for a value that is no declared level.
        cluster: ``[N]`` cluster code of each sorted row.
        parts: their partition.
    """

    axis: str
    names: tuple[str, ...]
    order: Codes
    group: Codes
    cluster: Codes
    parts: Partition

    @property
    def sizes(self) -> Codes:
        """``[K]`` samples in each group."""
        return np.bincount(self.group[self.group >= 0], minlength=len(self.names))

    @property
    def clusters(self) -> Codes:
        """``[K]`` clusters in each group."""
        return np.bincount(self.parts.cell_group, minlength=len(self.names))

    @property
    def independent(self) -> bool:
        """Whether no cluster has two samples, so that textbook tests of counts hold."""
        taken = self.cluster[self.group >= 0]
        return len(np.unique(taken)) == len(taken)

    def restricted(self, rows: NDArray[np.bool_]) -> Cohort:
        """The same samples, of which only ``rows`` (sorted order) belong to their groups."""
        if rows.all():
            return self
        group = np.where(rows, self.group, -1)
        return replace(self, group=group, parts=partition(group, self.cluster, self.names))

    def take(self, array: NDArray[np.floating], what: str) -> Floats:
        """An array of the caller in sorted order and double precision.

        Raises:
            DataError: if it does not have one row per sample.
        """
        if array.ndim != 2 or len(array) != len(self.order):
            raise DataError(
                f"expected one row for each of {len(self.order)} samples, "
                f"found an array of shape {array.shape}",
                where=what,
            )
        return np.asarray(array, dtype=np.float64)[self.order]


def cohort(samples: pd.DataFrame, axis: str, levels: Sequence[str]) -> Cohort:
    """Code the rows of ``samples`` by group and cluster.

    Args:
        samples: columns ``sample`` (unique), ``cluster`` and ``axis``.
        axis: the axis to group by.
        levels: its levels; rows with another value belong to no group.

    Raises:
        DataError: for a missing column, a sample that occurs twice or a row without a cluster.
    """
    missing = [name for name in ("sample", "cluster", axis) if name not in samples.columns]
    if missing:
        raise DataError(f"the samples lack the column(s) {', '.join(missing)}", where="samples")
    names = samples["sample"].astype(str)
    if names.duplicated().any():
        twice = names[names.duplicated()].iloc[0]
        raise DataError(f"the sample {twice!r} has two rows", where="samples")
    if samples["cluster"].isna().any():
        raise DataError("a row has no cluster", where="samples")
    order = np.argsort(names.to_numpy(dtype=str), kind="stable").astype(np.int64)
    value = samples[axis].iloc[order]
    text = value.astype(str).where(value.notna(), "")
    group = (
        pd.Index(list(levels), dtype=object)
        .get_indexer(pd.Index(text, dtype=object))
        .astype(np.int64)
    )
    cluster, _ = pd.factorize(samples["cluster"].astype(str).iloc[order], sort=True)
    codes = cluster.astype(np.int64)
    return Cohort(axis, tuple(levels), order, group, codes, partition(group, codes, tuple(levels)))


def by_variant(
    runs: Mapping[RunKey, NDArray[np.floating]],
) -> dict[Variant, list[NDArray[np.floating]]]:
    """The arrays of every system and arm, sorted; seeds in order."""
    found: dict[Variant, list[NDArray[np.floating]]] = {}
    for system, arm, number in sorted(runs):
        found.setdefault((system, arm), []).append(runs[system, arm, number])
    return found
