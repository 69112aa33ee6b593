from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from benchmark.fairness.flips import (
    difference_interval,
    rate_interval,
    sign_flip_p,
    total_variance,
)


def ones(n: int) -> np.ndarray:
    return np.ones(n)


@pytest.mark.parametrize(
    ("worse", "better"), [(0, 1), (3, 9), (12, 12), (0, 40), (130, 170), (701, 640)]
)
def test_where_clusters_are_single_pictures_it_is_mcnemars_exact_test(
    worse: int, better: int
) -> None:
    expected = mcnemar([[500, worse], [better, 80]], exact=True).pvalue
    sums = np.repeat([-1, 1, 0], [worse, better, 580])
    assert sign_flip_p(sums) == pytest.approx(expected, rel=1e-6, abs=2e-15)


def test_it_is_the_share_of_all_signs_that_go_as_far() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        sums = random.integers(-4, 5, size=9)
        signs = np.array(list(product([-1, 1], repeat=9)))
        expected = (np.abs(signs @ sums) >= abs(sums.sum())).mean()
        assert sign_flip_p(sums) == pytest.approx(expected, abs=1e-12)


def test_edges_of_the_test() -> None:
    assert sign_flip_p(np.array([], dtype=int)) == 1
    assert sign_flip_p(np.zeros(5, dtype=int)) == 1
    assert sign_flip_p(np.array([7])) == 1  # one cluster is no evidence, however large
    assert sign_flip_p(np.array([3, 3])) == pytest.approx(0.5)
    assert sign_flip_p(np.array([6, -6])) == 1
    assert sign_flip_p(np.ones(2000, dtype=int)) == 1e-15
    # what all clusters share is only a unit
    assert sign_flip_p(np.array([2, 2, 4, 2])) == sign_flip_p(np.array([1, 1, 2, 1]))


def test_variance_of_a_mean_of_single_pictures_is_the_textbook_one() -> None:
    values = np.array([1.0, 0, -1, 1, 1, 0, 0])
    assert total_variance(values, ones(7)) == pytest.approx(values.var(ddof=1) / 7)
    assert np.isnan(total_variance(values[:1], ones(1)))


def test_the_interval_of_independent_pairs_is_bonett_and_prices() -> None:
    """Their formula by hand: Laplace-adjusted shares of the discordant pairs, n + 2 pairs."""
    worse, better = (np.repeat([1.0, 0, 0], [5, 15, 60]), np.repeat([0, 1.0, 0], [5, 15, 60]))
    low, high = difference_interval(worse=worse, better=better, items=ones(80), level=0.95)
    p, q = 6 / 82, 16 / 82
    reach = 1.959964 * np.sqrt((p + q - (q - p) ** 2) / 82)
    assert (low, high) == pytest.approx((q - p - reach, q - p + reach), abs=1e-6)


def test_pictures_that_repeat_each_other_add_nothing() -> None:
    random = np.random.default_rng(1)
    better, worse = random.random(60) < 0.3, random.random(60) < 0.1
    better &= ~worse
    one = difference_interval(worse=worse * 1.0, better=better * 1.0, items=ones(60), level=0.95)
    # five equal pictures a cluster: as many clusters, no more information
    five = difference_interval(
        worse=worse * 5.0, better=better * 5.0, items=ones(60) * 5, level=0.95
    )
    assert five == pytest.approx(one, abs=0.01)
    rate_one = rate_interval(better * 1.0, ones(60), level=0.95)
    rate_five = rate_interval(better * 5.0, ones(60) * 5, level=0.95)
    assert rate_five == pytest.approx(rate_one, abs=0.01)


def test_rates_of_single_pictures_have_wilsons_interval() -> None:
    events = np.repeat([1.0, 0.0], [7, 33])
    expected = proportion_confint(7, 40, method="wilson")
    assert rate_interval(events, ones(40), level=0.95) == pytest.approx(expected)
    # clusters that had nothing to lose say nothing of harm
    padded = np.concatenate([events, np.zeros(60)]), np.repeat([1.0, 0.0], [40, 60])
    assert rate_interval(*padded, level=0.95) == pytest.approx(expected)


def test_intervals_of_nothing_and_of_one_cluster_are_unknown_or_wide() -> None:
    assert np.isnan(rate_interval(np.zeros(0), np.zeros(0), level=0.95)).all()
    nothing = difference_interval(
        worse=np.zeros(1), better=ones(1), items=np.array([4.0]), level=0.95
    )
    assert np.isnan(nothing).all()
    never = difference_interval(worse=np.zeros(9), better=np.zeros(9), items=ones(9), level=0.95)
    assert never[0] < -0.1 < 0.1 < never[1]


def twins(
    random: np.random.Generator, clusters: int, size: int, *, skew: float
) -> tuple[np.ndarray, np.ndarray]:
    """What turned worse and better, in equal number on average, in scenes that share their fate.

    With ``skew`` a share of the scenes loses most pictures and the others gain a few: nothing
    changes on average, but the sums of the scenes are not symmetric.
    """
    draw = random.random((clusters, size))
    if skew:
        lost = random.random((clusters, 1)) < skew
        worse, better = lost & (draw < 0.8), ~lost & (draw < 0.8 * skew / (1 - skew))
        return worse.sum(1), better.sum(1)
    mood = random.normal(0, 1.5, (clusters, 1))
    worse, better = draw < 0.5 / (1 + np.exp(1.5 - mood)), draw > 1 - 0.5 / (1 + np.exp(1.5 + mood))
    return worse.sum(1), better.sum(1)


@pytest.mark.parametrize(
    ("clusters", "size", "skew"),
    [(8, 12, 0), (12, 8, 0), (40, 4, 0), (150, 2, 0), (40, 4, 0.3), (150, 4, 0.2)],
)
def test_the_test_keeps_its_level_and_intervals_cover_when_twins_share_their_fate(
    clusters: int, size: int, skew: float
) -> None:
    random = np.random.default_rng(clusters)
    runs, rejected, naive, covered = 600, 0, 0, 0
    items = np.full(clusters, float(size))
    for _ in range(runs):
        worse, better = twins(random, clusters, size, skew=skew)
        rejected += sign_flip_p(better - worse) <= 0.05
        naive += sign_flip_p(np.repeat([-1, 1], [worse.sum(), better.sum()])) <= 0.05
        low, high = difference_interval(
            worse=worse * 1.0, better=better * 1.0, items=items, level=0.95
        )
        covered += low <= 0 <= high
    assert rejected / runs <= 0.065
    assert covered / runs >= 0.93
    assert naive > 1.5 * rejected  # what a test over pictures would have done


@pytest.mark.parametrize(("clusters", "size", "rate"), [(15, 8, 0.1), (40, 4, 0.3), (120, 4, 0.04)])
def test_intervals_of_rates_cover_when_twins_share_their_fate(
    clusters: int, size: int, rate: float
) -> None:
    random = np.random.default_rng(clusters)
    runs, covered, naive = 600, 0, 0
    for _ in range(runs):
        items = random.integers(1, size + 1, clusters)
        chance = random.beta(rate * 2, (1 - rate) * 2, clusters)  # correlation within: 1 / 3
        events = random.binomial(items, chance)
        low, high = rate_interval(events * 1.0, items * 1.0, level=0.95)
        covered += low <= rate <= high
        low, high = proportion_confint(events.sum(), items.sum(), method="wilson")
        naive += low <= rate <= high
    assert covered / runs >= 0.93
    assert naive < covered
