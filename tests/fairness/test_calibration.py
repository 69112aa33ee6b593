from __future__ import annotations

import numpy as np
import pytest

from benchmark.fairness.calibration import BINS, calibration_error


def worlds(
    *, n: int, twins: int = 1, over: float = 0.0, runs: int = 200
) -> tuple[list[float], list[float]]:
    """De-biased and plain errors of judges that are ``over`` too sure; twins share their fate."""
    random = np.random.default_rng(n + twins)
    clusters = np.repeat(np.arange(n // twins), twins)
    found, plain = [], []
    for _ in range(runs):
        confidence = np.repeat(random.beta(4, 1.2, n // twins) * 0.8 + 0.2, twins)
        luck = np.repeat(random.random(n // twins), twins)
        right = (luck < confidence - over).astype(float)
        found.append(calibration_error(confidence, right, clusters))
        order = np.argsort(confidence, kind="stable")
        bins = np.array_split(confidence[order] - right[order], BINS)
        plain.append(sum(abs(b.mean()) * len(b) for b in bins) / n)
    return found, plain


@pytest.mark.parametrize(("n", "twins"), [(300, 1), (1200, 1), (1200, 4)])
def test_a_calibrated_judge_is_charged_next_to_nothing(n: int, twins: int) -> None:
    found, plain = worlds(n=n, twins=twins)
    assert np.median(found) < 0.01
    assert np.mean(found) < 0.35 * np.mean(plain)


@pytest.mark.parametrize("over", [0.1, 0.2])
def test_a_judge_that_is_too_sure_is_charged_what_it_is_too_sure(over: float) -> None:
    found, plain = worlds(n=1500, over=over)
    assert np.mean(found) == pytest.approx(over, abs=0.008)
    assert np.mean(plain) >= np.mean(found)


def test_without_noise_nothing_is_taken_off() -> None:
    """Errors of a bin that are all the same have no scatter: the plain error by hand."""
    confidence = np.repeat(np.linspace(0.3, 1.0, BINS), 20)
    right = np.zeros(len(confidence))
    clusters = np.arange(len(confidence))
    assert calibration_error(confidence, right, clusters) == pytest.approx(0.65)
    assert calibration_error(np.ones(300), np.ones(300), np.arange(300)) == 0
    assert calibration_error(np.zeros(300), np.ones(300), np.arange(300)) == pytest.approx(1)


def test_too_few_are_not_judged_and_order_does_not_matter() -> None:
    random = np.random.default_rng(0)
    confidence, right = random.random(400), (random.random(400) < 0.5) * 1.0
    clusters = np.arange(400)
    assert np.isnan(calibration_error(confidence[:29], right[:29], clusters[:29]))
    assert np.isnan(calibration_error(confidence[:0], right[:0], clusters[:0]))
    order = random.permutation(400)
    again = calibration_error(confidence[order], right[order], clusters[order])
    assert again == pytest.approx(calibration_error(confidence, right, clusters))
