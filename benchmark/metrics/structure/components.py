"""Which of the found structures are invented, and which of the true ones are lost.

Found and true components that overlap, directly or through one another, are judged as one region:
exudates that lie close together may be found as one blob, and one haemorrhage as two, without an
error. Such a region is *real* if the intersection of found and true pixels in it is at least a
tenth of their union; a sheet that covers a tenth of the retina and some lesions by chance is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.imaging.masks import Masks, areas, count_components, named_components, widened
from benchmark.metrics.base import Column

#: A region below this intersection over union is no agreement (specification 5.5).
MIN_IOU = 0.1


@dataclass(frozen=True)
class Matching:
    """Components of a batch.

    Attributes:
        invented: ``[B]`` found components with nothing true behind them.
        lost: ``[B]`` true components that were not found.
        true: ``[B]`` true components.
    """

    invented: Column
    lost: Column
    true: Column

    def __add__(self, other: Matching) -> Matching:
        """Both kinds of component together."""
        return Matching(
            self.invented + other.invented, self.lost + other.lost, self.true + other.true
        )


def match(found: Masks, truth: Masks, *, min_area: int) -> Matching:
    """Compare found with true components, 8-connected.

    Args:
        found: ``[B, H, W]``.
        truth: the same shape.
        min_area: found components below so many pixels are no inventions; a true component counts
            whatever its size, and any pixels may find it.
    """
    regions, count = named_components(found | truth)
    common = np.bincount(regions[found & truth], minlength=count + 1)
    total = np.bincount(regions.ravel(), minlength=count + 1)
    real = common / np.maximum(total, 1) >= MIN_IOU
    return Matching(
        invented=count_components(found, min_area=min_area, without=truth & real[regions]),
        lost=count_components(truth, without=found & real[regions]),
        true=count_components(truth),
    )


@dataclass(frozen=True)
class Lengths:
    """Centrelines of a batch compared: pixels of centreline, ``[B]`` each.

    Attributes:
        false: of what was found, away from everything true.
        missed: of what is true, away from everything found.
        true: of what is true.
    """

    false: Column
    missed: Column
    true: Column


def compare_lines(
    found: Masks, truth: Masks, found_lines: Masks, truth_lines: Masks, *, tolerance: int
) -> Lengths:
    """Lengths of centrelines that have nothing of the other mask within ``tolerance`` pixels.

    Args:
        found: ``[B, H, W]``.
        truth: the same shape.
        found_lines: skeletons of ``found``.
        truth_lines: skeletons of ``truth``.
        tolerance: steps to one of the 8 neighbours; 0 counts pixels outside the mask.
    """
    near_truth, near_found = (widened(mask, tolerance) for mask in (truth, found))
    return Lengths(
        areas(found_lines & ~near_truth), areas(truth_lines & ~near_found), areas(truth_lines)
    )
