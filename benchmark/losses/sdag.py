"""SDAG: an enhanced image should be one that a recogniser's first layers can redraw.

Zheng et al., "Learning Semantic Degradation-Aware Guidance for Recognition-Driven Unsupervised
Low-Light Image Enhancement", AAAI 2023. No reference is looked at, so the term plugs into
unsupervised training as well as into any other.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from torch import Tensor, nn

from benchmark.losses.base import Features, Instruments, LossTerm, weighed, weighed_image
from benchmark.losses.reconstruction import similarity

Source = Literal["published", "own"]


class Sdag(LossTerm):
    """1 - cos(R(y), y) over each image, R the reconstruction network.

    The paper's |y - R(y)|_1 shrinks with brightness by itself; a cosine does not. Even so both call
    a very dark input better than its enhanced version (docs/sdag.md has the numbers): the term
    belongs beside a loss that asks for light. Gradients flow through the image and through its
    reconstruction.
    """

    family = "rec"
    instrument = "sdag-reconstruction"
    #: Whose weights the reconstruction network has.
    source: ClassVar[Source] = "published"

    def __init__(self, reconstruction: nn.Module) -> None:
        super().__init__()
        self.reconstruction = reconstruction.eval().requires_grad_(False)

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with the reconstruction network that ``instruments`` provides.

        Raises:
            WeightsError: where its weights are absent.
        """
        return cls(instruments.reconstruction(cls.source))

    def train(self, mode: bool = True) -> Self:
        """The network is frozen: training mode never reaches it."""
        del mode
        return super().train(False)

    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """Nothing: the term looks at outputs only."""
        del references, landmarks
        return {}

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]`` in [0, 2]; an image that is black everywhere gives 1."""
        del features
        return weighed_image(1 - similarity(self.reconstruction(outputs), outputs), weight)


class SdagL1(Sdag):
    """Mean |y - R(y)|, the paper's form; it rewards darkness."""

    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """``[B]``, at least 0."""
        del features
        difference = (self.reconstruction(outputs) - outputs).abs()
        return weighed(difference, weight).mean((1, 2, 3))


class SdagOwn(Sdag):
    """The cosine form through the network that the suite trained itself."""

    source = "own"
    instrument = "sdag-reconstruction-own"
