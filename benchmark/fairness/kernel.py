"""Kernel Inception Distance: unbiased squared MMD with a cubic kernel (Binkowski et al. 2018).

``k(x, y) = (x.y / d + 1)^3``. Two estimators:

* :func:`kid` is the textbook one for two independent samples: U-statistics within, mean across.
* Outputs and references of a benchmark are not independent: an output shows the same scene as its
  reference, and a person is seen in several views. The mean across then holds pairs that are alike
  by construction, and a system that returns every reference untouched gets a *negative* distance of
  order 1/n. :class:`PairedKid` therefore compares different clusters only, with
  ``h(i, j) = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(y_i, x_j)``: unbiased whatever goes on
  within a cluster, and exactly 0 for identical sets.

Unlike the Frechet distance neither depends on the size of the sample in expectation, so groups of
unequal size can be compared; both can be negative where there is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.fairness.cells import Codes
from benchmark.fairness.resampling import Floats

_ROUNDING = 1e-12


def cubic(x: Floats, y: Floats) -> Floats:
    """``[n, m]`` kernel of features ``[n, d]`` and ``[m, d]``, double precision."""
    product = np.asarray(x, np.float64) @ np.asarray(y, np.float64).T
    product /= x.shape[1]
    product += 1
    result: Floats = product * product * product
    return result


def kid(x: Floats, y: Floats) -> float:
    """Unbiased squared MMD of two independent samples ``[n, d]`` and ``[m, d]``.

    NaN with fewer than two rows on either side.
    """
    n, m = len(x), len(y)
    if min(n, m) < 2:
        return float("nan")
    xx, yy = cubic(x, x), cubic(y, y)
    within_x = (xx.sum() - np.trace(xx)) / (n * (n - 1))
    within_y = (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within_x + within_y - 2 * cubic(x, y).mean())


@dataclass(frozen=True)
class PairedKid:
    """Sums of h over pairs of clusters; sums of several (seeds of an arm) add up.

    Attributes:
        h: ``[C, C]`` sum of h over the items of two clusters; the diagonal is 0.
        pairs: ``[C, C]`` number of pairs of items in it.
    """

    h: Floats
    pairs: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, cluster: Codes, n_clusters: int) -> PairedKid:
        """From paired features ``[n, d]`` and the cluster ``[n]`` of each pair."""
        across = cubic(x, y)
        h = cubic(x, x) + cubic(y, y) - across - across.T
        # identical sets are at distance 0, not at that of two orders of summation
        h[np.abs(h) <= _ROUNDING * np.abs(across).max(initial=0.0)] = 0.0
        member = np.zeros((n_clusters, len(x)))
        member[cluster, np.arange(len(x))] = 1.0
        size = member.sum(axis=1)
        total, pairs = member @ h @ member.T, np.outer(size, size)
        np.fill_diagonal(total, 0.0)
        np.fill_diagonal(pairs, 0.0)
        return cls(total, pairs)

    def __add__(self, other: PairedKid) -> PairedKid:
        return PairedKid(self.h + other.h, self.pairs + other.pairs)

    @property
    def value(self) -> float:
        """The estimate; NaN with fewer than two clusters."""
        pairs = self.pairs.sum()
        return float(self.h.sum() / pairs) if pairs > 0 else float("nan")

    def resample(self, counts: Floats) -> Floats:
        """Replicates ``[B]`` for ``counts[B, C]``, how often each cluster was drawn.

        A cluster drawn twice is not compared with its own copy, so a replicate has the expectation
        of the estimate; counting copies would add the distance of every cluster from itself.
        """
        total = ((counts @ self.h) * counts).sum(axis=1)
        pairs = ((counts @ self.pairs) * counts).sum(axis=1)
        out: Floats = np.divide(total, pairs, out=np.full_like(total, np.nan), where=pairs > 0)
        return out
