from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from benchmark.metrics.verification import (
    accepted,
    best,
    comparisons,
    false_matches,
    threshold,
)


@pytest.mark.parametrize(
    ("count", "rate"),
    [(0, np.nan), (299, np.nan), (300, 0.1), (2999, 0.1), (3000, 0.01), (30_000, 0.001)],
)
def test_the_rate_is_the_smallest_that_the_comparisons_resolve(count: int, rate: float) -> None:
    point = threshold(np.random.default_rng(0).random(count))
    assert point.impostors == count
    np.testing.assert_equal(point.rate, rate)
    np.testing.assert_equal(np.isnan(point.tau), np.isnan(rate))


@pytest.mark.parametrize("decimals", [None, 2], ids=["distinct scores", "many ties"])
def test_the_operating_point_is_the_one_of_the_roc_curve(decimals: int | None) -> None:
    random = np.random.default_rng(1)
    impostor, genuine = random.normal(0.8, 0.05, 5000), random.normal(0.93, 0.05, 700)
    if decimals is not None:
        impostor, genuine = impostor.round(decimals), genuine.round(decimals)
    point = threshold(impostor)
    assert point.rate == 0.01
    false, true, _ = roc_curve(
        np.repeat([0, 1], [5000, 700]),
        np.concatenate([impostor, genuine]),
        drop_intermediate=False,
    )
    allowed = false <= 0.01
    assert point.realised == pytest.approx(false[allowed].max())
    # between two impostor scores the curve still climbs: ours is the end of that climb
    assert accepted(genuine, point.tau).mean() == pytest.approx(true[allowed].max())


def test_equal_scores_are_all_refused() -> None:
    point = threshold(np.full(1000, 0.5))
    assert point.realised == 0
    assert accepted(np.array([0.5, 0.500001]), point.tau).tolist() == [0, 1]


def test_unknown_scores_stay_unknown() -> None:
    np.testing.assert_array_equal(accepted(np.array([np.nan, 1.0]), 0.5), [np.nan, 1])
    assert np.isnan(accepted(np.array([1.0]), np.nan)).all()
    scores = np.array([[np.nan, np.nan], [0.9, 0.1]])
    every = np.ones((2, 2), bool)
    np.testing.assert_array_equal(best(scores, every), [np.nan, 0.9])
    np.testing.assert_array_equal(best(scores, ~every), [np.nan, np.nan])
    np.testing.assert_array_equal(false_matches(scores, every, 0.5), [np.nan, 0.5])
    assert np.isnan(false_matches(scores, ~every, 0.5)).all()
    assert np.isnan(best(np.empty((3, 0)), np.empty((3, 0), bool))).all()


def test_one_cohort_compares_everybody_with_everybody() -> None:
    own, impostor = comparisons(np.array(list("aab"), object), np.array(list("abc"), object))
    assert own.astype(int).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert impostor.astype(int).tolist() == [[0, 1, 1], [0, 1, 1], [1, 0, 1]]


def test_cohorts_are_kept_apart_and_of_one_size() -> None:
    gallery = np.array(list("abcdabc"), object)
    cohorts = np.array(list("1111222"), object)
    own, impostor = comparisons(
        np.array(list("aca"), object), gallery, np.array(list("112"), object), cohorts
    )
    assert own.astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0],
    ]
    # two impostors each, as many as the smaller cohort has
    assert impostor.sum(1).tolist() == [2, 2, 2]
    assert impostor.astype(int).tolist() == [
        [0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]
    assert not (own & impostor).any()


def test_unequal_galleries_would_not_be_comparable() -> None:
    """The reason for the rule: with chance embeddings the switch rate is the gallery's size."""
    random = np.random.default_rng(2)
    scores = random.random((4000, 40))
    clusters = np.arange(4000) % 40
    cohort = np.repeat(["1", "2"], [30, 10]).astype(object)
    own, impostor = comparisons(
        clusters.astype(object), np.arange(40).astype(object), cohort[clusters], cohort
    )
    switched = best(scores, impostor) > best(scores, own)
    rates = [switched[cohort[clusters] == name].mean() for name in ("1", "2")]
    # nine impostors and oneself, all alike: nine times in ten somebody else is nearer
    np.testing.assert_allclose(rates, 0.9, atol=0.03)
