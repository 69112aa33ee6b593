"""From the payload of the analysis to the fairness engine and back; the only place they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pandas as pd

from benchmark.fairness import AxisInfo, MetricInfo, Policy, analyse


def analyse_samples(samples: pd.DataFrame, payload: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """All tables of the engine by name."""
    axes = axes_of(payload)
    result = analyse(
        samples,
        metrics=metrics_of(payload),
        axes=axes,
        policy=policy_of(payload),
        comparisons=[tuple(triple) for triple in payload["comparisons"]],
        seed=payload["seed"],
    )
    return {field.name: getattr(result, field.name) for field in fields(result)}


def metrics_of(payload: Mapping[str, Any]) -> list[MetricInfo]:
    """The metrics as the engine knows them."""
    primary = set(payload["primary"])
    return [
        MetricInfo(
            name,
            **payload["declared"][name],
            family="primary" if name in primary else "secondary",
        )
        for name in payload["metrics"]
    ]


def axes_of(payload: Mapping[str, Any]) -> list[AxisInfo]:
    """The axes as the engine knows them."""
    return [
        AxisInfo(axis["name"], axis["role"], tuple(axis["levels"]), tuple(axis["excluded"]))
        for axis in payload["axes"]
    ]


def policy_of(payload: Mapping[str, Any]) -> Policy:
    """The thresholds as the engine knows them."""
    settings = payload["policy"]
    return Policy(
        alpha=settings["alpha"],
        n_min=settings["n_min"],
        n_full=settings["n_full"],
        max_coverage_gap=settings["coverage_tolerance"],
        bootstrap=payload["replicates"],
        permutations=payload["replicates"] - 1,
    )
