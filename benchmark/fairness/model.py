"""What the caller tells the engine, and what it gets back; nothing here computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from benchmark.errors import SpecError

Kind = Literal["value", "rate"]
Role = Literal["sensitive", "context", "control"]


@dataclass(frozen=True)
class MetricInfo:
    """What the engine must know of a metric to judge a gap in it.

    Attributes:
        name: column of the samples table.
        direction: +1 if higher is better, -1 if lower is better.
        kind: ``"rate"`` for outcomes in [0, 1] that are counted, ``"value"`` for the rest.
        ratio_scale: True if ratios of values mean something (not dB, not signed).
        family: hypotheses of one family share a Holm correction; declared before the run.
        floor: a worst group whose interval reaches beyond this value is pointed out.
        margin: an effect that certainly lies within +-margin is called negligible.
    """

    name: str
    direction: Literal[1, -1]
    kind: Kind = "value"
    ratio_scale: bool = False
    family: str = "all"
    floor: float | None = None
    margin: float | None = None


@dataclass(frozen=True)
class AxisInfo:
    """A column that stratifies samples.

    Attributes:
        name: column of the samples table.
        role: sensitive axes are tested; context axes are tested apart and crossed with the
            sensitive ones; control axes are left alone.
        levels: the levels in the order of display. A value that is not among them keeps a row of
            its own after them and stays out of gaps. Empty: whatever occurs, sorted.
        excluded: levels that are shown but stay out of gaps ("prefer not to say").
    """

    name: str
    role: Role
    levels: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Thresholds that a task may set; the defaults are those of the metrics specification.

    Attributes:
        n_min: clusters below which a group is *insufficient*: shown, never compared.
        n_full: clusters from which a group is *full*; between the two it is *small*.
        alpha: two-sided level of tests; intervals cover ``1 - alpha``.
        power: chance of detection that a minimum detectable effect refers to.
        bootstrap: number of bootstrap replicates.
        permutations: number of random permutations (or sign flips).
        max_coverage_gap: largest difference of coverage between groups that are compared.
        min_seeds: training runs below which no claim about an arm is made.
        rank_level: coverage of rank intervals.
    """

    n_min: int = 8
    n_full: int = 30
    alpha: float = 0.05
    power: float = 0.9
    bootstrap: int = 10_000
    permutations: int = 9_999
    max_coverage_gap: float = 0.01
    min_seeds: int = 3
    rank_level: float = 0.9

    def __post_init__(self) -> None:
        if not 2 <= self.n_min <= self.n_full:
            raise SpecError(
                f"n_min={self.n_min} and n_full={self.n_full} do not fit together",
                mend="choose 2 <= n_min <= n_full",
            )
        for name in ("alpha", "power", "rank_level"):
            if not 0 < getattr(self, name) < 1:
                raise SpecError(f"{name} must lie strictly between 0 and 1")
        if min(self.bootstrap, self.permutations) < 99:
            raise SpecError("fewer than 99 replicates cannot support a 95 % interval")


@dataclass(frozen=True)
class Analysis:
    """The tables of one run; columns and order of rows are fixed.

    Attributes:
        groups: one row per system, arm, metric, axis and group; axis ``""`` is everybody.
        gaps: one row per system, arm, metric and axis.
        effects: one row per comparison of arms, metric, axis and target.
        tiers: systems ranked per metric, overall and by worst group.
        pairs: every pair of compared groups with its max-T adjusted p-value.
        strata: the gap inside each level of a context axis, and combined over them.
    """

    groups: pd.DataFrame
    gaps: pd.DataFrame
    effects: pd.DataFrame
    tiers: pd.DataFrame
    pairs: pd.DataFrame
    strata: pd.DataFrame
