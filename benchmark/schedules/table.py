"""What each context asks of an enhancer: weights of objective families, context by context."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.contexts.base import CONTEXTS
from benchmark.errors import SpecError

Array = NDArray[np.float64]

#: Objective families in the order of every weight vector (methods, section 1.2).
FAMILIES: tuple[str, ...] = ("fid", "str", "perc", "id", "col", "rec")


@dataclass(frozen=True)
class ContextTable:
    """Weights of calibrated losses, one row a context, one column a family.

    Attributes:
        rows: ``K`` rows of ``M`` numbers, at least 0, each row with a positive sum.
        floor: least value of an entry before rows are brought to sum 1, so that no context is
            blind to an objective.
    """

    rows: tuple[tuple[float, ...], ...]
    floor: float = 0.02

    def __post_init__(self) -> None:
        shape = (len(CONTEXTS), len(FAMILIES))
        raw = np.array(self.rows, dtype=np.float64) if _rectangular(self.rows) else np.empty(0)
        if raw.shape != shape or not (raw >= 0).all() or not np.isfinite(raw).all():
            raise SpecError(
                f"a context table needs {shape[0]} rows of {shape[1]} finite numbers >= 0",
                where=f"rows {self.rows}",
                mend=f"columns are {', '.join(FAMILIES)}; rows are {', '.join(CONTEXTS)}",
            )
        if not (np.maximum(raw, self.floor).sum(1) > 0).all():
            raise SpecError("a row of the context table is all zero", where=f"rows {self.rows}")

    def weights(self) -> Array:
        """The table with its floor, every row of sum 1, ``[K, M]``."""
        raised = np.maximum(np.array(self.rows, dtype=np.float64), self.floor)
        result: Array = raised / raised.sum(1, keepdims=True)
        return result


def _rectangular(rows: tuple[tuple[float, ...], ...]) -> bool:
    return len({len(row) for row in rows}) == 1


#: The prior, frozen before any test run (methods, section 1.4). Perceptual terms trade distortion
#: for realism, so medical keeps little of them; identity rises only where identity is the harm;
#: colour matters where illumination is re-estimated.
PRIOR = ContextTable(
    rows=(
        (0.40, 0.15, 0.25, 0.00, 0.20, 0.00),
        (0.30, 0.35, 0.05, 0.00, 0.10, 0.20),
        (0.30, 0.15, 0.20, 0.25, 0.10, 0.00),
        (0.30, 0.15, 0.15, 0.00, 0.20, 0.20),
    )
)

#: What every schedule starts from: fidelity and structure only (methods, section 1.5).
WARM_UP: tuple[float, ...] = (0.7, 0.3, 0.0, 0.0, 0.0, 0.0)
