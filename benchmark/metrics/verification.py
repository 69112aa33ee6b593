"""Thresholds and rates of face verification, from cosine scores; knows no images.

A comparison is accepted if its score is at least tau. The threshold comes from impostor
comparisons of *clean* images, pooled, at the smallest false accept rate that their number can
resolve: at least 30 false accepts must be expected (metrics specification, section 5.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: False accept rates that are tried, the most demanding first.
RATES = (1e-3, 1e-2, 1e-1)
MIN_FALSE_ACCEPTS = 30

Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Threshold:
    """An operating point.

    Attributes:
        tau: accept from this score on; NaN if no rate is resolvable.
        rate: the false accept rate it was set for; NaN likewise.
        realised: share of the clean impostor comparisons that it accepts, at most ``rate``.
        impostors: number of clean impostor comparisons.
    """

    tau: float
    rate: float
    realised: float
    impostors: int


def threshold(impostors: Scores) -> Threshold:
    """The operating point at the smallest resolvable false accept rate.

    The lowest threshold that accepts at most ``floor(rate * n)`` of the n comparisons; tied
    scores are accepted together or not at all.

    Args:
        impostors: ``[n]`` clean impostor scores.
    """
    scores = np.sort(np.asarray(impostors, dtype=np.float64))[::-1]
    count = len(scores)
    for rate in RATES:
        # 1e-9: 0.1 * 300 must count as 30
        if rate * count + 1e-9 >= MIN_FALSE_ACCEPTS:
            allowed = math.floor(rate * count + 1e-9)
            tau = float(np.nextafter(scores[allowed], np.inf))
            return Threshold(tau, rate, float((scores >= tau).mean()), count)
    return Threshold(math.nan, math.nan, math.nan, count)


def best(scores: Scores, mask: Mask) -> Scores:
    """The largest score of each row among those marked; NaN where none is marked.

    Args:
        scores: ``[N, G]``; a row of NaN stays NaN.
        mask: ``[N, G]``.
    """
    if scores.shape[1] == 0:
        return np.full(len(scores), np.nan)
    largest = np.where(mask, scores, -np.inf).max(1)
    return np.where(mask.any(1) & np.isfinite(scores).any(1), largest, np.nan)


def accepted(scores: Scores, tau: float) -> Scores:
    """1 where a score reaches tau, 0 where not, NaN where either is unknown."""
    known = np.isfinite(scores) & np.isfinite(tau)
    return np.where(known, scores >= tau, np.nan).astype(np.float64)


def false_matches(scores: Scores, impostor: Mask, tau: float) -> Scores:
    """Share of each row's impostor comparisons that reach tau, ``[N]``; NaN where unknown."""
    count = impostor.sum(1)
    known = (count > 0) & np.isfinite(scores).any(1) & np.isfinite(tau)
    hits = ((scores >= tau) & impostor).sum(1)
    return np.where(known, hits / np.maximum(count, 1), np.nan)


def comparisons(
    clusters: NDArray[np.object_],
    gallery: NDArray[np.object_],
    cohorts: NDArray[np.object_] | None = None,
    gallery_cohorts: NDArray[np.object_] | None = None,
) -> tuple[Mask, Mask]:
    """Which gallery images are a sample's own, and which are its impostors.

    A sample is compared inside its cohort only, and with the same number of impostors in every
    cohort: the chance that some impostor is nearer grows with their number, so rates from
    galleries of different size could not be compared. Impostors beyond that number are left out,
    starting from the end of the gallery.

    Args:
        clusters: ``[N]`` identity of every sample.
        gallery: ``[G]`` identity of every gallery image.
        cohorts: ``[N]``, and ``gallery_cohorts`` ``[G]``; one cohort if None.

    Returns:
        Two masks ``[N, G]``: own, impostor.
    """
    own = clusters[:, None] == gallery[None, :]
    comparable = np.ones(own.shape, dtype=np.bool_)
    if cohorts is not None and gallery_cohorts is not None:
        comparable = cohorts[:, None] == gallery_cohorts[None, :]
    impostor = comparable & ~own
    counts = impostor.sum(1)
    limit = counts[counts > 0].min(initial=impostor.shape[1])
    return comparable & own, impostor & (np.cumsum(impostor, axis=1) <= limit)
