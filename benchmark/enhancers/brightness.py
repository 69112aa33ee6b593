"""The matched-brightness control: what a recogniser gains from brightness alone."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from benchmark.enhancers.base import Enhancer
from benchmark.imaging.brightness import match_luminance, mean_luminance


class MatchedBrightness(Enhancer):
    """A gamma per image, chosen so that its mean luminance is that of the clean reference.

    "Helps" may be "brighter": whatever a system gains beyond this row is not brightness. It is
    told the right brightness, which no system is, and can do nothing else.
    """

    needs_reference: ClassVar[bool] = True

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """``images ** g``, with g solved image by image.

        Raises:
            ValueError: if there are no references.
        """
        if references is None:
            raise ValueError("the matched-brightness control needs the references")
        return match_luminance(images, mean_luminance(references))
