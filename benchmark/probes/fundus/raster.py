"""Drawing vessels: the path of light through cylinders of blood, one value per pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def chords(start: Floats, end: Floats, radius: Floats, *, size: int) -> NDArray[np.float32]:
    """Longest way through any of the given capsules, straight down, at every pixel's middle.

    A capsule is a cylinder with round ends; the chord at distance d from its axis is
    2 sqrt(r^2 - d^2). A dot is a capsule without length.

    Args:
        start: ``[M, 2]`` (x, y) in pixels, pixel middles at whole numbers.
        end: ``[M, 2]``.
        radius: ``[M]`` pixels.
        size: side of the picture.

    Returns:
        ``[size, size]`` pixels, 0 where there is nothing.
    """
    flat = np.zeros(size * size, np.float32)
    # capsules of about one extent share the size of their window
    extent = np.abs(end - start).max(1) / 2 + radius
    octave = np.ceil(np.log2(np.maximum(extent, 1)) * 2).astype(int)
    for step in np.unique(octave):
        some = octave == step
        reach = int(np.ceil(2 ** (step / 2))) + 1
        pixel, chord = _windows(start[some], end[some], radius[some], reach, size)
        np.maximum.at(flat, pixel, chord)
    return flat.reshape(size, size)


def _windows(
    start: Floats, end: Floats, radius: Floats, reach: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Flat pixel numbers and chords of the pixels inside capsules."""
    corner = np.round((start + end) / 2).astype(int)
    window = np.arange(-reach, reach + 1)
    near = ((corner > -reach) & (corner < size + reach)).all(1)
    start, end, radius, corner = start[near], end[near], radius[near], corner[near]
    x, y = corner[:, 0, None] + window, corner[:, 1, None] + window
    along = end - start
    length2 = np.maximum((along**2).sum(1), 1e-12)[:, None, None]
    dx = (x - start[:, 0, None])[:, None, :]
    dy = (y - start[:, 1, None])[:, :, None]
    ax, ay = along[:, 0, None, None], along[:, 1, None, None]
    share = np.clip((dx * ax + dy * ay) / length2, 0, 1)
    square = radius[:, None, None] ** 2 - (dx - share * ax) ** 2 - (dy - share * ay) ** 2
    hit = square > 0
    hit &= ((x >= 0) & (x < size))[:, None, :] & ((y >= 0) & (y < size))[:, :, None]
    which, row, column = np.nonzero(hit)
    chord = 2 * np.sqrt(square[hit])
    return y[which, row] * size + x[which, column], chord.astype(np.float32)
