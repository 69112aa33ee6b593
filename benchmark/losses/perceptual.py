"""Perceptual distance: a model of early vision that needs no weights, and LPIPS by name."""

from __future__ import annotations

from typing import ClassVar, Self

from torch import Tensor, nn

from benchmark.imaging.colour import luminance
from benchmark.imaging.difference import band_distance
from benchmark.imaging.filters import normalised_laplacian_pyramid
from benchmark.losses.base import Features, Instruments, LossTerm, weighed, weighed_image


class PyramidDistance(LossTerm):
    """Normalised Laplacian pyramid distance (Laparra et al. 2016) on Rec. 709 luma.

    Root mean square of the difference within a level, then the mean over levels. Local contrast
    is divided out, so a dark region counts as much as a bright one.
    """

    family = "perc"
    instrument = "nlpd"

    def __init__(self, levels: int = 6) -> None:
        super().__init__()
        self.levels = levels

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """One ``band{level}``, ``[B, 1, h, w]``, per level."""
        return {f"band{i}": band.detach() for i, band in enumerate(self._bands(references))}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``; 1e-5 for identical images, whose root would have no gradient."""
        return band_distance(
            weighed(band - features[f"band{i}"], weight)
            for i, band in enumerate(self._bands(outputs))
        )

    def _bands(self, images: Tensor) -> list[Tensor]:
        return normalised_laplacian_pyramid(luminance(images), levels=self.levels)


class Lpips(LossTerm):
    """LPIPS (Zhang et al. 2018) through the trunk of the subclass.

    Its trunk must be on this machine; where it is not, building the term says how to get it.
    """

    family = "perc"
    trunk: ClassVar[str]

    def __init__(self, distance: nn.Module) -> None:
        super().__init__()
        self.distance = distance.eval().requires_grad_(False)

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with the trunk that ``instruments`` provides.

        Raises:
            WeightsError: where the trunk is absent.
        """
        return cls(instruments.perceptual(cls.trunk))

    def train(self, mode: bool = True) -> Self:
        """The trunk is frozen: training mode never reaches it."""
        del mode
        return super().train(False)

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """The references themselves: the package keeps its features to itself."""
        return {"reference": references.detach()}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``, at least 0."""
        distance: Tensor = self.distance(outputs * 2 - 1, features["reference"] * 2 - 1)
        return weighed_image(distance.flatten(1).mean(1), weight)


class LpipsSqueeze(Lpips):
    """LPIPS through SqueezeNet 1.1."""

    trunk = "squeeze"
    instrument = "lpips-squeeze"


class LpipsAlex(Lpips):
    """LPIPS through AlexNet."""

    trunk = "alex"
    instrument = "lpips-alex"


class LpipsVgg(Lpips):
    """LPIPS through VGG-16."""

    trunk = "vgg"
    instrument = "lpips-vgg"
