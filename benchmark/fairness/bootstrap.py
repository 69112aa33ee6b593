"""Stratified cluster bootstrap of group means, for all groups, metrics and systems at once.

Every column is resampled with the same weights, so any two systems, arms or metrics are paired.
A replicate of all group means is one matrix product per stratum; weights are drawn in chunks, so
memory does not grow with replicates x clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.cells import Partition, Stratum
from benchmark.fairness.moments import Moments
from benchmark.fairness.resampling import Floats, chunks, multinomial_counts, stream

#: Weights of at most this many numbers are kept for the next block of columns.
_KEPT_WEIGHTS = 4_000_000


@dataclass(frozen=True)
class Replicates:
    """Bootstrap replicates of K group means in J columns.

    Attributes:
        delta: ``[B, K, J]`` replicate minus estimate; 0 where a replicate drew no measured cluster.
        variance: ``[B, K, J]`` variance of the mean estimated inside the replicate, or None.
    """

    delta: Floats
    variance: Floats | None


@dataclass(frozen=True)
class Bootstrap:
    """Draws of one partition.

    Args:
        parts: the partition.
        seed: base seed; together with the names in a stratum it fixes the draws.
        replicates: number B of replicates.
    """

    parts: Partition
    seed: int
    replicates: int
    _kept: dict[tuple[str, ...], Floats] = field(default_factory=dict, repr=False)

    def run(
        self, values: Floats, estimate: Moments, *, studentise: NDArray[np.bool_] | None = None
    ) -> Replicates:
        """Resample the group means.

        Args:
            values: ``[M, J]`` cell means, NaN where nothing was measured.
            estimate: their moments.
            studentise: ``[K]`` groups whose variance is wanted in every replicate.

        Returns:
            The replicates; ``variance`` is NaN outside the groups asked for.
        """
        shape = (self.replicates, *estimate.mean.shape)
        deviation = values - estimate.mean[self.parts.cell_group]
        with_variance = studentise is not None and bool(studentise.any())
        total, weight = np.zeros(shape), np.zeros(shape)
        squares = np.zeros(shape) if with_variance else None
        for stratum in self.parts.strata:
            block = stratum.take(deviation)
            here = np.isfinite(block)
            block[~here] = 0.0
            whole = bool(here.all())
            n, g, j = block.shape
            groups = _as_slice(stratum.groups)
            flat, present = block.reshape(n, g * j), here.reshape(n, g * j).astype(np.float64)
            square = (
                flat**2 if studentise is not None and studentise[stratum.groups].any() else None
            )
            for rows, counts in self._weights(stratum):
                at = (rows, groups)
                total[at] += (counts @ flat).reshape(-1, g, j)
                weight[at] += n if whole else (counts @ present).reshape(-1, g, j)
                if squares is not None and square is not None:
                    squares[at] += (counts @ square).reshape(-1, g, j)
        drawn = weight > 0
        np.divide(total, weight, out=total, where=drawn)
        if squares is None or studentise is None:
            return Replicates(total, None)
        np.divide(squares, weight, out=squares, where=drawn)
        squares -= total**2
        squares /= np.maximum(estimate.n - 1.0, 1.0)
        squares[:, ~studentise] = np.nan
        return Replicates(total, np.maximum(squares, 0.0, out=squares))

    def _weights(self, stratum: Stratum) -> Iterator[tuple[slice, Floats]]:
        n, keep = stratum.n, self.replicates * self.parts.n_clusters <= _KEPT_WEIGHTS
        if stratum.key in self._kept:
            counts = self._kept[stratum.key]
            yield from ((rows, counts[rows]) for rows in chunks(self.replicates, n))
            return
        rng, drawn = stream(self.seed, "bootstrap", *stratum.key), []
        for rows in chunks(self.replicates, n):
            counts = multinomial_counts(rng, rows=rows.stop - rows.start, n=n)
            if keep:
                drawn.append(counts)
            yield rows, counts
        if keep:
            self._kept[stratum.key] = np.concatenate(drawn)


def _as_slice(groups: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Neighbouring groups as a slice, which numpy adds to in place."""
    first, n = int(groups[0]), len(groups)
    return slice(first, first + n) if np.array_equal(groups, first + np.arange(n)) else groups
