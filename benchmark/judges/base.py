"""What a judge is: a frozen instrument that a metric relies on, with a card of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.registry import Registry

if TYPE_CHECKING:  # listing judges must not import torch
    from torch import Tensor

    from benchmark.data.evalset import EvalSet

Kind = Literal[
    "recogniser",
    "detector",
    "landmarks",
    "perceptual",
    "segmenter",
    "reader",
    "attribute",
    "features",
]


@dataclass(frozen=True)
class JudgeCard:
    """The identity of a judge and what its user must know.

    Attributes:
        name: as in ``list judges``.
        version: raised whenever the same image can give another answer.
        kind: what it answers.
        summary: one line for people.
        target: ``module:class`` that makes it with ``device=...``; empty where the metric that
            needs it knows how.
        needs: what it needs of the data beside the images, as ``metrics.base.Need``.
        weights: names in the weights catalogue, empty if it needs none.
        licence: of code and weights, whichever binds the user most.
        trained_on: data, as far as the publisher says.
        source: paper or repository.
        caveats: known weaknesses and contested origins.
    """

    name: str
    version: str
    kind: Kind
    summary: str
    target: str = ""
    needs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    licence: str = ""
    trained_on: str = ""
    source: str = ""
    caveats: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Plain data for ``--json`` and the manifest."""
        return asdict(self)


class Judge(ABC):
    """A judge that can be called by name; constructing one loads nothing heavy.

    Args:
        device: where torch runs.
    """

    def __init__(self, *, device: str = "cpu") -> None:
        self.device = device

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What its answers depend on besides the images: versions, weight digests, settings."""


class Segmenter(Judge):
    """Says which pixels belong to which structure (kind ``segmenter``)."""

    #: Names of the masks that it gives, as in :class:`benchmark.data.views.Views`.
    structures: tuple[str, ...]
    #: Smallest side of a picture that it can look at, pixels.
    smallest: int = 1

    @abstractmethod
    def segment(self, images: Tensor, valid: Tensor | None = None) -> Mapping[str, Tensor]:
        """``[B, H, W]`` bool for every structure.

        Args:
            images: ``[B, 3, H, W]`` float32 sRGB in [0, 1].
            valid: ``[B, H, W]`` bool, where there is anything to see; outside nothing is found.
        """


@dataclass(frozen=True)
class Reading:
    """What a reader saw.

    Attributes:
        labels: ``[B]`` text.
        confidence: ``[B]`` float64, probability that it gives to its own answer.
    """

    labels: NDArray[np.str_]
    confidence: NDArray[np.float64]


class Reader(Judge):
    """Names what is in the picture (kind ``reader``): a class, or the text of a plate."""

    @abstractmethod
    def read(self, images: Tensor) -> Reading:
        """The answers for ``[B, 3, H, W]`` float32 sRGB in [0, 1]."""


class Observer(Judge):
    """Turns images into numbers that set-level statistics are made of.

    Kind ``attribute``: probabilities of the levels of an axis, columns in the order of
    :attr:`levels`. Kind ``features``: a vector of a network that no training looked through.
    """

    #: Levels of an attribute judge, in the order of its columns; empty for features.
    levels: tuple[str, ...] = ()
    #: True if the features know the attribute (metrics, section 5.3: one of two nets should).
    attribute_aware: bool = False

    @abstractmethod
    def observe(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> NDArray[np.float32]:
        """``[B, D]``; rows of NaN where it cannot say.

        Args:
            images: ``[B, 3, H, W]`` float32 sRGB in [0, 1].
            index: ``[B]`` rows of ``evalset`` that they are versions of.
            evalset: for landmarks and masks of the clean reference.
        """


#: Cards; the code behind a judge is loaded when it is called.
JUDGES: Registry[JudgeCard] = Registry("judge", group="equilux.judges")


def make_judge(name: str, kind: Kind, *, device: str = "cpu") -> Judge:
    """The judge called ``name``.

    Raises:
        UnknownNameError: if there is none.
        EquiluxError: if it answers another kind of question.
    """
    import importlib

    from benchmark.errors import EquiluxError

    card = JUDGES.get(name)
    if card.kind != kind or not card.target:
        fitting = sorted(e.name for e in JUDGES if JUDGES.get(e.name).kind == kind)
        raise EquiluxError(
            f"the judge {name!r} is a {card.kind}, not a {kind}", mend=f"take {', '.join(fitting)}"
        )
    module, _, attribute = card.target.partition(":")
    judge: Judge = getattr(importlib.import_module(module), attribute)(device=device)
    return judge
