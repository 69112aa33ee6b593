"""Kernel distance: against loops, unbiased, and blind to what is alike by construction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.fairness.kernel import PairedKid, cubic, kid

Floats = NDArray[np.float64]


def loop_kid(x: Floats, y: Floats) -> float:
    d = x.shape[1]

    def k(a: Floats, b: Floats) -> float:
        return float((a @ b / d + 1) ** 3)

    n, m = len(x), len(y)
    within_x = [k(x[i], x[j]) for i in range(n) for j in range(n) if i != j]
    within_y = [k(y[i], y[j]) for i in range(m) for j in range(m) if i != j]
    across = [k(a, b) for a in x for b in y]
    return float(np.mean(within_x) + np.mean(within_y) - 2 * np.mean(across))


def shifted_gaussians(shift: float, d: int) -> float:
    """True squared MMD between N(0, I) and N(mu, I) with all of mu ``shift``, in closed form."""
    a = d * shift**2
    same = 1 + 3 / d
    other = 1 + 3 * a / d + 3 * (a * a + 2 * a + d) / d**2
    other += (a**3 + 6 * a**2 + 3 * a * d + 6 * a) / d**3
    return same + other - 2 * (1 + 3 * (a + d) / d**2)


def test_kid_against_a_double_loop() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 5)), rng.normal(size=(7, 5)) + 0.3
    assert kid(x, y) == pytest.approx(loop_kid(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [5, 20, 100])
def test_kid_is_unbiased_at_any_size(n: int) -> None:
    rng, d = np.random.default_rng(n), 16
    draws = [kid(rng.normal(size=(n, d)), rng.normal(size=(n, d))) for _ in range(400)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / 20
    assert (np.array(draws) < 0).any()  # the sign is kept


def test_kid_sees_a_small_shift() -> None:
    rng, d = np.random.default_rng(1), 64
    draws = [kid(rng.normal(size=(200, d)), rng.normal(size=(200, d)) + 0.1) for _ in range(100)]
    assert np.mean(draws) == pytest.approx(shifted_gaussians(0.1, d), abs=3 * np.std(draws) / 10)
    assert np.mean(draws) > 3 * np.std(draws)


def test_kid_of_too_few() -> None:
    assert np.isnan(kid(np.zeros((1, 3)), np.zeros((4, 3))))


def test_single_precision_is_not_enough_and_not_used() -> None:
    x = (np.random.default_rng(0).normal(size=(40, 8)) + 300).astype(np.float32)
    assert cubic(x, x).dtype == np.float64
    assert kid(x, x[::-1].copy()) == pytest.approx(kid(x.astype(float), x.astype(float)), rel=1e-9)


def test_paired_kid_against_a_loop_over_different_clusters() -> None:
    rng = np.random.default_rng(2)
    x, cluster = rng.normal(size=(8, 4)), np.array([0, 0, 1, 2, 2, 2, 3, 0])
    y = x + rng.normal(size=x.shape)

    def k(a: Floats, b: Floats) -> float:
        return float((a @ b / 4 + 1) ** 3)

    h = [
        k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(y[i], x[j])
        for i in range(8)
        for j in range(8)
        if cluster[i] != cluster[j]
    ]
    assert PairedKid.of(x, y, cluster, 4).value == pytest.approx(np.mean(h), rel=1e-12)


def test_what_is_alike_by_construction_does_not_count() -> None:
    """Outputs equal to their references: exactly 0 in pairs, negative in the textbook estimate."""
    x = np.random.default_rng(3).normal(size=(60, 16))
    assert PairedKid.of(x, x.copy(), np.arange(60), 60).value == 0.0
    diagonal = np.diag(cubic(x, x)).mean()
    others = (cubic(x, x).sum() - 60 * diagonal) / (60 * 59)
    assert kid(x, x) == pytest.approx(2 / 60 * (others - diagonal))
    assert kid(x, x) < -0.1


def test_paired_kid_is_unbiased_with_people_in_several_views() -> None:
    rng, d, people, draws = np.random.default_rng(4), 16, 25, []
    cluster = np.repeat(np.arange(people), 4)
    for _ in range(300):
        person = rng.normal(size=(people, d))[cluster]
        x = 0.8 * person + 0.6 * rng.normal(size=person.shape)
        y = 0.3 + 0.8 * person + 0.6 * rng.normal(size=person.shape)
        draws.append(PairedKid.of(x, y, cluster, people).value)
    assert np.mean(draws) == pytest.approx(
        shifted_gaussians(0.3, d), abs=3 * np.std(draws) / np.sqrt(300)
    )


def test_replicates_have_the_expectation_of_the_estimate() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(30, 6))
    found = PairedKid.of(x, x + 0.4 + rng.normal(size=x.shape), np.arange(30) // 2, 15)
    counts = rng.multinomial(15, np.full(15, 1 / 15), size=20_000).astype(float)
    replicates = found.resample(counts)
    tolerance = 4 * replicates.std() / np.sqrt(len(replicates)) + 0.01 * abs(found.value)
    assert replicates.mean() == pytest.approx(found.value, abs=tolerance)
    assert found.resample(np.ones((1, 15)))[0] == pytest.approx(found.value)
    alone = np.zeros((1, 15))
    alone[0, 3] = 15
    assert np.isnan(found.resample(alone)).all()


def test_seeds_are_pooled() -> None:
    rng = np.random.default_rng(6)
    x, cluster = rng.normal(size=(20, 4)), np.arange(20)
    runs = [PairedKid.of(x, x + shift, cluster, 20) for shift in (0.2, 0.5)]
    assert (runs[0] + runs[1]).value == pytest.approx(np.mean([r.value for r in runs]))
