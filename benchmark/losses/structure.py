"""Structure: edges at several scales, and ridges and blobs through the Hessian."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.imaging.colour import luminance
from benchmark.imaging.filters import hessian_eigenvalues, sobel
from benchmark.losses.base import Features, LossTerm, weighed

_BLOCKS = (1, 2, 4)
#: (sigma in px, stride): from 2 px on the response is smooth enough to look at every second pixel.
_SCALES = ((1.0, 1), (2.0, 2), (3.0, 2))


class Structure(LossTerm):
    """Multi-scale Sobel L1 plus Hessian-eigenvalue L1 on luminance (methods, section 6.1).

    Each of the six parts is a mean over its pixels and components; the parts are added.
    """

    family = "str"
    instrument = "sobel+hessian"

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """Derivatives ``sobel{block}`` and eigenvalues ``hessian{sigma}``, two channels each."""
        return {name: response.detach() for name, response in _responses(references).items()}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``, at least 0."""
        parts = [
            weighed((response - features[name]).abs(), weight).mean((1, 2, 3))
            for name, response in _responses(outputs).items()
        ]
        return torch.stack(parts).sum(0)


def _responses(images: Tensor) -> dict[str, Tensor]:
    gray = luminance(images)
    edges = {f"sobel{block}": sobel(gray, block=block) for block in _BLOCKS}
    ridges = {
        f"hessian{sigma:.0f}": hessian_eigenvalues(gray, sigma=sigma, stride=stride)
        for sigma, stride in _SCALES
    }
    return edges | ridges
