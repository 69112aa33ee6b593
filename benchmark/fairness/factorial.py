"""Two factors at two levels each: main effects and interaction of the arms of one system.

The four arms are blended pair by pair, sample by sample and seed by seed, into pseudo-arms whose
difference is the wanted contrast; the engine of arm effects does the rest. That is exact for
targets that are linear in the samples (overall, group means, the pinned deficit) and meaningless
for others (range, worst, V_dc), which are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.errors import DataError
from benchmark.fairness.analysis import analyse
from benchmark.fairness.model import AxisInfo, MetricInfo, Policy

_LINEAR = ("overall", "gap")


@dataclass(frozen=True)
class Factorial:
    """Names of four arms: ``first`` and ``second`` are the factors, each on or off.

    Attributes:
        both: first and second factor on.
        first: only the first on.
        second: only the second on.
        neither: both off.
        names: what the factors are called.
    """

    both: str
    first: str
    second: str
    neither: str
    names: tuple[str, str]

    @property
    def arms(self) -> tuple[str, str, str, str]:
        """All four."""
        return self.both, self.first, self.second, self.neither

    def contrasts(self) -> dict[str, tuple[tuple[str, str], tuple[str, str], float]]:
        """By name: the arms blended on either side, and the factor on their difference.

        The interaction is the effect of one factor where the other is on, less that where it is
        off: both - first - second + neither, twice the difference of the blends.
        """
        one, two = self.names
        return {
            one: ((self.both, self.first), (self.second, self.neither), 1.0),
            two: ((self.both, self.second), (self.first, self.neither), 1.0),
            f"{one} x {two}": ((self.both, self.neither), (self.first, self.second), 2.0),
        }


def factorial_effects(
    samples: pd.DataFrame,
    design: Factorial,
    *,
    system: str,
    metrics: Sequence[MetricInfo],
    axes: Sequence[AxisInfo],
    policy: Policy | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Main effects and interaction, overall, in every group and in the gap.

    Args:
        samples: as for :func:`benchmark.fairness.analyse`, with all four arms of ``system``.
        design: the arms.
        system: the host.
        metrics: what to judge.
        axes: what to judge it by.
        policy: thresholds.
        seed: fixes all resampling.

    Returns:
        The effects table's columns with ``contrast`` in place of ``arm`` and ``baseline``;
        p-values are adjusted (Holm) inside the families of each contrast, as of any comparison.

    Raises:
        DataError: if one of the arms is not there, or was not trained with the same seeds.
    """
    mine = samples[samples["system"] == system]
    lacking = sorted(set(design.arms) - set(mine["arm"]))
    if lacking:
        raise DataError(
            f"the study needs the arms {', '.join(lacking)}",
            where=system,
            mend="name them with --arm, or run `python -m benchmark study cals`",
        )
    names = [metric.name for metric in metrics]
    by_arm = {arm: _indexed(mine[mine["arm"] == arm]) for arm in design.arms}
    index = by_arm[design.both].index
    if any(not part.index.equals(index) for part in by_arm.values()):
        raise DataError(
            "the arms were not trained with the same seeds on the same samples", where=system
        )
    parts, comparisons = [], []
    for name, (on, off, _) in design.contrasts().items():
        for side, (a, b) in (("on", on), ("off", off)):
            blend = by_arm[a].copy()
            blend[names] = (by_arm[a][names] + by_arm[b][names]) / 2
            failed = (by_arm[a]["status"] != "ok") | (by_arm[b]["status"] != "ok")
            blend["status"] = np.where(failed, "missing_output", "ok")
            parts.append(blend.reset_index().assign(system=name, arm=side))
        comparisons.append((name, "on", "off"))
    blended = pd.concat(parts, ignore_index=True)
    found = analyse(
        blended, metrics=metrics, axes=axes, policy=policy, comparisons=comparisons, seed=seed
    ).effects
    levels = {level for axis in axes for level in blended[axis.name].unique()}
    linear = found["target"].isin(_LINEAR) | found["target"].isin(levels)
    table = found[linear].rename(columns={"system": "contrast"}).reset_index(drop=True)
    scale = table["contrast"].map({n: f for n, (_, _, f) in design.contrasts().items()})
    for column in ("effect", "ci_low", "ci_high"):
        table[column] *= scale
    # sentences speak of arms and of unscaled numbers
    return table.drop(columns=["arm", "baseline", "sentence"]).assign(host=system)


def _indexed(rows: pd.DataFrame) -> pd.DataFrame:
    table: pd.DataFrame = rows.set_index(["seed", "sample"]).sort_index()
    return table
