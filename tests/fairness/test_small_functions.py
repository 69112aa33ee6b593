"""Corrections, indices, power: golden numbers of the specification and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import tt_solve_power
from statsmodels.stats.weightstats import ttost_ind

from benchmark.fairness import indices, power
from benchmark.fairness.adjust import benjamini_hochberg, holm

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(PROBABILITIES)
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(PROBABILITIES)
def test_benjamini_hochberg_is_that_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(
        benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-12
    )


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_tests_that_were_not_made_do_not_count(correct: object) -> None:
    assert callable(correct)
    with_gap = correct([0.01, np.nan, 0.04])
    assert np.isnan(with_gap[1])
    np.testing.assert_allclose(with_gap[[0, 2]], correct([0.01, 0.04]))
    assert correct([]).shape == (0,)
    assert np.isnan(correct([np.nan])).all()


def test_gini_golden_and_edges() -> None:
    assert indices.gini(np.array([0.01, 0.02, 0.03])) == pytest.approx(1 / 3)
    assert indices.gini(np.array([0.2, 0.2])) == 0
    assert indices.gini(np.zeros(3)) == 0
    assert np.isnan(indices.gini(np.array([0.1])))
    assert np.isnan(indices.gini(np.array([0.1, -0.1])))


def test_gini_is_one_if_one_group_has_it_all() -> None:
    assert indices.gini(np.array([0, 0, 0, 1.0])) == pytest.approx(1)


def test_v_dc_golden_and_edges() -> None:
    assert indices.v_dc(np.array([30.0, 31, 32]), np.full(3, 0.1)) == pytest.approx(0.9)
    assert indices.v_dc(np.ones(3), np.full(3, 0.1)) == pytest.approx(-0.1)
    assert np.isnan(indices.v_dc(np.ones(1), np.ones(1)))


def test_shrinkage_pulls_noisy_means_in_and_all_to_one_without_true_variance() -> None:
    mean = np.array([30.0, 31, 32])
    shrunk = indices.shrunk_means(mean, np.array([0.1, 0.1, 5.0]))
    assert np.all(np.abs(shrunk - 31) <= np.abs(mean - 31))
    np.testing.assert_allclose(indices.shrunk_means(mean, np.full(3, 9.0)), 31)


def test_divergences_golden() -> None:
    found = indices.divergences(np.array([0.5, 0.3, 0.2]), np.full(3, 1 / 3))
    assert found["chi2"] == pytest.approx(0.14)
    assert found["cheb"] == pytest.approx(0.1667, abs=5e-5)
    assert found["tv_l1"] == pytest.approx(0.3333, abs=5e-5)
    assert found["kl"] == pytest.approx(0.06896, abs=5e-6)
    with pytest.raises(ValueError, match="positive"):
        indices.divergences(np.ones(2) / 2, np.array([1.0, 0.0]))


def test_divergence_of_an_absent_class_is_finite() -> None:
    found = indices.divergences(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    assert found["kl"] == pytest.approx(np.log(2))
    assert 0 < found["js"] < np.log(2)


def test_ratio_and_skewness_edges() -> None:
    assert indices.min_max_ratio(np.array([0.4, 0.8])) == pytest.approx(0.5)
    assert np.isnan(indices.min_max_ratio(np.array([-1.0, 0.0])))
    assert np.isnan(indices.min_max_ratio(np.array([0.4])))
    assert indices.skewness_ratio(np.array([0.8, 0.9])) == pytest.approx(2)
    assert indices.skewness_ratio(np.array([0.8, 1.0])) == np.inf
    assert indices.skewness_ratio(np.ones(2)) == 1


def test_equity_scaled_uses_the_population_deviation() -> None:
    assert indices.equity_scaled(0.8, np.array([0.7, 0.9])) == pytest.approx(0.8 / 1.1)


def test_tail_mean_needs_five_values() -> None:
    assert indices.lower_tail_mean(np.arange(100.0)) == pytest.approx(4.5)
    assert np.isnan(indices.lower_tail_mean(np.arange(49.0)))


@pytest.mark.parametrize(
    ("sd", "margin", "n"),
    [
        (0.5, 0.05, 857),
        (0.5, 0.1, 215),
        (0.5, 0.2, 54),
        (1, 0.05, 3426),
        (1, 0.1, 857),
        (1, 0.2, 215),
    ],
)
def test_required_n_golden(sd: float, margin: float, n: int) -> None:
    assert power.required_n(sd, margin) == n


def test_detectable_difference_is_that_of_statsmodels() -> None:
    n = 40
    oracle = tt_solve_power(nobs=n, alpha=0.05, power=0.9)
    assert power.detectable(1 / np.sqrt(n), n - 1) == pytest.approx(oracle, rel=0.01)


def test_equivalence_is_statsmodels_two_one_sided_tests() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 60), rng.normal(0.1, 2, 80)
    found = power.equivalence(a, b, margin=0.8)
    assert found.p_value == pytest.approx(ttost_ind(a, b, -0.8, 0.8, usevar="unequal")[0])
    assert found.verdict == "pass"
    assert power.equivalence(a, b, margin=0.05).verdict == "inconclusive"
    assert power.equivalence(a, b + 5, margin=0.8).verdict == "fail"


def test_non_inferiority_is_a_one_sided_t_test_against_the_margin() -> None:
    d = np.random.default_rng(0).normal(0, 0.5, 50)
    found = power.non_inferiority(d, margin=0.2)
    assert found.p_value == pytest.approx(stats.ttest_1samp(d, -0.2, alternative="greater").pvalue)
    assert found.verdict == "pass"
    assert power.non_inferiority(d - 1, margin=0.2).verdict == "fail"
    undecided = power.non_inferiority(d[:6] - 0.15, margin=0.2)
    assert undecided.verdict == "inconclusive"
    assert undecided.n_needed > 6


def test_constant_differences_are_decided_without_dividing_by_zero() -> None:
    assert power.non_inferiority(np.zeros(5), margin=0.1).p_value == 0
    assert power.non_inferiority(np.full(5, -1.0), margin=0.1).p_value == 1
