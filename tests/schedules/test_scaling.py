"""Moving divisors against autograd, the definition, and their own replay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.errors import SpecError
from benchmark.schedules.scaling import GradNorm, RunningMagnitude, Scaler, make_scaler, shared_out

RNG = np.random.default_rng(0)
LOSSES = RNG.uniform(0.2, 2, (30, 6))
NORMS = RNG.uniform(0.1, 3, (29, 6))
ALL = np.ones(6)


@pytest.mark.parametrize("scaler", [RunningMagnitude(), GradNorm()])
def test_divisors_are_positive_and_one_where_there_is_no_term(scaler: Scaler) -> None:
    some = np.array([1.0, 0, 1, 1, 0, 1])
    found = scaler.divisors(LOSSES * some, NORMS, some)
    assert (found > 0).all()
    assert (found[some == 0] == 1).all()


def test_running_magnitudes_are_ratios_of_corrected_means() -> None:
    running, correction = np.zeros(6), 0.0
    for losses in LOSSES:
        running, correction = 0.99 * running + 0.01 * losses, 0.99 * correction + 0.01
    corrected = running / correction
    found = RunningMagnitude().divisors(LOSSES, NORMS, ALL)
    np.testing.assert_allclose(found, corrected / corrected[0], rtol=1e-10)
    assert found[0] == 1


def test_a_constant_loss_has_the_divisor_of_a_frozen_calibration() -> None:
    constant = np.broadcast_to(LOSSES[0], LOSSES.shape)
    found = RunningMagnitude().divisors(constant, NORMS, ALL)
    np.testing.assert_allclose(found, LOSSES[0] / LOSSES[0, 0])


def test_gradnorm_follows_the_gradient_that_autograd_finds() -> None:
    """One Adam step moves every logit by the rate against the sign of the gradient."""
    v = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    sizes = 6 * torch.softmax(v, 0) * torch.as_tensor(NORMS[0])
    fallen = torch.ones(6, dtype=torch.float64)  # the first losses are the losses of step 0
    target = (sizes.mean() * (fallen / fallen.mean()) ** 1.5).detach()
    (gradient,) = torch.autograd.grad((sizes - target).abs().sum(), v)
    scaler = GradNorm()
    assert (scaler.divisors(LOSSES[:1], NORMS[:0], ALL) == 1).all()
    np.testing.assert_allclose(scaler._pull(LOSSES[0], LOSSES[0], NORMS[0]), gradient, atol=1e-12)
    expected = shared_out(-scaler.rate * np.sign(gradient.numpy()))
    found = scaler.divisors(LOSSES[:2], NORMS[:1], ALL)
    np.testing.assert_allclose(1 / found, expected, rtol=1e-6)


def test_gradnorm_brings_gradients_of_equally_fast_terms_to_one_size() -> None:
    norms = np.broadcast_to([0.5, 1, 2, 1, 4, 1.0], (3000, 6))
    found = GradNorm().divisors(np.ones((3001, 6)), norms, ALL)
    np.testing.assert_allclose(norms[0] / found, (norms[0] / found).mean(), rtol=0.1)


def test_gradnorm_replayed_from_the_log_is_gradnorm_followed() -> None:
    followed = GradNorm()
    steps = [followed.divisors(LOSSES[: t + 1], NORMS[:t], ALL) for t in range(30)]
    np.testing.assert_array_equal(GradNorm().divisors(LOSSES, NORMS, ALL), steps[-1])
    np.testing.assert_array_equal(followed.divisors(LOSSES[:8], NORMS[:7], ALL), steps[7])


def test_scales_by_name() -> None:
    assert isinstance(make_scaler("ema_mag"), RunningMagnitude)
    assert isinstance(make_scaler("gradnorm"), GradNorm)
    assert make_scaler("calib_param") is make_scaler("none") is None
    with pytest.raises(SpecError, match="ema"):
        make_scaler("ema")
