"""Colour: the chroma plane, apart from lightness."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from benchmark.imaging.colour import to_lab
from benchmark.losses.base import Features, LossTerm, weighed


class Chroma(LossTerm):
    """L1 distance of CIE a* and b*, divided by 128, on images averaged over 2 x 2 pixels.

    Colour is a property of surfaces: at half resolution sensor noise weighs less in it, and it
    costs a quarter.
    """

    family = "col"
    instrument = "lab"

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """Chroma of the references, ``[B, 2, H // 2, W // 2]``."""
        return {"chroma": _chroma(references).detach()}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``, 0 to about 2."""
        difference = (_chroma(outputs) - features["chroma"]).abs()
        return weighed(difference, weight).mean((1, 2, 3)) / 128


def _chroma(images: Tensor) -> Tensor:
    return to_lab(functional.avg_pool2d(images, 2))[:, 1:]
