"""Improved precision and recall: against a loop, and at one size for all groups."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.fairness.neighbours import precision_recall

Floats = NDArray[np.float64]


def loop(points: Floats, queries: Floats) -> float:
    """Share of queries within the third-neighbour ball of any point."""
    radius = [sorted(np.linalg.norm(points - p, axis=1))[3] for p in points]
    inside = [
        any(np.linalg.norm(q - p) <= r for p, r in zip(points, radius, strict=True))
        for q in queries
    ]
    return float(np.mean(inside))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_against_a_loop() -> None:
    x, y = rng().normal(size=(40, 3)), np.random.default_rng(1).normal(size=(40, 3)) * 1.5 + 0.5
    found = precision_recall(x, y, size=40, rng=rng())
    assert found == pytest.approx((loop(x, y), loop(y, x)))
    assert 0 < found[0] < 1


def test_identical_sets_and_far_ones() -> None:
    x = rng().normal(size=(30, 5)) + 1e3
    assert precision_recall(x, x.copy(), size=30, rng=rng()) == (1.0, 1.0)
    assert precision_recall(x, x + 100, size=30, rng=rng()) == (0.0, 0.0)


def test_collapse_keeps_precision_and_loses_recall() -> None:
    x = rng().normal(size=(100, 4))
    collapsed = x * 0.05
    precision, recall = precision_recall(x, collapsed, size=100, rng=rng())
    assert precision == 1.0
    assert recall < 0.1


def test_thinning_makes_groups_comparable() -> None:
    """One distribution, two sizes: what differs at full size agrees at the common one."""

    def draw(n: int) -> tuple[Floats, Floats]:
        return made.normal(size=(n, 3)), 2 * made.normal(size=(n, 3))

    made, many, few, unthinned = np.random.default_rng(3), [], [], []
    for _ in range(24):
        x, y = draw(300)
        unthinned.append(precision_recall(x, y, size=300, rng=made)[0])
        many.append(precision_recall(x, y, size=50, rng=made)[0])
        few.append(precision_recall(*draw(50), size=50, rng=made)[0])
    error = np.hypot(np.std(many), np.std(few)) / np.sqrt(24)
    assert abs(np.mean(many) - np.mean(few)) < 3 * error
    assert np.mean(unthinned) - np.mean(few) > 3 * error


def test_too_few() -> None:
    x = rng().normal(size=(3, 2))
    assert np.isnan(precision_recall(x, x, size=3, rng=rng())).all()
