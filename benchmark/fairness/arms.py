"""Paired data of two arms of one system: the same seeds, the same samples, the same cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.fairness.cells import Codes, Partition, cell_means
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Study


@dataclass(frozen=True)
class Paired:
    """Cell sums of both arms over the pairs in which both were measured.

    Attributes:
        seeds: ``R`` seeds that both arms were trained with, sorted.
        arm, baseline: ``[M, R, J]`` sums.
        counts: ``[M, R, J]`` pairs.
        share: ``[J]`` measured pairs over expected pairs.
    """

    seeds: tuple[int, ...]
    arm: Floats
    baseline: Floats
    counts: Floats
    share: Floats

    @property
    def n_seeds(self) -> int:
        """Number R of paired training runs."""
        return len(self.seeds)

    def pooled(self) -> tuple[Floats, Floats]:
        """``[M, J]`` cell means of both arms over all seeds."""
        counts = self.counts.sum(axis=1)
        return cell_means(self.arm.sum(axis=1), counts), cell_means(
            self.baseline.sum(axis=1), counts
        )

    def without_each(self) -> tuple[Floats, Floats]:
        """``[M, R * J]`` cell means of both arms with one seed left out at a time."""
        counts = self.counts.sum(axis=1, keepdims=True) - self.counts
        flat = (len(counts), -1)
        arm, baseline = (
            cell_means(sums.sum(axis=1, keepdims=True) - sums, counts).reshape(flat)
            for sums in (self.arm, self.baseline)
        )
        return arm, baseline


def paired(
    data: Study, parts: Partition, *, system: str, arm: str, baseline: str, metrics: list[int]
) -> Paired:
    """Pair the rows of two arms by seed and sample and sum them into cells.

    A value that is missing in one arm drops out of both: the effect is never that of losing the
    hard cases. ``share`` says how much was left.
    """
    one, two, seed = _pairs(data, system, arm, baseline)
    seeds = np.unique(seed)
    r, cells = len(seeds), parts.n_cells
    cell = parts.cell_of_row[one]
    at = cell * max(r, 1) + np.searchsorted(seeds, seed)
    sums: list[tuple[Floats, Floats, Floats]] = []
    share = []
    for metric in metrics:
        a, b = data.values[one, metric], data.values[two, metric]
        both = np.isfinite(a) & np.isfinite(b)
        share.append(both.mean() if len(both) else 0.0)
        use = both & (cell >= 0)
        sums.append(
            (
                _summed(at[use], a[use], (cells, r)),
                _summed(at[use], b[use], (cells, r)),
                _summed(at[use], np.ones(use.sum()), (cells, r)),
            )
        )
    arms, baselines, counts = (np.stack(part, axis=2) for part in zip(*sums, strict=True))
    return Paired(tuple(int(s) for s in seeds), arms, baselines, counts, np.array(share))


def _summed(at: Codes, values: Floats, shape: tuple[int, int]) -> Floats:
    size = shape[0] * shape[1]
    sums = np.bincount(at, weights=values, minlength=size)
    return sums.reshape(shape).astype(np.float64)


def _pairs(data: Study, system: str, arm: str, baseline: str) -> tuple[Codes, Codes, Codes]:
    """Row numbers of both arms, matched, and their seeds."""
    frame = data.frame[["seed", "sample"]].assign(row=np.arange(len(data.frame)))
    both = []
    for name in (arm, baseline):
        known = (system, name) in data.variants
        code = data.variants.index((system, name)) if known else -1
        both.append(frame[data.variant == code])
    merged = pd.merge(both[0], both[1], on=["seed", "sample"], how="inner", sort=False)
    merged = merged.sort_values("row_x", kind="stable")
    row_x, row_y, seed = (merged[c].to_numpy(dtype=np.int64) for c in ("row_x", "row_y", "seed"))
    return row_x, row_y, seed
