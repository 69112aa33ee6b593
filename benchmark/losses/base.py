"""What a loss term is: one scalar per sample, with the reference side prepared once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from torch import Tensor, nn
from torch.nn import functional

from benchmark.registry import Registry

Family = Literal["fid", "str", "perc", "id", "col", "rec"]
Features = Mapping[str, Tensor]


def _bank() -> nn.Module:
    from benchmark.judges.semantics import load_bank

    return load_bank()


def _reconstruction(source: str) -> nn.Module:
    from benchmark.losses.reconstruction import load_own, load_published

    return load_published() if source == "published" else load_own()


def _features() -> nn.Module:
    from benchmark.losses.own.features import load_features

    return load_features()


@dataclass(frozen=True)
class Instruments:
    """The networks that terms may look through, each loaded only when a term asks for it.

    Attributes:
        embedder: gives a face embedder, ``[B, 3, S, S]`` in [0, 1] to unit ``[B, D]``, with an
            attributes ``crop_size`` (S) and ``crop_zoom`` (see ``imaging.alignment``).
        perceptual: gives, by trunk name, a distance between two batches in [-1, 1], ``[B, ...]``
            with one element a sample; raises WeightsError where the trunk is absent.
        reader: gives the layers of a sign reader, ``[B, 3, H, W]`` in [0, 1] to a sequence of
            feature maps ``[B, C, h, w]``.
        segmenter: gives a knowledge bank (``judges.semantics``), ``[B, 3, H, W]`` in [0, 1] to
            ``Semantics``.
        reconstruction: gives a reconstruction network (``losses.reconstruction``),
            ``[B, 3, H, W]`` to the same shape, by whose weights it has: ``published`` or ``own``.
        features: gives a classifier's late features, ``[B, 3, H, W]`` in [0, 1] to
            ``[B, C, h, w]``; raises WeightsError where its weights are absent.
    """

    embedder: Callable[[], nn.Module]
    perceptual: Callable[[str], nn.Module]
    reader: Callable[[], nn.Module]
    segmenter: Callable[[], nn.Module] = _bank
    reconstruction: Callable[[str], nn.Module] = _reconstruction
    features: Callable[[], nn.Module] = _features


class LossTerm(nn.Module, ABC):
    """A term of the training objective.

    Terms never average over the batch: the schedule weights every sample by its own context.
    """

    #: Objective family that the context table weights (methods, section 1.2).
    family: ClassVar[Family]
    #: Network or operator that it looks through; a metric with the same one is not evidence.
    instrument: ClassVar[str]

    @classmethod
    def build(cls, instruments: Instruments) -> Self:
        """The term with its defaults, looking through ``instruments`` where it needs a network."""
        del instruments
        return cls()

    @abstractmethod
    def prepare(self, references: Tensor, landmarks: Tensor | None) -> dict[str, Tensor]:
        """Features of the reference side, without gradient, first axis the sample.

        Args:
            references: ``[B, 3, H, W]`` in [0, 1].
            landmarks: ``[B, 5, 2]``, NaN rows where the sample is no face; None if none is.
        """

    @abstractmethod
    def forward(self, outputs: Tensor, features: Features, weight: Tensor | None = None) -> Tensor:
        """The term for every sample, ``[B]``.

        Args:
            outputs: ``[B, 3, H, W]``, unclipped network output.
            features: what :meth:`prepare` returned for these samples.
            weight: ``[B, 1, h, w]`` weight of every place, any size; None weighs all places 1. A
                term without places is multiplied by the mean weight.
        """


def weighed(values: Tensor, weight: Tensor | None) -> Tensor:
    """``values`` ``[B, C, h, w]`` times the weight of their place; themselves without one."""
    if weight is None:
        return values
    return values * functional.adaptive_avg_pool2d(weight, (values.shape[-2], values.shape[-1]))


def weighed_image(values: Tensor, weight: Tensor | None) -> Tensor:
    """``values`` ``[B]`` of whole images times the mean weight; themselves without one."""
    return values if weight is None else values * weight.mean((1, 2, 3))


LOSSES: Registry[type[LossTerm]] = Registry("loss", group="equilux.losses")
