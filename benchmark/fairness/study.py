"""From the samples table to codes: who is in which group, and which column a row belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.fairness.cells import Codes, Partition, partition
from benchmark.fairness.model import AxisInfo, MetricInfo
from benchmark.fairness.resampling import Floats

UNKNOWN = "unknown"
_KEYS = ("system", "arm", "seed", "sample")

LayoutRole = Literal["overall", "sensitive", "context", "crossing"]


@dataclass(frozen=True)
class Layout:
    """The groups of one axis or of one crossing.

    Groups are compared only within a *block*: in a crossing of a sensitive with a context axis the
    blocks are the context's levels, so that dim light is never held against dark skin.

    Attributes:
        axis: name as in the tables, ``"tone*illumination"`` for a crossing, ``""`` for everybody.
        role: what the axis is.
        names: ``[K]`` group names in the order of display.
        level: ``[K]`` sensitive level of each group.
        block: ``[K]`` context level of each group; all 0 without a context.
        block_names: names of the blocks.
        compared: ``[K]`` whether the group may enter a gap.
    """

    axis: str
    role: LayoutRole
    names: tuple[str, ...]
    level: Codes
    block: Codes
    block_names: tuple[str, ...]
    compared: NDArray[np.bool_]

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.block_names)


@dataclass(frozen=True)
class Study:
    """The samples, sorted and coded once.

    Attributes:
        frame: rows sorted by system, arm, seed and sample, whatever order they came in.
        variants: (system, arm) of every variant, sorted.
        variant: ``[N]`` variant of each row.
        clusters: ``[N]`` cluster codes.
        metrics: the metrics.
        values: ``[N, M]`` float64; NaN where the row failed or the metric is not finite.
        ok: ``[N]`` rows without a failure.
    """

    frame: pd.DataFrame
    variants: tuple[tuple[str, str], ...]
    variant: Codes
    clusters: Codes
    metrics: tuple[MetricInfo, ...]
    values: Floats
    ok: NDArray[np.bool_]

    def layouts(self, axes: Sequence[AxisInfo]) -> list[tuple[Layout, Partition]]:
        """Everybody, every sensitive and context axis, and every crossing of the two."""
        coded = {axis.name: _axis(self.frame, axis) for axis in axes if axis.role != "control"}
        everybody = np.zeros(len(self.frame), dtype=np.int64)
        result = [(_plain("", "overall", ("",), np.array([False])), everybody)]
        result += [coded[axis.name] for axis in axes if axis.role != "control"]
        for sensitive, context in product(axes, axes):
            if (sensitive.role, context.role) == ("sensitive", "context"):
                result.append(_crossing(coded[sensitive.name], coded[context.name]))
        return [(one, partition(codes, self.clusters, one.names)) for one, codes in result]


def study(samples: pd.DataFrame, metrics: Sequence[MetricInfo], axes: Sequence[AxisInfo]) -> Study:
    """Validate the samples and code them.

    Raises:
        DataError: for a missing column, two rows of one sample, or a rate outside [0, 1].
    """
    needed = [*_KEYS, "cluster", "status", *(a.name for a in axes), *(m.name for m in metrics)]
    missing = [name for name in needed if name not in samples.columns]
    if missing:
        raise DataError(
            f"the samples table lacks the column(s) {', '.join(missing)}", where="samples"
        )
    keys = [_codes(samples[name]) for name in _KEYS]
    frame = samples.iloc[np.lexsort(keys[::-1])].reset_index(drop=True)
    twice = frame.duplicated(list(_KEYS))
    if twice.any():
        system, arm, seed, sample = frame[list(_KEYS)].to_numpy()[twice.to_numpy().argmax()]
        raise DataError(
            f"system {system!r}, arm {arm!r}, seed {seed} has two rows for sample {sample!r}",
            where="samples",
        )
    if frame["cluster"].isna().any():
        raise DataError(
            "a row has no cluster", where="samples", mend="use the sample id if rows stand alone"
        )
    pairs = pd.MultiIndex.from_frame(frame[["system", "arm"]])
    variant, variants = pd.factorize(pairs, sort=True)
    ok = (frame["status"] == "ok").to_numpy(dtype=bool)
    values = frame[[m.name for m in metrics]].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    values[~ok] = np.nan
    values[~np.isfinite(values)] = np.nan
    for column, metric in enumerate(metrics):
        if metric.kind == "rate" and not _is_rate(values[:, column]):
            raise DataError(
                f"the rate {metric.name!r} has values outside [0, 1]",
                where="samples",
                mend='declare the metric with kind "value"',
            )
    return Study(
        frame=frame,
        variants=tuple((str(system), str(arm)) for system, arm in variants),
        variant=variant.astype(np.int64),
        clusters=_codes(frame["cluster"]),
        metrics=tuple(metrics),
        values=values,
        ok=ok,
    )


def _is_rate(values: Floats) -> bool:
    finite = values[np.isfinite(values)]
    return bool(((finite >= 0) & (finite <= 1)).all())


def _codes(column: pd.Series) -> Codes:
    codes, _ = pd.factorize(column, sort=True)
    return codes.astype(np.int64)


def _plain(
    axis: str, role: LayoutRole, names: tuple[str, ...], compared: NDArray[np.bool_]
) -> Layout:
    level = np.arange(len(names))
    return Layout(axis, role, names, level, np.zeros_like(level), ("",), compared)


def _axis(frame: pd.DataFrame, axis: AxisInfo) -> tuple[Layout, Codes]:
    column = frame[axis.name]
    text = column.astype(str).where(column.notna(), UNKNOWN)
    seen = sorted(set(text.unique()))
    declared = axis.levels or tuple(name for name in seen if name != UNKNOWN)
    names = (*declared, *(name for name in seen if name not in declared))
    compared = np.array([n in declared and n not in axis.excluded and n != UNKNOWN for n in names])
    codes = pd.Categorical(text, categories=list(names)).codes.astype(np.int64)
    role: LayoutRole = "sensitive" if axis.role == "sensitive" else "context"
    return _plain(axis.name, role, names, compared), codes


def _crossing(
    sensitive: tuple[Layout, Codes], context: tuple[Layout, Codes]
) -> tuple[Layout, Codes]:
    (one, one_codes), (two, two_codes) = sensitive, context
    n = len(two.names)
    level, block = np.divmod(np.arange(len(one.names) * n), n)
    layout = Layout(
        axis=f"{one.axis}*{two.axis}",
        role="crossing",
        names=tuple(f"{a}*{b}" for a, b in product(one.names, two.names)),
        level=level,
        block=block,
        block_names=two.names,
        compared=one.compared[level] & two.compared[block],
    )
    return layout, one_codes * n + two_codes
