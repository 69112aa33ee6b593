"""Who is in the data: counts of groups, and the rows where they may be listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.spec.task import Stratifier

if TYPE_CHECKING:
    from benchmark.report.cards.facts import Facts

#: Columns of a listing, before the axes.
_COLUMNS = ("sample", "cluster", "view", "label")


@dataclass(frozen=True)
class GroupCount:
    """One level of an axis: how many subjects are in it and how many pictures."""

    axis: str
    role: str
    source: str
    group: str
    subjects: int
    images: int
    excluded: bool


def count_groups(
    frame: pd.DataFrame, axes: dict[str, Stratifier], levels: dict[str, tuple[str, ...]]
) -> tuple[GroupCount, ...]:
    """Subjects and pictures of every level.

    Args:
        frame: one row per picture with ``cluster`` and the axes.
        axes: what is declared of each.
        levels: their levels in display order; levels that only the frame knows come last.
    """
    found = []
    for name, axis in axes.items():
        if name not in frame:
            continue
        known = list(levels.get(name, ()))
        strange = sorted(set(frame[name].dropna()) - set(known))
        for level in [*known, *strange]:
            part = frame[frame[name] == level]
            found.append(
                GroupCount(
                    name,
                    axis.role,
                    axis.source,
                    str(level),
                    int(part["cluster"].nunique()),
                    len(part),
                    level in axis.excluded,
                )
            )
    return tuple(found)


def of_probe(
    subjects: int, views: int, axes: dict[str, Stratifier], headline: str
) -> tuple[GroupCount, ...]:
    """What is known of a probe before it is rendered: everybody is in every group of the axis."""
    axis = axes[headline]
    return tuple(
        GroupCount(headline, axis.role, axis.source, level, subjects, subjects * views, False)
        for level in axis.levels
    )


def of_run(samples: pd.DataFrame) -> pd.DataFrame:
    """The pictures of a run, once each, from the rows of its first system."""
    first = samples[["system", "arm", "seed"]].iloc[0]
    own = (samples[["system", "arm", "seed"]] == first).all(axis=1)
    return samples[own].reset_index(drop=True)


def listing(facts: Facts) -> bytes:
    """The rows of a probe as CSV; nothing for somebody's data, which are only ever counted."""
    if facts.frame is None or facts.real:
        return b""
    named = [name for name in (*_COLUMNS, *facts.axes) if name in facts.frame]
    table = facts.frame[named].sort_values("sample", kind="stable")
    return table.to_csv(index=False, lineterminator="\n").encode()
