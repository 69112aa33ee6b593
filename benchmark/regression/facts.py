"""What two runs must have in common before their numbers may be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from benchmark.fairness import AxisInfo, MetricInfo
from benchmark.report.manifest import AxisRecord, InstrumentRecord, MetricRecord, SystemRecord
from benchmark.report.model import RunView, check_untouched, load_run

#: What identifies a row.
KEYS = ("system", "arm", "seed", "sample")


class Facts(BaseModel):
    """The part of a manifest that decides what a run may be compared with (``facts.json``)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: Literal[1] = 1
    run_id: str
    manifest_sha256: str
    task: str
    task_version: int
    profile: str
    protocol: str | None
    device: str
    data: Mapping[str, Any]
    instruments: tuple[InstrumentRecord, ...]
    metrics: tuple[MetricRecord, ...]
    axes: tuple[AxisRecord, ...]
    systems: tuple[SystemRecord, ...]
    primary: tuple[str, ...]
    headline_axis: str
    created_with: Mapping[str, str]

    @property
    def measured(self) -> tuple[MetricRecord, ...]:
        """The metrics that could be computed."""
        return tuple(metric for metric in self.metrics if metric.available)

    @property
    def references(self) -> tuple[str, ...]:
        """Systems that no change of an enhancer can touch: the input and the clean picture."""
        return tuple(s.system for s in self.systems if s.kind == "reference")

    def judges_of(self, metric: str) -> dict[str, Any]:
        """Version of a metric and identity of the instrument behind it, as plain data."""
        found = next((m for m in self.metrics if m.name == metric), None)
        return {
            "version": found.version if found else None,
            "direction": found.direction if found else None,
            "instruments": [
                dict(one.identity) for one in self.instruments if metric in one.metrics
            ],
        }


@dataclass(frozen=True)
class Side:
    """One of two runs that are compared.

    Attributes:
        name: the folder that it was read from.
        facts: what it says about itself.
        samples: one row per system, arm, seed and sample.
    """

    name: str
    facts: Facts
    samples: pd.DataFrame


def read_run(folder: Path) -> Side:
    """A finished run as one side of a comparison.

    Raises:
        DataError: if the run is unfinished or damaged, or its tables are not those it wrote.
    """
    view = load_run(folder)
    check_untouched(view)
    return Side(str(folder), facts_of(view), view.samples)


def facts_of(view: RunView) -> Facts:
    """The facts of a run."""
    manifest, line = view.manifest, view.manifest.headline
    named = (line.endpoint, line.outcome, line.quality)
    gated = [m.name for m in manifest.metrics if m.role == "primary" or m.name in named]
    available = {m.name for m in manifest.metrics if m.available}
    return Facts(
        run_id=manifest.run_id,
        manifest_sha256=view.digest,
        task=manifest.task.name,
        task_version=int(manifest.specification.get("version", 1)),
        profile=manifest.profile,
        protocol=manifest.specification.get("protocol"),
        device=manifest.device,
        data=manifest.data,
        instruments=manifest.instruments,
        metrics=manifest.metrics,
        axes=manifest.axes,
        # what a machine measures of itself is no fact about the system
        systems=tuple(s.model_copy(update={"latency_ms": None}) for s in manifest.systems),
        primary=tuple(name for name in gated if name in available),
        headline_axis=line.axis,
        created_with=manifest.created_with,
    )


def metric_info(metric: MetricRecord) -> MetricInfo:
    """A metric as the engine knows it."""
    return MetricInfo(
        metric.name, metric.direction, kind=metric.kind, ratio_scale=metric.ratio_scale
    )


def axis_info(axis: AxisRecord) -> AxisInfo:
    """An axis whose groups are compared, whatever role the task gave it."""
    return AxisInfo(axis.name, "sensitive", axis.levels, axis.excluded)
