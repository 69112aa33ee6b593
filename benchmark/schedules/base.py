"""What a schedule is: weights of the loss families for every sample at every moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.registry import Registry
from benchmark.schedules.gate import Gate, Time
from benchmark.schedules.table import FAMILIES

Array = NDArray[np.float64]

#: Where an arm's context vectors and target rows come from (methods, section 1.8).
Context = Literal[
    "fidelity",
    "uniform",
    "matched",
    "predicted",
    "oracle",
    "shuffled",
    "region",
    "dwa",
    "uncertainty",
    "rlw",
]


@dataclass(frozen=True)
class Arm:
    """One way of training a host; arms of one host and seed differ in this alone.

    Attributes:
        name: as on the command line.
        code: name in the specification (methods, section 1.8).
        context: target rows and context vectors.
        time: use of the gate.
        isolates: what a comparison with it shows.
        iterative: whether its table moves between rounds (:mod:`benchmark.schedules.rounds`).

    Contexts of ``region`` are maps over the picture, of every other arm one vector a picture.
    """

    name: str
    code: str
    context: Context
    time: Time
    isolates: str
    iterative: bool = False


@dataclass(frozen=True, eq=False)
class Schedule:
    """w(x, tau) = (1 - s) r0 + s p(x) R, masked to what is available and brought to sum 1.

    Every fixed arm is this one function with other rows, so that two arms with equal rows compute
    the same bits. Arithmetic is float64 and row by row: a weight does not depend on its batch.

    Attributes:
        rows: target row of every context, ``[K, M]``.
        warm_up: the row r0 that all arms share, ``[M]``.
        gate: s.
        time: how the gate is used.
    """

    rows: Array
    warm_up: Array
    gate: Gate
    time: Time

    def weights(self, contexts: Array, progress: Array | float, available: Array) -> Array:
        """Weights of every sample.

        Args:
            contexts: ``[B, K]`` context vectors.
            progress: ``[B]`` or ``[]``, share of the training that is done, in [0, 1].
            available: ``[B, M]`` or ``[M]``, zero where a family cannot be computed.

        Returns:
            ``[B, M]``, at least 0, every row of sum 1.

        Raises:
            DataError: if a sample is left without any family.
        """
        opened = self.gate.at(np.asarray(progress, dtype=np.float64), self.time)[..., None]
        target = (contexts[:, :, None] * self.rows).sum(1)
        masked = ((1 - opened) * self.warm_up + opened * target) * available
        total = masked.sum(1, keepdims=True)
        if not (total > 0).all():
            raise DataError(
                "a sample has no loss term with a positive weight",
                where=f"families {', '.join(FAMILIES)}, available {np.asarray(available)}",
                mend="add a loss term of a family that the arm weights",
            )
        result: Array = masked / total
        return result


#: Arms by name; ``list schedules``.
ARMS: Registry[Arm] = Registry("arm", group="equilux.schedules")
