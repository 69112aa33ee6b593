"""The gap, its null and its intervals against closed forms and planted truths."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import partition
from benchmark.fairness.estimates import Columns, Estimates, estimate
from benchmark.fairness.model import MetricInfo, Policy
from benchmark.fairness.spread import Spread, spread
from benchmark.fairness.study import Layout

POLICY = Policy(n_min=2, bootstrap=1999)
RNG = np.random.default_rng(21)


def _estimates(x: np.ndarray, metric: MetricInfo, design: str = "nested") -> Estimates:
    """``x[n, K, J]``: n clusters in each group, the same ones if crossed."""
    n, k, j = x.shape
    person = np.arange(n * k) if design == "nested" else np.repeat(np.arange(n), k)
    names = tuple(f"g{i}" for i in range(k))
    parts = partition(np.tile(np.arange(k), n), person, names)
    layout = Layout(
        axis="g",
        role="sensitive",
        names=names,
        level=np.arange(k),
        block=np.zeros(k, dtype=np.int64),
        block_names=("",),
        compared=np.ones(k, dtype=bool),
    )
    rows = np.full((k, j), float(n))
    zero = np.zeros(j, dtype=np.int64)
    data = Columns(zero, zero, (metric,), x.reshape(n * k, j), rows, rows, rows, 0 * rows)
    return estimate(layout, Bootstrap(parts, 3, POLICY.bootstrap), data, POLICY)


def _spread(x: np.ndarray, *, design: str = "nested", ratio_scale: bool = False) -> Spread:
    metric = MetricInfo("x", 1, ratio_scale=ratio_scale)
    return spread(_estimates(x, metric, design), POLICY)


@pytest.mark.parametrize(
    ("k", "n", "mean", "p95"), [(7, 200, 0.57, 0.88), (7, 50, 1.15, 1.78), (2, 200, 0.24, 0.60)]
)
def test_null_is_the_range_of_normal_means(k: int, n: int, mean: float, p95: float) -> None:
    """Specification, fact 1: PSNR with sd 3 dB and no true difference."""
    found = _spread(RNG.normal(30, 3, size=(n, k, 60)))
    assert found.null_mean.mean() == pytest.approx(mean, rel=0.03)
    assert found.null_p95.mean() == pytest.approx(p95, rel=0.03)
    assert found.extremes.gap.mean() == pytest.approx(mean, rel=0.15)


def test_null_does_not_grow_with_the_true_gap() -> None:
    """Permuting labels would mix the planted difference into the noise."""
    x = RNG.normal(size=(16, 3, 40))
    planted = x + np.array([0, 0, 10.0])[:, None]
    np.testing.assert_allclose(_spread(x).null_mean, _spread(planted).null_mean, rtol=1e-6)


def test_null_of_paired_groups_is_that_of_their_differences() -> None:
    x = 5 * RNG.normal(size=(40, 1, 40)) + RNG.normal(size=(40, 2, 40))
    expected = np.sqrt(2 / 40) * np.sqrt(2 / np.pi)
    assert _spread(x, design="crossed").null_mean.mean() == pytest.approx(expected, rel=0.05)


def test_leave_group_out_distance_and_ratio() -> None:
    x = np.stack([RNG.normal(m, 0.01, size=(30, 1)) for m in (2.0, 4.0, 5.0)], axis=1)
    m = x.mean(axis=0)[:, 0]
    found = _spread(x, ratio_scale=True)
    assert found.to_overall[0] == pytest.approx(abs(m[0] - m[1:].mean()))
    assert found.ratio[0] == pytest.approx(m[0] / m[2])
    assert found.pinned[0] == pytest.approx(m[1:].mean() - m[0])
    assert np.isnan(_spread(x).ratio[0])
    assert np.isnan(_spread(-x, ratio_scale=True).ratio[0])


@pytest.mark.parametrize("design", ["nested", "crossed"])
@pytest.mark.parametrize("true_sd", [0.0, 0.3, 1.0])
def test_v_dc_intervals_cover_the_true_variance(design: str, true_sd: float) -> None:
    tables = 800
    shift = np.array([-1.0, 0, 1]) * true_sd
    x = RNG.normal(size=(30, 3, tables)) + shift[:, None]
    if design == "crossed":
        x += 3 * RNG.normal(size=(30, 1, tables))
    found = _spread(x, design=design)
    truth = true_sd**2
    assert ((found.v_dc_low <= truth) & (truth <= found.v_dc_high)).mean() >= 0.92
    assert found.v_dc.mean() == pytest.approx(truth, abs=4 * found.v_dc.std() / np.sqrt(tables))


def test_interval_of_the_worst_group_allows_for_having_picked_it() -> None:
    """Ten equal groups: an ordinary t interval of whichever is worst misses 0 far too often."""
    found = _spread(RNG.normal(size=(20, 10, 600)))
    missed = (found.low > 0).mean()
    assert missed <= 0.05
    se = found.mde / 4.6
    assert ((found.pinned - 1.96 * se) > 0).mean() > 0.2


def test_rates_without_scatter_keep_an_interval_of_some_length() -> None:
    x = np.ones((20, 2, 1))
    x[:, 0] = 0.0
    found = spread(_estimates(x, MetricInfo("x", 1, kind="rate")), POLICY)
    assert found.pinned[0] == 1
    assert found.low[0] < 0.95
