"""What a loss term is: one scalar per sample, with the reference side prepared once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor, nn

from benchmark.registry import Registry

Family = Literal["fid", "str", "perc", "id", "col", "rec"]
Features = Mapping[str, Tensor]


class LossTerm(nn.Module, ABC):
    """A term of the training objective.

    Terms never average over the batch: the schedule weights every sample by its own context.
    """

    #: Objective family that the context table weights (methods, section 1.2).
    family: ClassVar[Family]
    #: Network or operator that it looks through; a metric with the same one is not evidence.
    instrument: ClassVar[str]

    @abstractmethod
    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """Features of the reference side, without gradient, first axis the sample.

        Args:
            references: ``[B, 3, H, W]`` in [0, 1].
            landmarks: ``[B, 5, 2]``, NaN rows where the sample is no face; None if none is.
        """

    @abstractmethod
    def forward(self, outputs: Tensor, features: Features) -> Tensor:
        """The term for every sample, ``[B]``.

        Args:
            outputs: ``[B, 3, H, W]``, unclipped network output.
            features: what :meth:`prepare` returned for these samples.
        """


LOSSES: Registry[type[LossTerm]] = Registry("loss", group="equilux.losses")
