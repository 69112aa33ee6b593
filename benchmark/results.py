"""A finished run for notebooks: its tables as pandas, and slices through fairlearn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.fairness import metric_frame

if TYPE_CHECKING:
    from fairlearn.metrics import MetricFrame


@dataclass(frozen=True)
class Results:
    """The tables of a run.

    Attributes:
        folder: where they were read from.
        samples: one row per system, arm, seed and sample, with one column per metric.
        groups, gaps, effects: what the report shows; ``docs/reading-a-report.md`` explains them.
    """

    folder: Path
    samples: pd.DataFrame
    groups: pd.DataFrame
    gaps: pd.DataFrame
    effects: pd.DataFrame

    def metric_frame(
        self,
        metric: str | Sequence[str],
        *,
        system: str,
        arm: str = "",
        sensitive_features: str | Sequence[str],
        control_features: str | Sequence[str] | None = None,
    ) -> MetricFrame:
        """fairlearn's ``MetricFrame`` of item means for one system and arm.

        See :func:`benchmark.fairness.metric_frame`; claims belong to the group and gap tables,
        which respect the people behind the items.
        """
        return metric_frame(
            self.samples,
            metric,
            system=system,
            arm=arm,
            sensitive_features=sensitive_features,
            control_features=control_features,
        )


def load_run(folder: str | Path) -> Results:
    """Read a finished run.

    Raises:
        DataError: if the run is unfinished, or a table is missing or not the one it wrote.
    """
    from benchmark.report import model

    view = model.load_run(Path(folder))
    model.check_untouched(view)
    return Results(view.folder, view.samples, view.groups, view.gaps, view.effects)
