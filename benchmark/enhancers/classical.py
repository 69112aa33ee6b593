"""Systems without parameters to learn: identity, gamma, CLAHE and the oracle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import exposure
from torch import Tensor

from benchmark.enhancers.base import Enhancer


class Identity(Enhancer):
    """The degraded image untouched: what every other system has to beat."""

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """``images``, unchanged."""
        return images


class Oracle(Enhancer):
    """The clean reference; whatever gap it shows belongs to the judge, not to a system."""

    needs_reference: ClassVar[bool] = True

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """``references``, unchanged.

        Raises:
            ValueError: if there are none.
        """
        if references is None:
            raise ValueError("the oracle needs the references")
        return references


class Gamma(Enhancer):
    """A power of the encoded values, the same for every image.

    Args:
        gamma: exponent is ``1 / gamma``; above 1 it brightens.
    """

    def __init__(self, gamma: float = 2.2) -> None:
        self.gamma = gamma

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """``images ** (1 / gamma)``."""
        return images ** (1 / self.gamma)


class Clahe(Enhancer):
    """Contrast-limited adaptive histogram equalisation of the HSV value, by scikit-image.

    Tiles of an eighth of the image, 256 bins. Scikit-image also stretches the value to the full
    range before and after; a constant value has no contrast to stretch and is returned as it is
    (the library alone would make it white). Hue and saturation are kept.

    Args:
        clip_limit: share of a tile's pixels that one bin may hold, in (0, 1].
    """

    def __init__(self, clip_limit: float = 0.01) -> None:
        self.clip_limit = clip_limit

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """Equalise every image on its own; computed on the CPU."""
        value = images.amax(1)
        before = value.cpu().numpy()
        after = np.stack([self._equalise(plane) for plane in before])
        target = torch.from_numpy(after).to(images).unsqueeze(1)
        value = value.unsqueeze(1)
        # a black pixel has no hue: it becomes a grey of the new value
        return torch.where(value > 0, images * (target / value.clamp(min=1e-6)), target)

    def _equalise(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        if plane.min() == plane.max():
            return plane
        equalised = exposure.equalize_adapthist(plane, clip_limit=self.clip_limit)
        return np.asarray(equalised, dtype=np.float32)
