"""The one form that all authors' objectives take here: players, each with weighted terms."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmark.losses.base import Instruments
from benchmark.registry import Registry


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step may look at.

    Attributes:
        inputs: degraded, ``[B, 3, H, W]`` in [0, 1].
        references: clean, the same shape; an unpaired method takes those of other samples.
        generator: of everything random in the step, on the CPU.
    """

    inputs: Tensor
    references: Tensor
    generator: torch.Generator


@dataclass(frozen=True)
class Optimiser:
    """Adam as the authors set it; how its rate moves over the steps is the suite's.

    Attributes:
        rate: largest learning rate.
        betas: of Adam.
        clip: largest norm of the gradient.
    """

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = math.inf


class OwnObjective(nn.Module, ABC):
    """An architecture's objective, and whatever learns against it.

    A player is a part that minimises a sum of terms of its own: KinD's three networks, or a
    generator and its judges. All terms of a step are computed before any player moves, and each
    moves by its own terms alone.

    Args:
        network: the host, in training mode.
        instruments: networks that terms look through.
    """

    #: Terms of every player and their weights.
    terms: ClassVar[Mapping[str, Mapping[str, float]]]
    optimiser: ClassVar[Optimiser]

    def __init__(self, network: nn.Module, instruments: Instruments) -> None:
        super().__init__()
        del instruments
        self.network = network

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """All terms, ``player.term``."""
        return tuple(f"{player}.{term}" for player, terms in cls.terms.items() for term in terms)

    def players(self) -> Mapping[str, nn.Module]:
        """What each player moves; by default there is one, the host."""
        (name,) = self.terms
        return {name: self.network}

    def turns(self, progress: float) -> tuple[str, ...]:
        """Who moves at this share of the training, in [0, 1); by default everybody."""
        del progress
        return tuple(self.terms)

    @abstractmethod
    def forward(self, batch: Batch, turns: tuple[str, ...]) -> dict[str, Tensor]:
        """Unweighted terms of those whose turn it is, ``player.term`` to ``[B]``."""


OWN: Registry[type[OwnObjective]] = Registry("own objective", group="equilux.own_objectives")
