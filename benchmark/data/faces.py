"""Faces in photographs: where their landmarks are, and cutting the picture around them."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.pictures import Points, Size
from benchmark.imaging.alignment import crop, similarity, template


@dataclass(frozen=True)
class Aligned:
    """A picture turned, scaled and cut so that its landmarks lie on the face template.

    Attributes:
        source: width and height of the picture.
        matrix: ``[2, 3]``, pixels of the picture to pixels of the canvas.
        side: of the square canvas.
    """

    source: Size
    matrix: NDArray[np.float64]
    side: int

    def image(self, image: Image.Image) -> NDArray[np.uint8]:
        """See :class:`benchmark.data.pictures.Placement`; beyond the edge its pixels repeat."""
        return np.asarray(self._warped(image).round().clip(0, 255), np.uint8)

    def mask(self, mask: Image.Image) -> NDArray[np.bool_]:
        """See :class:`benchmark.data.pictures.Placement`."""
        return np.asarray(self._warped(mask.convert("RGB"))[..., 0] >= 127.5)

    def points(self, points: Points) -> Points:
        """See :class:`benchmark.data.pictures.Placement`."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def inside(self, window: tuple[float, float, float, float] | None = None) -> NDArray[np.bool_]:
        """See :class:`benchmark.data.pictures.Placement`."""
        x0, y0, x1, y1 = window or (0, 0, *self.source)
        steps = np.arange(self.side)
        grid = np.stack(np.meshgrid(steps, steps, indexing="xy"), -1) - self.matrix[:, 2]
        x, y = np.moveaxis(grid @ np.linalg.inv(self.matrix[:, :2]).T + 0.5, -1, 0)
        within = (x > max(x0, 0)) & (x < min(x1, self.source[0]))
        return np.asarray(within & (y > max(y0, 0)) & (y < min(y1, self.source[1])))

    def _warped(self, image: Image.Image) -> NDArray[np.float32]:
        """Shrink with antialiasing to about the final scale, then resample bilinearly."""
        scale = min(1.0, hypot(*self.matrix[:, 0]) * self.source[0] / image.width)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        small = image.resize(size, Image.Resampling.LANCZOS) if scale < 1 else image
        # pixel centres of the small picture in those of the picture in full
        ratio = np.divide(self.source, small.size)
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ ((ratio - 1) / 2)
        matrix[:, :2] *= ratio
        pixels = torch.from_numpy(np.asarray(small, np.float32)).movedim(-1, 0)[None]
        cut = crop(pixels, torch.from_numpy(matrix).float()[None], self.side)
        return cut[0].movedim(0, -1).numpy()


def aligned(size: Size, landmarks: Points, *, side: int, zoom: float) -> Aligned:
    """The placement that takes five landmarks ``[5, 2]`` to the template of alignment."""
    points = torch.from_numpy(np.asarray(landmarks, np.float64))[None]
    matrix = similarity(points, template(side, zoom=zoom).double())[0]
    return Aligned(size, matrix.numpy(), side)
