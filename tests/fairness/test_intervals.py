"""Intervals against statsmodels, scipy and the specification's golden numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmark.fairness.bootstrap import Bootstrap, Replicates
from benchmark.fairness.cells import partition
from benchmark.fairness.intervals import (
    bca,
    clustered_mean,
    clustered_rate,
    effective_n,
    mean_acceleration,
    mean_intervals,
    over_clusters,
    percentile,
    wilson,
)
from benchmark.fairness.moments import moments


def test_wilson_golden() -> None:
    low, high = wilson(np.array(0.0), np.array(14))
    assert low == 0
    assert high == pytest.approx(0.2153, abs=5e-5)


@pytest.mark.parametrize(("count", "n"), [(0, 14), (3, 9), (14, 14), (50, 120)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_that_of_statsmodels(count: int, n: int, level: float) -> None:
    found = wilson(np.array(count / n), np.array(n), level=level)
    oracle = proportion_confint(count, n, alpha=1 - level, method="wilson")
    np.testing.assert_allclose(found, oracle, atol=1e-12)


def test_bca_is_that_of_scipy() -> None:
    x = np.random.default_rng(0).exponential(size=80)
    parts = partition(np.zeros(80, dtype=int), np.arange(80), ("a",))
    estimate = moments(parts, x[:, None])
    delta = Bootstrap(parts, 0, 50_000).run(x[:, None], estimate).delta[:, 0]
    low, high = bca(delta, mean_acceleration(x[:, None]))
    oracle = stats.bootstrap(
        (x,), np.mean, n_resamples=50_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    se = x.std() / np.sqrt(80)
    assert x.mean() + low[0] == pytest.approx(oracle.low, abs=0.06 * se)
    assert x.mean() + high[0] == pytest.approx(oracle.high, abs=0.06 * se)


def test_bca_of_the_same_replicates_is_exactly_scipys_formula() -> None:
    rng = np.random.default_rng(2)
    x = rng.exponential(size=60)
    distribution = rng.choice(x, size=(999, 60)).mean(axis=1)
    low, _ = bca((distribution - x.mean())[:, None], mean_acceleration(x[:, None]))
    z0 = stats.norm.ppf((distribution < x.mean()).mean())
    leave_out = (x.sum() - x) / 59
    d = leave_out.mean() - leave_out
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    share = stats.norm.cdf(z0 + (z0 - 1.959964) / (1 - a * (z0 - 1.959964)))
    assert x.mean() + low[0] == pytest.approx(np.quantile(distribution, share))


def test_expansion_makes_bca_as_wide_as_students_t_for_normal_data() -> None:
    n = 50
    delta = np.random.default_rng(0).normal(0, np.sqrt((n - 1) / n**2), size=(200_000, 1))
    low, high = bca(delta, np.zeros(1), n=np.array([float(n)]))
    assert (high - low)[0] == pytest.approx(2 * stats.t.isf(0.025, n - 1) / np.sqrt(n), rel=0.02)


def test_percentile_is_numpys_quantile() -> None:
    x = np.random.default_rng(0).normal(size=(500, 2))
    low, high = percentile(x, level=0.9)
    np.testing.assert_allclose([low, high], np.quantile(x, [0.05, 0.95], axis=0))


@pytest.mark.parametrize(
    ("p", "variance", "clusters", "items", "expected"),
    [
        (0.5, 0.25 / 20, 20, 20, 20),  # one item a cluster: as many as clusters
        (0.5, 0.25 / 19, 20, 100, 20),  # items of a cluster all alike
        (0.5, 1e-9, 20, 100, 100),  # never more than items
        (0.0, 0.0, 20, 100, 20),  # no failures: clustering unknown, so the cautious answer
    ],
)
def test_effective_n(p: float, variance: float, clusters: int, items: int, expected: float) -> None:
    arrays = (np.array(float(v)) for v in (p, variance, clusters, items))
    p_, v_, c_, i_ = arrays
    assert effective_n(p_, v_, clusters=c_, items=i_) == pytest.approx(expected)


def _methods(n: int, *, rate: bool, values: np.ndarray | None = None) -> tuple[str, float, float]:
    x = np.random.default_rng(0).normal(size=n) if values is None else values
    parts = partition(np.zeros(n, dtype=int), np.arange(n), ("a",))
    estimate = moments(parts, x[:, None])
    found = Bootstrap(parts, 0, 999).run(x[:, None], estimate, studentise=np.array([True]))
    low, high, method = mean_intervals(
        x[:, None],
        parts.cell_group,
        estimate,
        found,
        rate=np.array([rate]),
        items=np.full((1, 1), float(n)),
        level=0.95,
    )
    return method[0, 0], low[0, 0], high[0, 0]


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, "none"), (2, "t"), (9, "t"), (10, "bootstrap-t"), (49, "bootstrap-t"), (50, "bca")],
)
def test_method_fits_the_number_of_clusters(n: int, expected: str) -> None:
    method, low, high = _methods(n, rate=False)
    assert method == expected
    assert np.isnan(low) if expected == "none" else low < high


@pytest.mark.parametrize(
    ("ones", "n", "expected"), [(0, 30, "wilson"), (3, 200, "wilson"), (40, 200, "bca")]
)
def test_rates_use_wilson_until_there_are_enough_events(ones: int, n: int, expected: str) -> None:
    values = (np.arange(n) < ones).astype(float)
    assert _methods(n, rate=True, values=values)[0] == expected


def test_student_t_is_scipys() -> None:
    x = np.random.default_rng(0).normal(size=9)
    _, low, high = _methods(9, rate=False, values=x)
    oracle = stats.t.interval(0.95, 8, loc=x.mean(), scale=stats.sem(x))
    np.testing.assert_allclose((low, high), oracle)


def test_bootstrap_t_falls_back_to_t_where_replicates_have_no_scatter() -> None:
    values = np.zeros(12)
    values[0] = 1.0
    assert _methods(12, rate=False, values=values)[0] == "t"


def test_equal_values_have_an_interval_of_length_zero() -> None:
    method, low, high = _methods(60, rate=False, values=np.full(60, 0.3))
    assert (method, low, high) == ("t", 0.3, 0.3)


def test_bootstrap_t_covers_a_skewed_mean_where_students_t_does_not() -> None:
    rng, n, tables = np.random.default_rng(4), 16, 1500
    x = 1 - rng.beta(8, 0.8, size=(n, tables))
    parts = partition(np.zeros(n, dtype=int), np.arange(n), ("a",))
    estimate = moments(parts, x)
    boot: Replicates = Bootstrap(parts, 0, 999).run(x, estimate, studentise=np.array([True]))
    low, high, method = mean_intervals(
        x,
        parts.cell_group,
        estimate,
        boot,
        rate=np.zeros(tables, dtype=bool),
        items=np.full((1, tables), float(n)),
        level=0.95,
    )
    truth = 1 - 8 / 8.8
    covered = ((low <= truth) & (truth <= high)).mean()
    t_low, t_high = stats.t.interval(0.95, n - 1, loc=x.mean(0), scale=stats.sem(x))
    assert (method == "bootstrap-t").all()
    assert covered >= 0.93
    assert covered > ((t_low <= truth) & (truth <= t_high)).mean() + 0.02


def test_clusters_of_one_size_are_students() -> None:
    means = np.random.default_rng(0).normal(size=7)
    values, clusters = np.repeat(means, 3), np.repeat(np.arange(7), 3)
    values[::3] += 0.4
    values[1::3] -= 0.4
    low, high = stats.t.interval(0.95, 6, means.mean(), stats.sem(means))
    assert clustered_mean(values, clusters) == pytest.approx((low, high))


def test_a_large_cluster_weighs_as_its_items_and_tells_less() -> None:
    values = np.array([1.0, 1, 1, 1, 0, 0])
    mean, variance, df = over_clusters(values, np.array(list("aaaabc")))
    assert mean == pytest.approx(4 / 6)
    totals = np.array([4 * 2 / 6, -4 / 6, -4 / 6])
    assert variance == pytest.approx(3 / 2 * (totals**2).sum() / 36)
    assert df == pytest.approx(18**2 / 258 - 1)
    assert np.isnan(clustered_rate(values, np.zeros(6))).all()
    assert np.isnan(clustered_mean(values[:0], np.zeros(0))).all()


def test_intervals_of_unequal_clusters_cover_the_truth() -> None:
    """The sizes of the router's study: views of a scene, a person, an eye, a sign."""
    rng = np.random.default_rng(1)
    sizes = np.repeat([5, 30, 20, 60], [60, 10, 15, 5])
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    hits = 0
    for _ in range(400):
        values = (rng.random(sizes.sum()) < rng.beta(17, 3, len(sizes))[clusters]).astype(float)
        low, high = clustered_rate(values, clusters)
        hits += low <= 0.85 <= high
    assert 0.92 <= hits / 400 <= 0.985
