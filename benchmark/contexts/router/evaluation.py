"""How good a classifier of degradations is: counts, rates and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.contexts.evaluation import calibration_error
from benchmark.contexts.router.base import CLASSES, NO_ANSWER, Decision

Counts = NDArray[np.int64]
Labels = NDArray[np.integer]


def confusion(labels: Labels, routes: Labels) -> Counts:
    """``[5, 5]``: how many pictures of the row's class were given the column's."""
    table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(table, (np.asarray(labels), np.asarray(routes)), 1)
    return table


def recalls(table: Counts) -> NDArray[np.float64]:
    """Share of each class that was found, ``[5]``; NaN for a class without pictures."""
    with np.errstate(invalid="ignore"):
        share: NDArray[np.float64] = np.diag(table) / table.sum(1)
    return share


def macro_f1(table: Counts) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN), in [0, 1].

    A class that neither occurs nor is ever named does not count; NaN if none does.
    """
    hit = np.diag(table).astype(float)
    named = table.sum(0) + table.sum(1)
    occurs = named > 0
    return float((2 * hit[occurs] / named[occurs]).mean()) if occurs.any() else float("nan")


def best_guess(decision: Decision, labels: Labels) -> float:
    """Share of pictures whose most probable class, believed or not, is the label.

    No answer is a wrong one; NaN without pictures.
    """
    if not len(labels):
        return float("nan")
    answered = np.isfinite(decision.probabilities).all(1)
    guess = np.where(answered, np.nan_to_num(decision.probabilities).argmax(1), -1)
    return float((guess == labels).mean())


def summary(decision: Decision, labels: Labels) -> dict[str, Any]:
    """Everything that one table row says about a classifier.

    Returns:
        ``n``, ``accuracy`` (of the routes, so an abstention is right where nothing is wrong),
        ``macro_f1``, ``ece`` (over pictures with an answer), ``abstained`` and ``no_answer``
        (shares) and ``recall`` by class.
    """
    labels = np.asarray(labels)
    table = confusion(labels, decision.routes)
    answered = decision.status != NO_ANSWER
    return {
        "n": len(labels),
        "accuracy": float((decision.routes == labels).mean()) if len(labels) else float("nan"),
        "macro_f1": macro_f1(table),
        "ece": calibration_error(decision.probabilities[answered], labels[answered]),
        "abstained": float(decision.abstained.mean()) if len(labels) else float("nan"),
        "no_answer": float((~answered).mean()) if len(labels) else float("nan"),
        "recall": dict(zip(CLASSES, recalls(table).tolist(), strict=True)),
    }
