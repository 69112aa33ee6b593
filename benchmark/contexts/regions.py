"""Where in a picture which context is: maps q(c|x, u) for region-level scheduling (arm A8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmark.contexts.base import CONTEXTS

#: Region maps have one cell for so many pixels a side.
STRIDE = 4
#: Soft edges, in pixels (methods, section 1.3).
_SOFTNESS = 4.0
#: Cells that belong to no region in particular.
NOWHERE = -1

#: A face as an ellipse around its five landmarks, in units of the distance between the eyes.
_HALF_WIDTH, _HALF_HEIGHT, _DOWN = 1.15, 1.55, 0.1

Regions = NDArray[np.int8]


def face_regions(landmarks: NDArray[np.float32], size: int) -> Regions:
    """Cells inside an upright ellipse around every face.

    Args:
        landmarks: ``[N, 5, 2]`` pixels (``imaging.alignment``), NaN where there is no face.
        size: side of the pictures in pixels.

    Returns:
        ``[N, size // 4, size // 4]``, the context "face" or :data:`NOWHERE`.
    """
    cells = size // STRIDE
    at = (np.arange(cells) + 0.5) * STRIDE - 0.5
    known = np.atleast_1d(np.isfinite(landmarks).all((1, 2)))
    points = np.where(known[:, None, None], landmarks, 0.0)
    eyes = np.maximum(np.linalg.norm(points[:, 1] - points[:, 0], axis=1), 1e-6)
    centre = points.mean(1)
    centre[:, 1] += _DOWN * eyes
    x = (at[None, None, :] - centre[:, 0, None, None]) / (_HALF_WIDTH * eyes)[:, None, None]
    y = (at[None, :, None] - centre[:, 1, None, None]) / (_HALF_HEIGHT * eyes)[:, None, None]
    inside = (x**2 + y**2 <= 1) & known[:, None, None]
    return np.where(inside, CONTEXTS.index("face"), NOWHERE).astype(np.int8)


def mask_regions(mask: NDArray[np.bool_], context: str) -> Regions:
    """Cells that lie mostly inside ``mask`` ``[N, H, W]``, as regions of one context."""
    count, height, width = mask.shape
    rows, columns = height // STRIDE, width // STRIDE
    cut = mask[:, : rows * STRIDE, : columns * STRIDE]
    share = cut.reshape(count, rows, STRIDE, columns, STRIDE).mean((2, 4))
    return np.where(share > 0.5, CONTEXTS.index(context), NOWHERE).astype(np.int8)


def context_maps(vectors: NDArray[np.float64], regions: Regions) -> NDArray[np.float64]:
    """q(c|x, u): the picture's own vector, overwritten inside regions, with soft edges.

    Args:
        vectors: ``[B, K]`` context vectors of the pictures.
        regions: ``[B, h, w]`` context of every cell, or :data:`NOWHERE`.

    Returns:
        ``[B, h, w, K]``, at least 0, of sum 1 over the contexts.
    """
    hard = np.where(
        (regions == NOWHERE)[..., None],
        vectors[:, None, None, :],
        np.eye(len(CONTEXTS))[np.maximum(regions, 0)],
    )
    sigma = _SOFTNESS / STRIDE
    soft = gaussian_filter(hard, (0, sigma, sigma, 0), mode="nearest")
    result: NDArray[np.float64] = soft / soft.sum(-1, keepdims=True)
    return result
