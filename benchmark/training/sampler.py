"""Which samples every step sees: the same for all arms, contexts in equal numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import DataError

Labels = NDArray[np.int64]


def sample_order(labels: Labels, *, steps: int, batch: int, seed: int) -> Labels:
    """Sample numbers of every step, ``[steps, batch]``.

    Each context present gives the same number of samples to every batch and goes through all of
    its samples before any comes again; the permutation is keyed by (seed, context, epoch).

    Args:
        labels: ``[N]`` contexts.
        steps: number of batches.
        batch: samples a batch, a multiple of the number of contexts present.
        seed: of the run.

    Raises:
        DataError: without samples, or if the batch cannot be shared equally.
    """
    present = np.unique(labels)
    if not len(present) or batch % len(present):
        raise DataError(
            f"a batch of {batch} cannot be shared equally by {len(present)} contexts",
            where=f"{len(labels)} training samples",
            mend="choose a batch size that is a multiple of the number of contexts",
        )
    share = batch // len(present)
    columns = [
        _passes(np.flatnonzero(labels == context), steps * share, seed, int(context))
        for context in present
    ]
    return np.concatenate([column.reshape(steps, share) for column in columns], 1)


def _passes(members: Labels, needed: int, seed: int, context: int) -> Labels:
    epochs = -(-needed // len(members))
    passes = [
        np.random.default_rng([seed, context, epoch]).permutation(members)
        for epoch in range(epochs)
    ]
    return np.concatenate(passes)[:needed] if passes else members[:0]
