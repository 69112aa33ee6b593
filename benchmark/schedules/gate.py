"""When the context weights take over from the shared warm-up row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import SpecError

Array = NDArray[np.float64]

#: How an arm uses the gate: as it is, from the end, at its mean throughout, or open throughout.
Time = Literal["sched", "reverse", "mean", "open"]


@dataclass(frozen=True)
class Gate:
    """s(tau) in [0, 1]: 0 until ``start``, a half cosine to 1 at ``full`` (methods, section 1.5).

    Attributes:
        start: progress at which it begins to open.
        full: progress at which it is open.
        hold: progress until which it stays open; 1 means to the end.
        end: value that it falls to at progress 1 by another half cosine, if ``hold`` is below 1.
    """

    start: float = 0.05
    full: float = 0.30
    hold: float = 1.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.start <= self.full <= self.hold <= 1 and 0 <= self.end <= 1):
            raise SpecError(
                "a gate needs 0 <= start <= full <= hold <= 1 and 0 <= end <= 1", where=repr(self)
            )

    def __call__(self, progress: Array) -> Array:
        """s(tau) for progress in [0, 1], any shape."""
        rising = _ramp(progress, self.start, self.full)
        falling = _ramp(progress, self.hold, 1.0) if self.hold < 1 else np.zeros_like(progress)
        result: Array = rising - (1 - self.end) * falling
        return result

    def at(self, progress: Array, time: Time) -> Array:
        """s(tau) as an arm uses it; ``mean`` averages over a dense grid of midpoints."""
        if time == "sched":
            return self(progress)
        if time == "reverse":
            return self(1 - progress)
        return np.full_like(progress, self.mean() if time == "mean" else 1.0)

    def mean(self, points: int = 100_000) -> float:
        """Mean of s over [0, 1]; without a fall it is (1 - full) + (full - start) / 2."""
        return float(self((np.arange(points) + 0.5) / points).mean())


def _ramp(progress: Array, low: float, high: float) -> Array:
    """0 below ``low``, 1 from ``high`` on, half a cosine between; a step where they meet."""
    if high <= low:
        return np.where(progress >= high, 1.0, 0.0)
    share = ((progress - low) / (high - low)).clip(0, 1)
    result: Array = (1 - np.cos(np.pi * share)) / 2
    return result
