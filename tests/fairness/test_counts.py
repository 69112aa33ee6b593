"""Tests of counts: textbook statistics, exact null distributions, and clusters honoured."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import SquareTable

from benchmark.fairness.cells import Partition, partition
from benchmark.fairness.counts import goodness_of_fit, homogeneity, symmetry

NAMES = ("a", "b", "c")


def in_cells(
    group: NDArray[np.int64], cluster: NDArray[np.int64], hit: NDArray[np.float64]
) -> tuple[Partition, NDArray[np.float64]]:
    parts = partition(group, cluster, NAMES)
    sums, counts = parts.sums(hit, np.zeros(len(hit), dtype=np.int64), 1)
    return parts, sums / counts


def test_homogeneity_is_pearsons_chi2_for_independent_images() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1, 2], [120, 200, 80])
    hit = (rng.random(400) < np.array([0.6, 0.5, 0.45])[group]).astype(float)
    parts, cells = in_cells(group, np.arange(400), hit)
    statistic, p = homogeneity(parts, cells, np.ones(3, bool), seed=1, draws=9999)
    table = [[hit[group == g].sum(), (1 - hit[group == g]).sum()] for g in range(3)]
    expected = stats.chi2_contingency(table, correction=False)
    assert statistic[0] == pytest.approx(expected.statistic)
    assert p[0] == pytest.approx(expected.pvalue, abs=0.02)


def test_homogeneity_of_a_sparse_table_is_exact() -> None:
    group, hit = np.repeat([0, 1], [6, 9]), np.zeros(15)
    hit[[0, 1, 2, 3, 4, 6, 7]] = 1  # 5 of 6 and 2 of 9
    parts, cells = in_cells(group, np.arange(15), hit)
    statistic, p = homogeneity(parts, cells, np.array([True, True, False]), seed=0, draws=19_999)
    first = np.arange(8)
    margin = stats.hypergeom(15, 7, 6).pmf(first)
    chi2 = [
        stats.chi2_contingency([[k, 6 - k], [7 - k, 2 + k]], correction=False).statistic
        if 0 <= k <= 6
        else np.inf
        for k in first
    ]
    exact = margin[np.array(chi2) >= statistic[0] * (1 - 1e-9)].sum()
    assert p[0] == pytest.approx(exact, abs=0.004)


def test_homogeneity_without_variation_or_second_group() -> None:
    group = np.repeat([0, 1], 10)
    parts, cells = in_cells(group, np.arange(20), np.ones(20))
    assert homogeneity(parts, cells, np.array([True, True, False]), seed=0, draws=99) == (0.0, 1.0)
    only = homogeneity(parts, cells, np.array([True, False, False]), seed=0, draws=99)
    assert np.isnan(only).all()


@pytest.mark.parametrize("design", ["twins", "nested", "mixed"])
def test_type_one_error_with_clusters(design: str) -> None:
    """Persons differ in how often they are hit; groups do not. Plain chi2 gets this wrong."""
    rng, wrong, plain, trials = np.random.default_rng(3), 0, 0, 300
    person = np.arange(45)
    if design == "twins":  # everybody in all three groups, once
        cluster, group = np.repeat(person, 3), np.tile([0, 1, 2], 45)
    elif design == "nested":  # eight images of everybody, in one group
        cluster = np.repeat(person, 8)
        group = cluster % 3
    else:  # some in all groups, some in one
        cluster = np.concatenate([np.repeat(person[:20], 3), np.repeat(person[20:], 2)])
        group = np.concatenate([np.tile([0, 1, 2], 20), np.repeat(person[20:] % 3, 2)])
    for trial in range(trials):
        talent = rng.beta(0.6, 0.6, 45)
        hit = (rng.random(len(cluster)) < talent[cluster]).astype(float)
        parts, cells = in_cells(group, cluster, hit)
        _, p = homogeneity(parts, cells, np.ones(3, bool), seed=trial, draws=199)
        wrong += int(p[0] <= 0.05)
        table = [[hit[group == g].sum(), (1 - hit[group == g]).sum()] for g in range(3)]
        plain += int(stats.chi2_contingency(table, correction=False).pvalue <= 0.05)
    assert 0.02 <= wrong / trials <= 0.08
    if design == "twins":
        assert plain / trials < 0.02
    if design == "nested":
        assert plain / trials > 0.3


def test_twins_are_not_conservative() -> None:
    """A loss that plain chi2 misses: every dark twin of a hit is a miss more often."""
    rng = np.random.default_rng(0)
    talent = rng.beta(0.3, 0.3, 50)
    hit = (rng.random((50, 3)) < 0.5) | (talent[:, None] > 0.5)
    hit &= talent[:, None] > 0.2
    hit[:10, 2] = False
    flat = hit.astype(float).ravel()
    group, cluster = np.tile([0, 1, 2], 50), np.repeat(np.arange(50), 3)
    parts, cells = in_cells(group, cluster, flat)
    _, p = homogeneity(parts, cells, np.ones(3, bool), seed=0, draws=1999)
    table = [[flat[group == g].sum(), (1 - flat[group == g]).sum()] for g in range(3)]
    assert p[0] < stats.chi2_contingency(table, correction=False).pvalue


def test_goodness_of_fit_statistic_and_level() -> None:
    rng, q, rejected = np.random.default_rng(5), np.array([0.5, 0.3, 0.2]), 0
    for trial in range(300):
        truth = np.repeat([0, 1, 2], [50, 30, 20])
        # errors that leave the shares alone on average
        seen = np.where(rng.random(100) < 0.3, rng.choice(3, 100, p=q), truth)
        difference = (np.eye(3)[seen] - np.eye(3)[truth]) / 100
        statistic, p = goodness_of_fit(difference, q, n=100, seed=trial, draws=199)
        rejected += int(p <= 0.05)
    observed = np.bincount(seen, minlength=3)
    assert statistic == pytest.approx(stats.chisquare(observed, q * 100).statistic)
    assert 0.02 <= rejected / 300 <= 0.08


def test_goodness_of_fit_sees_a_lack() -> None:
    truth, seen = np.repeat([0, 1, 2], 30), np.repeat([0, 0, 2], 30)
    difference = (np.eye(3)[seen] - np.eye(3)[truth]) / 90
    assert goodness_of_fit(difference, np.full(3, 1 / 3), n=90, seed=0, draws=999)[1] == 0.001


def test_symmetry_is_bowkers_test() -> None:
    rng = np.random.default_rng(2)
    pairs = np.array([rng.multinomial(1, [0.5, 0.08, 0.06, 0.1, 0.06, 0.05, 0.04, 0.05, 0.06])
                      for _ in range(600)]).reshape(-1, 3, 3).astype(float)  # fmt: skip
    table = pairs.sum(axis=0)
    statistic, p = symmetry(table, pairs, seed=0, draws=9999)
    expected = SquareTable(table, shift_zeros=False).symmetry()
    assert statistic == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, abs=0.02)


def test_symmetry_of_two_levels_is_the_exact_mcnemar_test() -> None:
    table = np.array([[20.0, 9.0], [2.0, 20.0]])
    pairs = np.concatenate(
        [np.eye(4)[[k] * int(table.flat[k])].reshape(-1, 2, 2) for k in range(4)]
    )
    _, p = symmetry(table, pairs, seed=0, draws=19_999)
    assert p == pytest.approx(stats.binomtest(2, 11).pvalue, abs=0.005)


def test_symmetry_without_a_flip() -> None:
    assert symmetry(np.diag([3.0, 4.0]), np.zeros((7, 2, 2)), seed=0, draws=99) == (0.0, 1.0)
