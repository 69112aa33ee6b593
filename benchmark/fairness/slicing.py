"""Users' own slicing of the samples, with fairlearn's ``MetricFrame``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import DataError

if TYPE_CHECKING:
    from fairlearn.metrics import MetricFrame


def metric_frame(
    samples: pd.DataFrame,
    metric: str | Sequence[str],
    *,
    sensitive_features: str | Sequence[str],
    control_features: str | Sequence[str] | None = None,
    system: str,
    arm: str = "",
) -> MetricFrame:
    """fairlearn's ``MetricFrame`` of item means, for one system and arm.

    It averages items, not clusters, and leaves missing values out: use it to look around; the
    claims are in the group and gap tables.

    Args:
        samples: the samples table of a run.
        metric: one column, or several (then ``by_group`` is a table).
        sensitive_features: columns to group by.
        control_features: columns to condition on.
        system: whose rows.
        arm: which arm of it; several seeds are pooled.

    Raises:
        DataError: if a column or the system is not in the table.
    """
    from fairlearn.metrics import MetricFrame

    names = _listed(metric)
    by, control = _listed(sensitive_features), _listed(control_features or ())
    missing = [c for c in (*names, *by, *control) if c not in samples.columns]
    if missing:
        raise DataError(
            f"there is no column {', '.join(missing)}",
            where="samples",
            mend=f"columns: {', '.join(samples.columns)}",
        )
    words = [name for name in names if not pd.api.types.is_numeric_dtype(samples[name])]
    if words:
        raise DataError(
            f"{', '.join(words)} holds no numbers", where="samples", mend="name a metric's column"
        )
    rows = samples[(samples["system"] == system) & (samples["arm"] == arm)]
    if rows.empty:
        pairs = samples[["system", "arm"]].drop_duplicates().to_numpy()
        known = sorted(f"{s}/{a}" if a else str(s) for s, a in pairs)
        raise DataError(
            f"there are no samples of {system!r}, arm {arm!r}",
            where="samples",
            mend=f"systems: {', '.join(known)}",
        )
    index = np.arange(len(rows))
    columns = {name: rows[name].to_numpy(dtype=np.float64) for name in names}

    def mean_of(name: str) -> Callable[..., float]:
        def item_mean(y_true: object, y_pred: NDArray[np.int64]) -> float:
            picked = columns[name][np.asarray(y_pred, dtype=np.int64)]
            finite = picked[np.isfinite(picked)]
            return float(finite.mean()) if len(finite) else float("nan")

        item_mean.__name__ = name
        return item_mean

    chosen = {name: mean_of(name) for name in names}
    return MetricFrame(
        metrics=chosen[names[0]] if isinstance(metric, str) else chosen,
        y_true=index,
        y_pred=index,
        sensitive_features=rows[by].reset_index(drop=True),
        control_features=rows[control].reset_index(drop=True) if control else None,
    )


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
