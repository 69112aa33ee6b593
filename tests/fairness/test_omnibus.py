"""Cochran's Q and its relatives, and the double-corrected variance, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multivariate import test_mvmean as hotelling_oracle
from statsmodels.stats.oneway import anova_oneway

from benchmark.fairness import omnibus
from benchmark.fairness.cells import Partition, partition
from benchmark.fairness.moments import moments
from benchmark.fairness.study import Layout

RNG = np.random.default_rng(11)


def _layout(k: int, block: np.ndarray | None = None) -> Layout:
    block = np.zeros(k, dtype=np.int64) if block is None else block
    return Layout(
        axis="x",
        role="sensitive",
        names=tuple("abcdefgh"[:k]),
        level=np.arange(k),
        block=block,
        block_names=tuple(str(b) for b in np.unique(block)),
        compared=np.ones(k, dtype=bool),
    )


def _nested(sizes: tuple[int, ...]) -> Partition:
    group = np.repeat(np.arange(len(sizes)), sizes)
    return partition(group, np.arange(len(group)), tuple("abcdefgh"[: len(sizes)]))


def _crossed(n: int, k: int) -> Partition:
    return partition(np.tile(np.arange(k), n), np.repeat(np.arange(n), k), tuple("abcdefgh"[:k]))


def _q(parts: Partition, x: np.ndarray, *, rate: bool = False) -> tuple[float, float]:
    values, k = x.reshape(-1, 1), parts.n_groups
    q, p = omnibus.equal_means(
        parts,
        _layout(k),
        values,
        moments(parts, values),
        eligible=np.ones((k, 1), dtype=bool),
        rate=np.array([rate]),
    )
    return float(q[0]), float(p[0])


def test_cochran_golden() -> None:
    q, p = omnibus.cochran_q(np.array([30.0, 31, 32]), np.full(3, 0.1))
    assert q == pytest.approx(20)
    assert p == pytest.approx(4.5e-5, rel=0.02)


def test_nested_values_give_welchs_analysis_of_variance() -> None:
    groups = [RNG.normal(0, s, n) for s, n in ((1, 9), (2, 14), (4, 30))]
    oracle = anova_oneway(groups, use_var="unequal")
    q, p = _q(_nested((9, 14, 30)), np.concatenate(groups))
    means = np.array([g.mean() for g in groups])
    variances = np.array([g.var(ddof=1) / len(g) for g in groups])
    assert q == pytest.approx(omnibus.cochran_q(means, variances)[0])
    assert p == pytest.approx(oracle.pvalue)


def test_crossed_values_give_hotellings_test() -> None:
    x = RNG.normal(size=(20, 1)) + RNG.normal(size=(20, 3)) + [0, 0.3, 0.5]
    q, p = _q(_crossed(20, 3), x)
    oracle = hotelling_oracle(x[:, 1:] - x[:, :1], np.zeros(2))
    assert q == pytest.approx(oracle.t2)
    assert p == pytest.approx(oracle.pvalue)


def test_nested_rates_give_the_chi_square_of_the_two_by_k_table() -> None:
    x = np.concatenate([np.arange(n) < hits for hits, n in ((12, 20), (5, 25), (30, 40))]).astype(
        float
    )
    table = [[12, 5, 30], [8, 20, 10]]
    oracle = stats.chi2_contingency(table, correction=False)
    assert _q(_nested((20, 25, 40)), x, rate=True) == pytest.approx(
        (oracle.statistic, oracle.pvalue)
    )


def test_a_rate_without_any_failure_in_a_group_is_no_infinity() -> None:
    x = np.concatenate([np.ones(10), np.arange(12) < 9]).astype(float)
    q, p = _q(_nested((10, 12)), x, rate=True)
    oracle = stats.chi2_contingency([[10, 9], [0, 3]], correction=False)
    assert (q, p) == pytest.approx((oracle.statistic, oracle.pvalue))


def test_crossed_rates_of_two_groups_give_mcnemars_test() -> None:
    a = np.repeat([1, 1, 0, 0], [10, 9, 3, 8])
    b = np.repeat([1, 0, 1, 0], [10, 9, 3, 8])
    q, _ = _q(_crossed(30, 2), np.stack([a, b], axis=1).astype(float), rate=True)
    assert q == pytest.approx((9 - 3) ** 2 / (9 + 3))


@pytest.mark.parametrize("rate", [True, False])
def test_equal_values_give_no_evidence(rate: bool) -> None:
    assert _q(_nested((9, 9)), np.full(18, 0.4), rate=rate) == (0.0, 1.0)


def test_more_groups_than_people_give_no_answer() -> None:
    assert np.isnan(_q(_crossed(4, 8), RNG.normal(size=(4, 8)))[1])


def _v_dc(parts: Partition, values: np.ndarray, block: np.ndarray) -> np.ndarray:
    found = moments(parts, values)
    eligible = np.ones(found.mean.shape, dtype=bool)
    return omnibus.visible_variance(found.mean, eligible, block) - omnibus.noise_variance(
        found.covariance(), eligible, block
    )


def test_noise_of_independent_groups_is_the_mean_variance() -> None:
    found = moments(_nested((9, 14, 30)), RNG.normal(size=(53, 1)))
    noise = omnibus.noise_variance(
        found.covariance(), np.ones((3, 1), dtype=bool), np.zeros(3, dtype=int)
    )
    assert noise[0] == pytest.approx(found.variance[:, 0].mean())


@pytest.mark.parametrize("true_sd", [0.0, 0.3])
@pytest.mark.parametrize("design", ["nested", "crossed", "two contexts"])
def test_corrected_variance_is_unbiased(design: str, true_sd: float) -> None:
    """Also for people in several groups, where subtracting mean v_g would be wrong."""
    tables, block = 6000, np.zeros(4, dtype=np.int64)
    shift = np.array([-1.0, 1.0, -1.0, 1.0]) * true_sd
    parts = _nested((10, 12, 8, 20)) if design == "nested" else _crossed(15, 4)
    if design == "two contexts":
        block = np.array([0, 0, 1, 1])
    people = parts.cell_cluster.max() + 1
    noise = RNG.normal(0, 0.5, size=(parts.n_cells, tables))
    values = 2 * RNG.normal(size=(people, tables))[parts.cell_cluster] + noise
    values += (shift + 10 * block)[parts.cell_group][:, None]
    truth = sum(((s - s.mean()) ** 2).sum() for s in (shift[block == b] for b in np.unique(block)))
    truth /= 4 - len(np.unique(block))
    found = _v_dc(parts, values, block)
    assert found.mean() == pytest.approx(truth, abs=4 * found.std() / np.sqrt(tables))
