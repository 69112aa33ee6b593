"""From stored scores to the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data.evalset import EvalSet


def samples_table(
    evalset: EvalSet,
    inputs: Mapping[str, Path],
    *,
    systems: Sequence[Sequence[str | int]],
    scorers: Sequence[str],
    metrics: Sequence[str],
) -> pd.DataFrame:
    """One row per system x arm x seed x sample.

    Args:
        evalset: the samples.
        inputs: ``"<i>"`` is the folder with the outputs of system i, ``"<i>/<scorer>"`` the folder
            with its scores.
        systems: (system, arm, seed) in order.
        scorers: names of the scorers whose columns are joined.
        metrics: metric columns to keep, in order.

    Returns:
        Columns ``system, arm, seed``, those of the samples, ``status`` and one per metric, NaN
        where a row failed or a metric is not defined.
    """
    parts = []
    for number, (system, arm, seed) in enumerate(systems):
        part = evalset.frame.copy()
        part.insert(0, "seed", np.int64(seed))
        part.insert(0, "arm", arm)
        part.insert(0, "system", system)
        part["status"] = pd.read_parquet(inputs[f"{number}"] / "status.parquet")["status"]
        for scorer in scorers:
            columns = pd.read_parquet(inputs[f"{number}/{scorer}"] / "scores.parquet")
            part = part.join(columns[[name for name in columns if name in metrics]])
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return table[[c for c in table if c not in metrics] + [m for m in metrics if m in table]]


def timings_table(
    inputs: Mapping[str, Path], systems: Sequence[Sequence[str | int]]
) -> pd.DataFrame:
    """Milliseconds per image, one row per system x arm x seed; apart because no two runs agree."""
    rows = []
    for number, (system, arm, seed) in enumerate(systems):
        times = np.load(inputs[f"{number}"] / "milliseconds.npy", allow_pickle=False)
        finite = times[np.isfinite(times)]
        median = float(np.median(finite)) if len(finite) else float("nan")
        rows.append({"system": system, "arm": arm, "seed": seed, "median_ms": median})
    return pd.DataFrame(rows)
