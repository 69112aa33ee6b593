"""Random draws that depend on a seed and on names, never on the order of rows or groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Random numbers drawn at a time: small enough for the cache, large enough for BLAS.
_DRAWS_PER_CHUNK = 1_000_000


def stream(seed: int, *names: str) -> np.random.Generator:
    """A Philox generator of its own for every seed and sequence of names."""
    digest = hashlib.blake2b(json.dumps([seed, *names]).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def chunks(total: int, width: int) -> Iterator[slice]:
    """Consecutive slices of ``range(total)``, each of about a million numbers ``width`` wide.

    The bounds depend on the arguments alone, so the draws made in them are reproducible.
    """
    rows = max(1, _DRAWS_PER_CHUNK // max(1, width))
    for start in range(0, total, rows):
        yield slice(start, min(start + rows, total))


def multinomial_counts(rng: np.random.Generator, *, rows: int, n: int) -> Floats:
    """How often each of ``n`` units is drawn in ``n`` draws with replacement.

    Counting uniform integers is exact and some ten times faster than ``rng.multinomial``.

    Returns:
        ``[rows, n]`` float64 whole numbers (ready for BLAS); every row sums to ``n``.
    """
    draws = rng.integers(0, n, size=(rows, n), dtype=np.int64)
    draws += np.arange(rows, dtype=np.int64)[:, None] * n
    counts = np.bincount(draws.ravel(), minlength=rows * n)
    return counts.reshape(rows, n).astype(np.float64)


def random_signs(rng: np.random.Generator, *, rows: int, n: int) -> Floats:
    """``[rows, n]`` of -1.0 and +1.0 with equal chance."""
    bits = rng.integers(0, 2, size=(rows, n), dtype=np.int8)
    return 2.0 * bits.astype(np.float64) - 1.0
