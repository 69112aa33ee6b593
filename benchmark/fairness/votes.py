"""What a judge named, per sample, and the rates per group that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.fairness.bootstrap import Bootstrap, Replicates
from benchmark.fairness.cells import cell_means
from benchmark.fairness.cohort import Cohort, RunKey, Variant, by_variant
from benchmark.fairness.intervals import mean_intervals
from benchmark.fairness.moments import Moments, moments
from benchmark.fairness.resampling import Floats


@dataclass(frozen=True)
class Votes:
    """What a judge named, per sample.

    Attributes:
        cohort: who is in which group.
        levels: ``[K]`` levels of the judge.
        own: ``[G]`` the judge's column of each group, -1 if it has none.
        variants: systems and arms.
        repeated: ``[V]`` whether an arm has several seeds.
        share: ``[N, V, K]`` share of seeds in which the level was named; zeros where none judged.
        original: ``[N, K]`` what was named on the clean originals.
    """

    cohort: Cohort
    levels: tuple[str, ...]
    own: NDArray[np.int64]
    variants: tuple[Variant, ...]
    repeated: NDArray[np.bool_]
    share: Floats
    original: Floats

    @property
    def member(self) -> NDArray[np.bool_]:
        """``[N]`` samples that belong to a group."""
        return self.cohort.group >= 0

    @cached_property
    def pairs(self) -> Floats:
        """``[N, V, K, K]`` share of seeds of (original, output), zeros where either is unjudged."""
        both: Floats = self.original[:, None, :, None] * self.share[:, :, None, :]
        both[~self.member] = 0.0
        return both

    @property
    def test_share(self) -> Floats:
        """``[K]`` share of the samples whose group is the level."""
        sizes = self.cohort.sizes.astype(np.float64)
        out = np.zeros(len(self.levels))
        out[self.own[self.own >= 0]] = sizes[self.own >= 0]
        out /= max(sizes.sum(), 1.0)
        return out

    def own_level(self, values: Floats) -> Floats:
        """``[..., G, V]`` of ``[..., G, V, K]``: the column of each group's own level, or NaN."""
        at = np.maximum(self.own, 0).reshape(-1, 1, 1)
        at = np.broadcast_to(at, (*values.shape[:-1], 1))
        taken = np.take_along_axis(values, at, axis=-1)[..., 0]
        return np.where((self.own >= 0)[:, None], taken, np.nan)


def vote(
    everyone: Cohort,
    judged: Mapping[RunKey, NDArray[np.floating]],
    originals: NDArray[np.floating],
    levels: tuple[str, ...],
) -> Votes:
    """The most probable level of every output; see :func:`.representation.representation`.

    A sample whose clean original cannot be judged belongs to no group: that is the judge's failure
    and says nothing about a system.

    Raises:
        DataError: if the columns of an array are not the judge's levels, or its rows the samples.
    """

    def named(probabilities: NDArray[np.floating], what: str) -> Floats:
        p = everyone.take(probabilities, what)
        if p.shape[1] != len(levels):
            raise DataError(f"{p.shape[1]} columns for {len(levels)} levels", where=what)
        sure = np.asarray(np.isfinite(p).all(axis=1))
        best = np.where(sure[:, None], p, 0.0).argmax(axis=1)
        return np.asarray(np.eye(len(levels))[best] * sure[:, None])

    runs = by_variant(judged)
    share = [
        np.mean([named(p, f"judged {system} {arm}".strip()) for p in arrays], axis=0)
        for (system, arm), arrays in runs.items()
    ]
    empty = np.zeros((len(everyone.order), 0, len(levels)))
    original = named(originals, "judged originals")
    everyone = everyone.restricted(original.sum(axis=1) > 0)
    own = [levels.index(name) if name in levels else -1 for name in everyone.names]
    return Votes(
        cohort=everyone,
        levels=levels,
        own=np.array(own, dtype=np.int64),
        variants=tuple(runs),
        repeated=np.array([len(arrays) > 1 for arrays in runs.values()], dtype=bool),
        share=np.stack(share, axis=1) if share else empty,
        original=original,
    )


@dataclass(frozen=True)
class Rates:
    """Rates of every (group, system, level), with the originals as one more system at the end.

    Attributes:
        cells: ``[M, J]`` rates in every cell, ``J = (V + 1) * K``.
        moments: their means over the cells of each group.
        replicates: their bootstrap.
        shape: ``(G, V + 1, K)``.
    """

    cells: Floats
    moments: Moments
    replicates: Replicates
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, votes: Votes, boot: Bootstrap) -> Rates:
        """Rates of ``votes`` in the partition of ``boot``."""
        named = np.concatenate([votes.share, votes.original[:, None]], axis=1)
        cells = in_cells(votes.cohort, named.reshape(len(named), -1))
        found = moments(boot.parts, cells)
        shape = (boot.parts.n_groups, named.shape[1], named.shape[2])
        return cls(cells, found, boot.run(cells, found), shape)

    @property
    def by_cell(self) -> Floats:
        """``[M, V + 1, K]`` the rates in every cell."""
        return self.cells.reshape(len(self.cells), *self.shape[1:])

    @property
    def mean(self) -> Floats:
        """``[G, V + 1, K]``; NaN for an empty group."""
        return self.moments.mean.reshape(self.shape)

    @cached_property
    def resampled(self) -> Floats:
        """``[B, G, V + 1, K]`` replicates of the mean."""
        return self.mean + self.replicates.delta.reshape(-1, *self.shape)

    def intervals(self, votes: Votes, *, level: float) -> tuple[Floats, Floats]:
        """Low and high of every rate, ``[G, V + 1, K]`` each."""
        j = self.cells.shape[1]
        low, high, _ = mean_intervals(
            self.cells,
            votes.cohort.parts.cell_group,
            self.moments,
            self.replicates,
            rate=np.ones(j, dtype=bool),
            items=np.repeat(votes.cohort.sizes[:, None], j, axis=1).astype(np.float64),
            level=level,
        )
        return low.reshape(self.shape), high.reshape(self.shape)


def in_cells(everyone: Cohort, values: Floats) -> Floats:
    """``[M, J]`` means over the finite values of every cell, NaN where there is none."""
    one = np.zeros(len(values), dtype=np.int64)
    columns = [cell_means(*everyone.parts.sums(column, one, 1)) for column in values.T]
    return np.concatenate(columns, axis=1) if columns else np.zeros((everyone.parts.n_cells, 0))


def judged_shares(votes: Votes, rates: Floats) -> Floats:
    """Shares of the levels among the outputs that there are.

    Args:
        votes: for the weight of the groups, their share of the test set.
        rates: ``[..., G, V, K]``.

    Returns:
        ``[..., V, K]``; NaN where nothing could be judged.
    """
    sizes = votes.cohort.sizes / max(votes.cohort.sizes.sum(), 1)
    total = np.einsum("g,...gvk->...vk", sizes, np.nan_to_num(rates))
    mass = total.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(total, mass, out=np.full_like(total, np.nan), where=mass > 1e-12)
    return shares
