"""What a metric declares about itself, and how metrics that share work are computed together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.assets import INSTRUMENTS, asset_names, train_command
from benchmark.judges.base import JUDGES
from benchmark.registry import Registry
from benchmark.weights.store import WeightStore, mending_command

if TYPE_CHECKING:  # listing metrics must not import torch
    from torch import Tensor

    from benchmark.data.evalset import EvalSet

#: ``reference``, ``input``, ``landmarks``, ``gallery``, ``label``, ``weights`` or ``mask:NAME``.
Need = str
State = Mapping[str, NDArray[np.generic]]
Column = NDArray[np.float64]


@dataclass(frozen=True)
class MetricSpec:
    """The identity and the promises of a metric.

    Attributes:
        name: lower case with underscores, as it appears in tables.
        version: raised whenever the same images can give another number.
        direction: +1 if higher is better, -1 if lower is better.
        unit: for axes and tables, for example ``"dB"`` or ``""``.
        range: smallest and largest possible value.
        needs: what must be at hand for it to be computed.
        summary: one line for people.
        ratio_scale: True if ratios of values mean something (not dB, not signed).
        kind: ``"value"`` for measurements, ``"rate"`` for 0/1 outcomes.
        deterministic: the same images give the same number.
        batch_invariant: the number does not depend on the rest of the batch.
        licence: SPDX id of the implementation or weights that bind the user most.
        source: paper or standard the formula is from.
        ideal: value of a perfect output where that is neither end of the range, as for signed
            shifts; ranking groups by such a metric means nothing.
    """

    name: str
    version: str
    direction: Literal[1, -1]
    unit: str
    range: tuple[float, float]
    needs: frozenset[Need]
    summary: str
    ratio_scale: bool = False
    kind: Literal["value", "rate"] = "value"
    deterministic: bool = True
    batch_invariant: bool = True
    licence: str = "Apache-2.0"
    source: str = ""
    ideal: float | None = None


@dataclass(frozen=True)
class Unavailable:
    """Why a metric cannot be computed here, and the one command that mends it."""

    reason: str
    mend: str


def judge_lack(name: str) -> Unavailable | None:
    """What a judge is missing; None if all its weights are at hand."""
    if name in INSTRUMENTS and name not in asset_names():
        return Unavailable(f"the judge {name!r} has not been trained", train_command(name))
    store = WeightStore()
    for weights in JUDGES.get(name).weights:
        status = store.status(weights)
        if status.path is None or status.state == "wrong":
            return Unavailable(
                f"the weights {status.weight.name!r} are {status.state}",
                mending_command(status.weight),
            )
    return None


class Scorer(ABC):
    """Computes one or more metrics that share work, for example one set of embeddings.

    ``prepare`` runs once per dataset and its result is cached by content; ``score`` then costs only
    the pass over the outputs, so N systems cost one reference pass.

    A scorer whose judge can be chosen is registered with ``judge=KIND`` and takes ``judge=NAME``
    besides; with another judge than the one of record, its metrics are called ``METRIC:JUDGE``.

    Args:
        device: where torch runs. Constructing a scorer loads nothing heavy.
    """

    specs: tuple[MetricSpec, ...]

    def __init__(self, *, device: str = "cpu") -> None:
        self.device = device

    def unavailable(self) -> Unavailable | None:
        """None if everything needed is at hand; never touches the network."""
        return None

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What the numbers depend on besides the images: versions, weight digests, settings."""

    def prepare(self, evalset: EvalSet) -> dict[str, NDArray[np.generic]]:
        """Everything about references, inputs and gallery that every system shares."""
        return {}

    def notes(self, state: State) -> dict[str, str]:
        """What a reader of the numbers must be told about this dataset, metric by metric."""
        return {}

    @abstractmethod
    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """Score a batch of outputs.

        Args:
            outputs: ``[B, 3, H, W]`` float32 in [0, 1] with finite values, 8-bit quantised.
            index: ``[B]`` rows of ``evalset`` that the outputs belong to.
            evalset: the samples.
            state: what :meth:`prepare` returned.

        Returns:
            For every metric in :attr:`specs`, ``[B]`` float64; NaN where it is not defined.
        """


#: Factories taking ``device=...``; one scorer may provide several metrics.
SCORERS: Registry[type[Scorer]] = Registry("scorer", group="equilux.scorers")
