"""How often the fairness gate is wrong: blocks without a change, and planted losses that it misses.

    python benchmarks/gate.py [--pairs 2000]

Every line simulates pairs of runs and judges each by the code behind ``python -m benchmark gate``.
PSNR: people differ by 3 dB, which both runs share; each run adds 0.5 dB of its own; margins 0.1 and
0.3 dB. Outcomes: four pictures a person, found with chance 0.7, a twentieth of them flips by
itself; margins 0.02 and 0.10. A loss is taken from one group, picked at random or the one that was
worst already. Beside each stands what two thresholds on the same pairs would have done, the gates
that one writes without statistics: "a group's mean is down by more than the harm margin" and "the
range between groups is up by more than it". Exit 1 if the promise is broken: at most 1 % false
blocks and at least 90 % detection of half a decibel at 50 clusters a group.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Literal

from benchmark.fairness.gate_rates import (
    LARGEST_FALSE_BLOCKS,
    SMALLEST_DETECTION,
    Rates,
    World,
    simulate,
)
from benchmark.spec.gate import Margin

_OUTCOMES = Margin(harm=0.02, non_inferior=0.1)


@dataclass(frozen=True)
class Line:
    """One simulation: what is printed, and what was promised of it."""

    title: str
    world: World
    loss: float
    promised: bool = False
    victim: Literal["random", "worst"] = "random"
    margin: Margin | None = None


LINES = (
    Line("7 groups of 50, nothing changed", World(), 0.0, promised=True),
    Line("7 groups that differ, nothing changed", World(spread=1.0), 0.0, promised=True),
    Line("7 groups of 50, one lost 0.5 dB", World(), 0.5, promised=True),
    Line("7 groups that differ, the worst lost 0.5 dB", World(spread=1.0), 0.5, True, "worst"),
    Line("3 groups of the same 50, nothing changed", World(3, design="crossed"), 0.0, True),
    Line("3 groups of the same 50, one lost 0.5 dB", World(3, design="crossed"), 0.5, True),
    Line("7 groups of 200, nothing changed", World(clusters=200), 0.0),
    Line("7 groups of 200, one lost 0.5 dB", World(clusters=200), 0.5),
    Line("7 groups of 15, nothing changed", World(clusters=15), 0.0),
    Line("7 groups of 15, one lost 0.5 dB", World(clusters=15), 0.5),
    Line("outcomes, 3 groups of 50, nothing changed", World(3, rate=0.7), 0.0, True,
         margin=_OUTCOMES),
    Line("outcomes, 3 groups of 50, one lost 10 points", World(3, rate=0.7), 0.1, True,
         margin=_OUTCOMES),
)  # fmt: skip


def kept(line: Line, found: Rates) -> bool:
    """Whether a promise was kept, judged by the rate itself."""
    if not line.promised:
        return True
    if line.loss == 0:
        return found.blocked <= LARGEST_FALSE_BLOCKS
    return found.blocked >= SMALLEST_DETECTION


def main() -> int:
    """Print every rate with its interval; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=2000, help="pairs of runs a line")
    pairs = parser.parse_args().pairs
    start, broken = time.perf_counter(), 0
    print(f"{pairs} pairs a line; blocked with its 95 % interval; passed: nothing left open;")
    print("mean, gap: blocked by a threshold on any group's mean, on the range between groups")
    for line in LINES:
        found = simulate(
            line.world, loss=line.loss, victim=line.victim, margin=line.margin, pairs=pairs
        )
        low, high = found.blocked_interval
        mark = ("kept" if kept(line, found) else "BROKEN") if line.promised else ""
        broken += not kept(line, found)
        print(
            f"{line.title:52} blocked {found.blocked:6.1%} [{low:.1%}, {high:.1%}]  "
            f"passed {found.passed:6.1%}  "
            f"mean {found.by_mean:6.1%}  gap {found.by_gap:6.1%}  {mark}"
        )
    print(f"{time.perf_counter() - start:.0f} s")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
