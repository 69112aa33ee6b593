"""Agreement of two binary masks: by area, by centreline and by outline."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from benchmark.imaging.masks import Masks, areas, outlines
from benchmark.metrics.base import Column


def dice(found: Masks, truth: Masks) -> Column:
    """Dice coefficient 2 |F and T| / (|F| + |T|) of ``[B, H, W]``.

    Returns:
        ``[B]`` in [0, 1]; 1 where both are empty, 0 where one is.
    """
    return _ratio(2 * areas(found & truth), areas(found) + areas(truth), empty=1.0)


def cldice(found: Masks, truth: Masks, found_lines: Masks, truth_lines: Masks) -> Column:
    """Centreline Dice (Shit et al. 2021): harmonic mean of the shares of each centreline that
    lies inside the other mask.

    Args:
        found: ``[B, H, W]``.
        truth: the same shape.
        found_lines: :func:`skeletons` of ``found``.
        truth_lines: of ``truth``.

    Returns:
        ``[B]`` in [0, 1]; 1 where both are empty, 0 where one is.
    """
    precision = _ratio(areas(found_lines & truth), areas(found_lines))
    sensitivity = _ratio(areas(truth_lines & found), areas(truth_lines))
    empty = ~found.any((1, 2)) & ~truth.any((1, 2))
    score = _ratio(2 * precision * sensitivity, precision + sensitivity)
    result: Column = np.where(empty, 1.0, score)
    return result


def hd95(found: Masks, truth: Masks) -> Column:
    """The larger of the two 95th percentiles of distances from one outline to the other.

    Percentiles are interpolated linearly, so a share of 5 % of each outline may be anywhere.

    Returns:
        ``[B]`` in pixels; 0 where both are empty, the image's diagonal where one is.
    """
    distances = np.zeros(len(found))
    diagonal = float(np.hypot(*found.shape[1:]))
    pairs = zip(outlines(found), outlines(truth), strict=True)
    for image, outline in enumerate(pairs):
        first, second = (np.argwhere(line) for line in outline)
        if len(first) and len(second):
            there = KDTree(second).query(first)[0]
            back = KDTree(first).query(second)[0]
            distances[image] = max(np.percentile(there, 95), np.percentile(back, 95))
        elif len(first) or len(second):
            distances[image] = diagonal
    return distances


def _ratio(part: Column, whole: Column, *, empty: float = 0.0) -> Column:
    ratio: Column = np.divide(part, whole, out=np.full(len(part), empty), where=whole > 0)
    return ratio
