"""Studentised randomisation tests of "all groups have the same mean", for nested or crossed data.

The statistic is the largest ``|m_g - m_h| / se(m_g - m_h)`` over pairs of groups within a block.
Comparing every pair with the distribution of the *largest* one gives each pair a p-value that is
already adjusted for looking at all pairs (single-step max-T, Westfall and Young 1993).

* **Nested** clusters (one sensitive level each) are permuted across levels as wholes. Permuting
  without studentising is badly wrong when a small group scatters more (type-I error 39 % at
  nominal 5 %); studentised it is exact for exchangeable groups and asymptotically valid otherwise
  (Janssen 1997; Chung and Romano 2013).
* **Crossed** clusters (a person in several groups) have the sign of their whole deviation from the
  common mean flipped. For two groups that *is* swapping the two labels inside each cluster. For
  more groups it was chosen over shuffling the labels because shuffling assumes that all pairs of
  groups differ by equally noisy amounts; flipping keeps every pair's own noise and their
  correlation, and it is one matrix product. It is exact for symmetric differences.

Both use clusters as units, so many photographs of few people do not pass for many people.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.cells import Codes, Partition
from benchmark.fairness.moments import ROUNDING
from benchmark.fairness.resampling import Floats, chunks, random_signs, stream
from benchmark.fairness.study import Layout

Mask = NDArray[np.bool_]

#: Two statistics this close, relatively, are the same one computed in another order.
_TIE = 1e-9


@dataclass(frozen=True)
class PairTests:
    """Max-T tests of all pairs.

    Attributes:
        pairs: ``[P, 2]`` group codes.
        p: ``[P, J]`` adjusted p-values, NaN where a group may not be compared.
    """

    pairs: Codes
    p: Floats

    @property
    def p_any(self) -> Floats:
        """``[J]`` p-value of the hypothesis that no pair differs; NaN without a pair."""
        smallest: Floats = np.fmin.reduce(self.p, axis=0, initial=np.nan)
        return smallest


def is_nested(parts: Partition, layout: Layout) -> bool:
    """Whether every cluster has one sensitive level only."""
    return all(len(set(layout.level[s.groups])) == 1 for s in parts.strata)


def max_t(
    parts: Partition, layout: Layout, values: Floats, eligible: Mask, *, seed: int, draws: int
) -> PairTests:
    """Test all pairs of eligible groups within their blocks.

    Args:
        parts: the partition of ``layout``.
        layout: the groups.
        values: ``[M, J]`` cell means.
        eligible: ``[K, J]`` groups that may be compared.
        seed: base seed.
        draws: number of permutations; the smallest possible p is 1 / (draws + 1).
    """
    pairs = comparable_pairs(layout)
    both = eligible[pairs[:, 0]] & eligible[pairs[:, 1]]
    usable = np.where(eligible[parts.cell_group], values, np.nan)
    p = np.full(both.shape, np.nan)
    columns = np.flatnonzero(both.any(axis=0))
    if len(columns):
        test = _nested if is_nested(parts, layout) else _crossed
        p[:, columns] = test(
            parts,
            layout,
            usable[:, columns],
            _Pairs(pairs, both[:, columns]),
            seed=seed,
            draws=draws,
        )
    return PairTests(pairs, np.where(both, p, np.nan))


def comparable_pairs(layout: Layout) -> Codes:
    """``[P, 2]`` codes of groups that share a block and may both be compared."""
    pairs = [
        (g, h)
        for g, h in combinations(range(len(layout.names)), 2)
        if layout.block[g] == layout.block[h] and layout.compared[g] and layout.compared[h]
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class _Pairs:
    """The statistic of ``pairs[P, 2]``, defined where ``both[P, J]`` groups are eligible."""

    codes: Codes
    both: Mask

    def statistic(self, difference: Floats, variance: Floats, scale: Floats) -> Floats:
        """Studentised differences ``[P, b, J]``; no scatter and no difference is 0, not NaN.

        ``scale[J]`` is the largest absolute value that was summed up: sums know differences only
        to a rounding error of that size, and variances to one of its square.
        """
        size = np.abs(difference)
        flat = variance <= (1e-7 * scale) ** 2
        t = np.divide(size, np.sqrt(np.where(flat, 1.0, variance)))
        t = np.where(flat, np.where(size <= 1e-9 * scale, 0.0, np.inf), t)
        masked: Floats = np.where(self.both[:, None], t, np.nan)
        return masked

    @property
    def first(self) -> Codes:
        """``[P]`` first group of each pair."""
        return self.codes[:, 0]

    @property
    def second(self) -> Codes:
        """``[P]`` second group of each pair."""
        return self.codes[:, 1]


def _exceedances(drawn: Floats, observed: Floats) -> Floats:
    """How many of the draws' largest statistics reach each observed one: ``[P, J]``."""
    largest = np.fmax.reduce(drawn, axis=0)
    reached = largest[None] >= (observed * (1 - _TIE))[:, None]
    counted: Floats = reached.sum(axis=1).astype(np.float64)
    return counted


