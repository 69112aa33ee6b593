"""Identity: does a face embedder still see the same person?"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.imaging.alignment import crop, similarity, template
from benchmark.losses.base import Features, Instruments, LossTerm


class Identity(LossTerm):
    """1 - cos between the embeddings of output and reference.

    Both sides are cropped by the landmarks of the reference (methods, section 6.2). Where a sample
    is no face the central square goes through the same embedder: the term then asks that an
    arbitrary feature vector be kept. It must exist in every context, or the matched control would
    nearly coincide with CALS (section 0.5).
    """

    family = "id"
    instrument = "equilux-embedder"

    def __init__(self, embedder: nn.Module) -> None:
        super().__init__()
        self.embedder = embedder.eval().requires_grad_(False)
        self.size = int(getattr(embedder, "crop_size"))  # noqa: B009 - Module types it as Tensor
        self.zoom = float(getattr(embedder, "crop_zoom", 1.0))

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with the embedder that ``instruments`` provides."""
        return cls(instruments.embedder())

    def train(self, mode: bool = True) -> Self:
        """The embedder is frozen: training mode never reaches it."""
        del mode
        return super().train(False)

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """``matrix`` ``[B, 2, 3]`` from image to crop, ``embedding`` ``[B, D]``."""
        matrix = self._matrices(references, landmarks)
        with torch.no_grad():
            return {"matrix": matrix, "embedding": self._embed(references, matrix)}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]`` in [0, 2]."""
        distance = 1 - (self._embed(outputs, features["matrix"]) * features["embedding"]).sum(1)
        if weight is not None:
            # the weight of what the crop shows
            grown = functional.interpolate(weight, size=outputs.shape[-2:], mode="nearest")
            distance = distance * crop(grown, features["matrix"], self.size).mean((1, 2, 3))
        return distance

    def _embed(self, images: Tensor, matrix: Tensor) -> Tensor:
        embedding: Tensor = self.embedder(crop(images, matrix, self.size))
        return embedding

    def _matrices(self, references: Tensor, landmarks: Tensor | None) -> Tensor:
        height, width = references.shape[-2:]
        scale = self.size / min(height, width)
        # pixel centres: the centre of the image goes to the centre of the crop
        shift_x, shift_y = ((self.size - scale * n) / 2 + (scale - 1) / 2 for n in (width, height))
        centre = references.new_tensor([[scale, 0.0, shift_x], [0.0, scale, shift_y]])
        centre = centre.expand(len(references), 2, 3)
        if landmarks is None:
            return centre.clone()
        points = landmarks.to(references)
        face = points.isfinite().all(-1).all(-1)
        # a finite stand-in, because NaN in an unused branch is still NaN after arithmetic
        target = template(self.size, zoom=self.zoom)
        points = torch.where(face[:, None, None], points, target.to(points))
        return torch.where(face[:, None, None], similarity(points, target), centre)
