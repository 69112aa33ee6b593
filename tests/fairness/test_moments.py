"""Variances, covariances and degrees of freedom against scipy's t tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.fairness.cells import partition
from benchmark.fairness.moments import moments

RNG = np.random.default_rng(3)


def _difference(n: int = 1) -> np.ndarray:
    return np.repeat([[1.0], [-1.0]], n, axis=1)


def test_nested_groups_give_welchs_test() -> None:
    a, b = RNG.normal(size=12), RNG.normal(0, 3, size=30)
    group = np.repeat([0, 1], [12, 30])
    values = np.concatenate([a, b])[:, None]
    found = moments(partition(group, np.arange(42), ("a", "b")), values)
    estimate, se, df = found.contrast(_difference())
    oracle = stats.ttest_ind(a, b, equal_var=False)
    assert estimate[0] / se[0] == pytest.approx(oracle.statistic)
    assert df[0] == pytest.approx(oracle.df)
    np.testing.assert_allclose(found.variance[:, 0], [a.var(ddof=1) / 12, b.var(ddof=1) / 30])


def test_crossed_groups_give_the_paired_test() -> None:
    person = RNG.normal(size=20)
    a, b = person + RNG.normal(0, 0.1, 20), person + RNG.normal(0, 0.1, 20)
    values = np.stack([a, b], axis=1).ravel()[:, None]
    parts = partition(np.tile([0, 1], 20), np.repeat(np.arange(20), 2), ("a", "b"))
    estimate, se, df = moments(parts, values).contrast(_difference())
    oracle = stats.ttest_rel(a, b)
    assert estimate[0] / se[0] == pytest.approx(oracle.statistic)
    assert df[0] == pytest.approx(oracle.df)


def test_covariance_of_crossed_groups_is_that_of_numpy() -> None:
    table = RNG.multivariate_normal(np.zeros(3), np.eye(3) + 0.5, size=25)
    parts = partition(np.tile([0, 1, 2], 25), np.repeat(np.arange(25), 3), ("a", "b", "c"))
    covariance = moments(parts, table.ravel()[:, None]).covariance()[..., 0]
    np.testing.assert_allclose(covariance, np.cov(table.T) / 25, atol=1e-15)


def test_missing_values_leave_the_rest_as_if_they_were_not_there() -> None:
    x = RNG.normal(size=30)
    x[[3, 4, 20]] = np.nan
    found = moments(partition(np.repeat([0, 1], 15), np.arange(30), ("a", "b")), x[:, None])
    for g, whole in enumerate((x[:15], x[15:])):
        part = whole[np.isfinite(whole)]
        assert found.mean[g, 0] == pytest.approx(part.mean())
        assert found.sd[g, 0] == pytest.approx(part.std(ddof=1))
        assert found.variance[g, 0] == pytest.approx(part.var(ddof=1) / len(part))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 0.1])
def test_equal_values_have_no_variance_at_all(value: float) -> None:
    found = moments(
        partition(np.repeat([0, 1], 9), np.arange(18), ("a", "b")), np.full((18, 1), value)
    )
    _, se, _ = found.contrast(_difference())
    assert found.sd[0, 0] == 0
    assert se[0] == 0


def test_one_cluster_has_a_mean_but_no_variance() -> None:
    found = moments(partition(np.array([0, 1, 1]), np.arange(3), ("a", "b")), np.ones((3, 1)))
    assert found.mean[0, 0] == 1
    assert np.isnan(found.variance[0, 0])
    assert np.isnan(found.contrast(_difference())[1][0])


def test_an_empty_group_has_no_mean() -> None:
    found = moments(partition(np.array([0, 0]), np.arange(2), ("a", "b")), np.ones((2, 1)))
    assert np.isnan(found.mean[1, 0])
    assert found.n[1, 0] == 0


def test_variance_of_a_half_crossed_design_is_that_of_the_simulated_means() -> None:
    """30 people in both groups and 10 in each alone: the analytic variance of the difference."""
    group = np.concatenate([np.tile([0, 1], 30), np.repeat([0, 1], 10)])
    cluster = np.concatenate([np.repeat(np.arange(30), 2), np.arange(30, 50)])
    parts = partition(group, cluster, ("a", "b"))
    tables = RNG.normal(size=(50, 4000))[cluster] + RNG.normal(0, 0.5, size=(80, 4000))
    estimate, se, _ = moments(parts, tables).contrast(_difference(4000))
    assert (se**2).mean() == pytest.approx(estimate.var(), rel=0.08)