def _scale(values: Floats, shifted: Floats) -> Floats:
    """``[J]`` magnitude of shifted values, never below the rounding error of the shift."""
    axes = tuple(range(values.ndim - 1))
    size = np.nanmax(np.abs(shifted), axis=axes, initial=0.0)
    whole = np.nanmax(np.abs(values), axis=axes, initial=0.0)
    larger: Floats = np.maximum(size, 1e3 * ROUNDING * whole)
    return larger


def _nested(
    parts: Partition, layout: Layout, values: Floats, pairs: _Pairs, *, seed: int, draws: int
) -> Floats:
    """Permute sensitive levels over clusters; a cluster carries its values of all blocks along."""
    _, cluster = np.unique(parts.cell_cluster, return_inverse=True)
    level = layout.level[parts.cell_group]
    names = {int(v): min(layout.names[g] for g in np.flatnonzero(layout.level == v)) for v in level}
    ordered = sorted(names, key=lambda v: names[v])
    group_of = np.full((len(ordered), layout.n_blocks), -1, dtype=np.int64)
    rank = np.zeros(int(layout.level.max()) + 1, dtype=np.int8)
    for number, value in enumerate(ordered):
        rank[value] = number
        groups = np.flatnonzero(layout.level == value)
        group_of[number, layout.block[groups]] = groups
    label = np.zeros(int(cluster.max()) + 1, dtype=np.int8)
    label[cluster] = rank[level]
    table = np.full((len(label), layout.n_blocks, values.shape[1]), np.nan)
    table[cluster, layout.block[parts.cell_group]] = values
    # only clusters that were measured change places, so that groups keep their sizes
    measured, of_column = np.unique(np.isfinite(table).any(axis=1), axis=1, return_inverse=True)
    p = np.full(pairs.both.shape, np.nan)
    for number, use in enumerate(measured.T):
        columns = np.flatnonzero(of_column.ravel() == number)
        some = _Pairs(pairs.codes, pairs.both[:, columns])
        shuffle = _Shuffle(table[use][:, :, columns], group_of, len(layout.names))
        observed = shuffle.statistic(label[use][None], some)[:, 0]
        rng = stream(seed, "permutation", *(names[v] for v in ordered))
        exceed = np.zeros_like(observed)
        for rows in chunks(draws, max(int(use.sum()), observed.size)):
            labels = np.tile(label[use], (rows.stop - rows.start, 1))
            drawn = shuffle.statistic(rng.permuted(labels, axis=1), some)
            exceed += _exceedances(drawn, observed)
        p[:, columns] = (1 + exceed) / (draws + 1)
    return p


class _Shuffle:
    """Pair statistics of ``table[n, S, J]`` (S blocks) under any labelling of its n clusters."""

    def __init__(self, table: Floats, group_of: Codes, n_groups: int) -> None:
        here = np.isfinite(table)
        count = np.maximum(here.sum(axis=0), 1)
        shifted = table - np.where(here, table, 0.0).sum(axis=0) / count
        self.scale = _scale(table, shifted)
        shifted = np.where(here, shifted, 0.0)
        stacked = np.stack([shifted, shifted**2, here.astype(np.float64)], axis=1)
        self.shape = stacked.shape[1:]
        self.stacked = stacked.reshape(len(table), -1)
        self.group_of, self.n_groups = group_of, n_groups

    def statistic(self, labels: NDArray[np.int8], pairs: _Pairs) -> Floats:
        """``[P, b, J]`` for ``[b, n]`` labels."""
        mean = np.full((self.n_groups, len(labels), self.shape[-1]), np.nan)
        variance = mean.copy()
        for level, groups in enumerate(self.group_of):
            sums = (labels == level).astype(np.float64) @ self.stacked
            total, squares, n = np.moveaxis(sums.reshape(-1, *self.shape), 1, 0)
            with np.errstate(invalid="ignore", divide="ignore"):
                centre = total / n
                spread = np.maximum(squares / n - centre**2, 0.0) / np.where(n > 1, n - 1, np.nan)
            here = groups >= 0
            mean[groups[here]] = np.moveaxis(centre, 1, 0)[here]
            variance[groups[here]] = np.moveaxis(spread, 1, 0)[here]
        difference = mean[pairs.first] - mean[pairs.second]
        return pairs.statistic(
            difference, variance[pairs.first] + variance[pairs.second], self.scale
        )


