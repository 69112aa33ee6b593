"""Tie tiers and rank intervals of all systems of a board, over every run that they came from.

The statistics are those of a run (:mod:`benchmark.fairness.tiers`): differences are paired over
the same people, eyes or scenes, corrected by Holm over all pairs, and include the error of training
runs. They start from cluster means, which give the same group means as the samples do.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.estimates import columns, estimate
from benchmark.fairness.model import AxisInfo, MetricInfo, Policy
from benchmark.fairness.study import study
from benchmark.fairness.tiers import TIER_COLUMNS, tier_table
from benchmark.report.manifest import Manifest

#: Replicates x groups x systems x metrics held at a time.
_NUMBERS = 4_000_000
_FEWEST = 1000


def standing(
    manifest: Manifest, means: pd.DataFrame, clusters: dict[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Systems ranked per metric, by everybody and by the worst group of the headline axis.

    Args:
        manifest: of the board; gives the metrics, the axis and the settings.
        means: rows as in ``clusters.csv``, one per system, arm, seed, metric and group.
        clusters: who is in which group; "" is everybody.

    Returns:
        Columns as in ``tiers.parquet``.
    """
    frame = _frame(means, clusters, manifest.headline.axis)
    names = [m for m in dict.fromkeys(means["metric"]) if m in frame]
    if not names or frame.empty:
        return pd.DataFrame(columns=list(TIER_COLUMNS))
    infos = [
        MetricInfo(m.name, direction=m.direction, kind=m.kind, ratio_scale=m.ratio_scale)
        for m in map(manifest.metric, names)
    ]
    settings = manifest.statistics
    policy = Policy(
        alpha=float(settings.get("alpha", 0.05)),
        n_min=int(settings.get("n_min", 8)),
        n_full=int(settings.get("n_full", 30)),
        max_coverage_gap=float(settings.get("coverage_tolerance", 0.01)),
        bootstrap=_replicates(manifest, frame, len(names), len(clusters)),
    )
    seed = int(settings.get("seed", 0))
    axis = _axis(manifest)
    parts = (
        (frame[frame[axis.name] == ""], ()),
        (frame[frame[axis.name] != ""], (axis,)),
    )
    tables = []
    for rows, axes in parts:
        data = study(rows, infos, axes)
        layout, cells = data.layouts(axes)[-1]
        boot = Bootstrap(cells, seed, policy.bootstrap)
        for metric in range(len(infos)):
            found = estimate(layout, boot, columns(data, cells, [metric]), policy)
            tables.append(tier_table(found, data, seed=seed, policy=policy))
    return pd.concat(tables, ignore_index=True)[list(TIER_COLUMNS)]


def _axis(manifest: Manifest) -> AxisInfo:
    """The headline axis, tested whatever its role."""
    name = manifest.headline.axis
    declared = next(a for a in manifest.axes if a.name == name)
    stated = manifest.specification.get("axes", ())
    excluded = next((a["excluded"] for a in stated if a["name"] == name), ())
    return AxisInfo(name, "sensitive", tuple(declared.levels), tuple(excluded))


def _replicates(manifest: Manifest, frame: pd.DataFrame, n_metrics: int, n_groups: int) -> int:
    """As many as a run makes, fewer where hundreds of systems would fill the memory."""
    wanted = int(manifest.statistics.get("replicates", 10_000))
    systems = max(1, len(frame[["system", "arm"]].drop_duplicates()))
    return max(min(wanted, _FEWEST), min(wanted, _NUMBERS // (systems * n_groups)))


def _frame(means: pd.DataFrame, clusters: dict[str, tuple[str, ...]], axis: str) -> pd.DataFrame:
    """A samples table of which every row is one cluster in one group."""
    keys = ["system", "arm", "seed", "group"]
    values = means.pivot(index=keys, columns="metric", values="values")
    sizes = [len(clusters[group]) for *_, group in values.index]
    frame = values.index.to_frame(index=False).loc[np.repeat(np.arange(len(sizes)), sizes)]
    names = [name for *_, group in values.index for name in clusters[group]]
    samples = [f"{group}/{name}" for *_, group in values.index for name in clusters[group]]
    for metric in values:
        rows = zip(values[metric], sizes, strict=True)
        text = " ".join(row if isinstance(row, str) else "nan " * size for row, size in rows)
        frame[metric] = np.array(text.split(), dtype=np.float64)
    return (
        frame.reset_index(drop=True)
        .assign(cluster=names, sample=samples, status="ok")
        .rename(columns={"group": axis})
    )
