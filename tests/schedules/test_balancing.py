"""Generic balancing against the closed forms of its papers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.schedules.balancing import Balancer, DynamicAverage, Random, Uncertainty

ALL = np.ones(3)


@pytest.mark.parametrize("balancer", [DynamicAverage(window=2), Uncertainty(), Random(seed=0)])
def test_weights_share_one_among_what_is_available(balancer: Balancer) -> None:
    history = np.random.default_rng(0).uniform(0.5, 2, (9, 3))
    weights = balancer.weights(history, np.array([1.0, 0, 1]))
    assert weights[1] == 0
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_dynamic_average_is_the_published_formula() -> None:
    balancer = DynamicAverage(window=2)
    history = np.array([[9.0, 9, 9], [9, 9, 9], [1, 2, 4], [3, 2, 4], [1, 1, 8], [1, 3, 8]])
    # last two windows: means (2, 2, 4) and (1, 2, 8)
    expected = np.exp(np.array([0.5, 1.0, 2.0]) / 2)
    np.testing.assert_allclose(balancer.weights(history, ALL), expected / expected.sum())
    # a window that is not over does not count yet
    more = np.vstack([history, [[100.0, 0, 0]]])
    np.testing.assert_array_equal(balancer.weights(more, ALL), balancer.weights(history, ALL))


def test_dynamic_average_starts_uniform() -> None:
    np.testing.assert_allclose(DynamicAverage(window=5).weights(np.ones((9, 3)), ALL), 1 / 3)


def test_uncertainty_settles_at_the_reciprocal_loss() -> None:
    losses = np.array([0.5, 1.0, 2.0])
    weights = Uncertainty().weights(np.broadcast_to(losses, (3000, 3)), ALL)
    expected = 1 / losses
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=0.01)


def test_uncertainty_replayed_from_the_log_is_uncertainty_followed() -> None:
    history = np.random.default_rng(1).uniform(0.2, 3, (40, 3))
    followed = Uncertainty()
    steps = [followed.weights(history[:step], ALL) for step in range(41)]
    np.testing.assert_array_equal(Uncertainty().weights(history, ALL), steps[-1])
    # and going back, as after a resume from an earlier checkpoint, starts afresh
    np.testing.assert_array_equal(followed.weights(history[:7], ALL), steps[7])


def test_random_weights_repeat_and_are_uniform_on_average() -> None:
    balancer = Random(seed=3)
    draws = np.stack([balancer.weights(np.empty((step, 3)), ALL) for step in range(4000)])
    np.testing.assert_allclose(draws.mean(0), 1 / 3, atol=0.015)
    assert draws.std() > 0.1
    np.testing.assert_array_equal(draws[5], Random(seed=3).weights(np.empty((5, 3)), ALL))