def _crossed(
    parts: Partition, layout: Layout, values: Floats, pairs: _Pairs, *, seed: int, draws: int
) -> Floats:
    """Flip the sign of each cluster's deviations from the common mean of their block."""
    k, j = len(layout.names), values.shape[1]
    finite = np.isfinite(values)
    n, total = np.zeros((k, j)), np.zeros((k, j))
    np.add.at(n, parts.cell_group, finite.astype(np.float64))
    np.add.at(total, parts.cell_group, np.where(finite, values, 0.0))
    mean, shifted = total / np.maximum(n, 1), values.copy()
    for block in range(layout.n_blocks):
        use = (n > 0) & (layout.block == block)[:, None]
        common = np.where(use, mean, 0.0).sum(axis=0) / np.maximum(use.sum(axis=0), 1)
        shifted[layout.block[parts.cell_group] == block] -= common
    scale = _scale(values, shifted)
    influence = shifted / np.maximum(n, 1)[parts.cell_group]
    flips = [_Flip(stratum.take(influence), stratum.groups, k, pairs) for stratum in parts.strata]
    observed = _flipped(flips, [np.ones((1, flip.n)) for flip in flips], pairs, scale)[:, 0]
    generators = [stream(seed, "signs", *stratum.key) for stratum in parts.strata]
    exceed = np.zeros_like(observed)
    for rows in chunks(draws, max(parts.n_clusters, observed.size)):
        size = rows.stop - rows.start
        signs = [
            random_signs(rng, rows=size, n=flip.n)
            for rng, flip in zip(generators, flips, strict=True)
        ]
        exceed += _exceedances(_flipped(flips, signs, pairs, scale), observed)
    p: Floats = (1 + exceed) / (draws + 1)
    return p


class _Flip:
    """What one stratum adds to every pair's difference and variance under sign flips."""

    def __init__(self, influence: Floats, groups: Codes, n_groups: int, pairs: _Pairs) -> None:
        self.n, self.groups, self.n_groups = len(influence), groups, n_groups
        whole = np.full((self.n, n_groups, influence.shape[2]), np.nan)
        whole[:, groups] = influence
        measured = np.isfinite(whole)
        whole = np.where(measured, whole, 0.0)
        self.flat = whole[:, groups].reshape(self.n, -1)
        first, second = pairs.first, pairs.second
        self.squares = np.stack(
            [((whole[:, g] - whole[:, h]) ** 2).sum(axis=0) for g, h in pairs.codes]
        )
        self.count = (measured[:, first] | measured[:, second]).sum(axis=0).astype(np.float64)

    def difference(self, signs: Floats, pairs: _Pairs) -> Floats:
        """``[P, b, J]`` contribution to the differences for ``[b, n]`` signs."""
        sums = (signs @ self.flat).reshape(len(signs), len(self.groups), -1)
        whole = np.zeros((self.n_groups, len(signs), sums.shape[2]))
        whole[self.groups] = np.moveaxis(sums, 1, 0)
        moved: Floats = whole[pairs.first] - whole[pairs.second]
        return moved

    def variance(self, difference: Floats) -> Floats:
        """``[P, b, J]`` variance of that contribution; flipping leaves the squares alone."""
        n = self.count[:, None]
        several = n >= 2
        centred = self.squares[:, None] - np.where(several, difference**2 / np.maximum(n, 1), 0.0)
        scaled: Floats = centred * np.where(several, n / np.maximum(n - 1, 1), 1.0)
        return scaled


def _flipped(flips: list[_Flip], signs: list[Floats], pairs: _Pairs, scale: Floats) -> Floats:
    """``[P, b, J]`` statistics for one sign vector per stratum."""
    difference = variance = np.zeros(())
    for flip, sign in zip(flips, signs, strict=True):
        part = flip.difference(sign, pairs)
        difference, variance = difference + part, variance + flip.variance(part)
    return pairs.statistic(difference, np.maximum(variance, 0.0), scale)
