"""Binary masks in stacks ``[B, H, W]``: components, outlines and centrelines, image by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, label
from skimage.morphology import skeletonize

Masks = NDArray[np.bool_]
Counts = NDArray[np.float64]

_NONE = [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
# neighbourhoods within an image, none across the images of a stack
EIGHT = np.array([_NONE, [[1, 1, 1], [1, 1, 1], [1, 1, 1]], _NONE], dtype=bool)
FOUR = np.array([_NONE, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], _NONE], dtype=bool)


def areas(masks: Masks) -> Counts:
    """Number of pixels, ``[B]``."""
    count: Counts = masks.sum((1, 2), dtype=np.float64)
    return count


def named_components(masks: Masks) -> tuple[NDArray[np.int32], int]:
    """8-connected components of all images, numbered from 1; 0 is background. And how many."""
    names, count = label(masks, EIGHT)
    return names, int(count)


def count_components(masks: Masks, *, min_area: int = 1, without: Masks | None = None) -> Counts:
    """8-connected components per image, ``[B]``.

    Args:
        masks: ``[B, H, W]``.
        min_area: smallest component that counts, in pixels.
        without: the same shape; components with a pixel in here do not count.
    """
    names, count = named_components(masks)
    counted = np.bincount(names.ravel(), minlength=count + 1) >= min_area
    if without is not None:
        counted &= np.bincount(names[masks & without], minlength=count + 1) == 0
    counted[0] = False
    # components never cross images: the image of each is that of any of its pixels
    image = np.zeros(count + 1, dtype=np.int64)
    where = np.nonzero(names)
    image[names[where]] = where[0]
    return np.bincount(image[counted], minlength=len(masks)).astype(np.float64)


def without_small(masks: Masks, *, min_area: int) -> Masks:
    """``[B, H, W]`` without 8-connected components below ``min_area`` pixels."""
    names, count = named_components(masks)
    keep = np.bincount(names.ravel(), minlength=count + 1) >= min_area
    keep[0] = False
    kept: Masks = keep[names]
    return kept


def outlines(masks: Masks) -> Masks:
    """Pixels with a side on the background or on the edge of the image."""
    outer: Masks = masks & ~binary_erosion(masks, FOUR, border_value=0)
    return outer


def widened(masks: Masks, steps: int) -> Masks:
    """All pixels within ``steps`` steps to one of the 8 neighbours; 0 changes nothing."""
    if not steps or not len(masks):
        return masks
    wide: Masks = binary_dilation(masks, EIGHT, iterations=steps)
    return wide


def narrowed(masks: Masks, steps: int) -> Masks:
    """Pixels with nothing of the background within ``steps`` steps; the edge is no background."""
    if not steps or not len(masks):
        return masks
    thin: Masks = binary_erosion(masks, EIGHT, iterations=steps, border_value=1)
    return thin


def skeletons(masks: Masks) -> Masks:
    """Centrelines one pixel wide (Zhang & Suen 1984).

    A mask so small that thinning leaves nothing of it is its own skeleton.
    """
    lines = np.zeros_like(masks)
    for image, mask in enumerate(masks):
        if mask.any():
            thin: Masks = skeletonize(mask)  # type: ignore[no-untyped-call]
            lines[image] = thin if thin.any() else mask
    return lines
