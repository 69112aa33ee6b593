"""How far a context predictor can be trusted, and for whom.

A face that is not recognised as one loses the identity term exactly where it is needed, so recall
is reported per group and per exposure, not only overall (methods, section 1.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.contexts.base import CONTEXTS

Vectors = NDArray[np.floating]
Labels = NDArray[np.integer]


def accuracy(vectors: Vectors, labels: Labels) -> float:
    """Share of samples whose largest probability is at the label; NaN without samples."""
    return float((vectors.argmax(1) == labels).mean()) if len(labels) else float("nan")


def calibration_error(vectors: Vectors, labels: Labels, *, bins: int = 15) -> float:
    """Expected calibration error in [0, 1] (Guo et al. 2017): bins of equal width.

    Args:
        vectors: ``[N, K]`` probabilities.
        labels: ``[N]``.
        bins: number of bins of the largest probability over [0, 1].

    Returns:
        Mean over samples of ``|accuracy - confidence|`` of their bin; NaN without samples.
    """
    if not len(labels):
        return float("nan")
    confidence = vectors.max(1).astype(float)
    correct = (vectors.argmax(1) == labels).astype(float)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def told_card(vectors: Vectors, labels: Labels) -> dict[str, Any]:
    """What a predictor said about pictures whose context is known, by context.

    Returns:
        ``n``, ``accuracy``, ``ece`` (of answers; None without any), ``no_answer`` (pictures whose
        vector is the same in every context: nothing was said about them, and that is not right)
        and, for every context that has a picture, ``n``, ``recall`` and ``probability`` (mean
        p(context|x)).
    """
    answered = (vectors != 1 / len(CONTEXTS)).any(1)
    right = answered & (vectors.argmax(1) == labels)
    error = calibration_error(vectors[answered], labels[answered])
    return {
        "n": len(labels),
        "accuracy": float(right.mean()),
        "ece": error if answered.any() else None,
        "no_answer": int((~answered).sum()),
        "by_context": {
            name: {
                "n": int(mine.sum()),
                "recall": float(right[mine].mean()),
                "probability": float(vectors[mine, column].mean()),
            }
            for column, name in enumerate(CONTEXTS)
            if (mine := labels == column).any()
        },
    }


def recall_table(
    vectors: Vectors, labels: Labels, strata: pd.DataFrame, *, context: str, by: Sequence[str]
) -> pd.DataFrame:
    """Recall of one context in every stratum.

    Args:
        vectors: ``[N, K]`` probabilities.
        labels: ``[N]``.
        strata: ``N`` rows with the columns ``by``.
        context: whose recall.
        by: for example ``("tone_level", "exposure")``.

    Returns:
        One row per stratum: ``by``, ``n``, ``recall`` (share where it has the largest probability)
        and ``probability`` (mean p(context|x): the share of its protection that remains).
    """
    column = CONTEXTS.index(context)
    mine = labels == column
    rows = strata.loc[mine, list(by)].assign(
        recall=(vectors[mine].argmax(1) == column).astype(float),
        probability=vectors[mine, column].astype(float),
    )
    grouped = rows.groupby(list(by), sort=True, observed=True)
    table: pd.DataFrame = grouped.agg(
        n=("recall", "size"), recall=("recall", "mean"), probability=("probability", "mean")
    )
    return table.reset_index()
