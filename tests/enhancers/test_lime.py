"""LIME against a dense statement of its objective, its invariants and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.sparse.linalg import spsolve

from benchmark.enhancers.lime import Lime, smoothness_weights, solve, system


def planes(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = (np.arange(width) > width // 2) * 0.3
    noise = rng.normal(0, 0.01, (count, height, width))
    return np.clip(0.1 + steps + noise, 0, 1)


def weights(initial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return smoothness_weights(initial, alpha=0.15, sigma=2.0, epsilon=1e-3)


def test_weights_follow_the_paper() -> None:
    initial = planes(2, 11, 9)
    vertical, horizontal = weights(initial)
    gradient = np.zeros((11, 9))
    gradient[:-1] = initial[1, 1:] - initial[1, :-1]
    window = np.abs(gaussian_filter(gradient, 2.0)) + 1e-3
    expected = 0.15 / (window * (np.abs(gradient) + 1e-3))
    np.testing.assert_allclose(vertical[1, :-1], expected[:-1], rtol=1e-12)
    assert (vertical[:, -1] == 0).all()
    assert (horizontal[:, :, -1] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1), (2, 2), (13, 7), (7, 13), (48, 64)])
def test_solution_matches_spsolve_and_has_no_residual(size: tuple[int, int]) -> None:
    initial = planes(1, *size)
    vertical, horizontal = (weight[0] for weight in weights(initial))
    matrix = system(vertical, horizontal)
    actual = solve(initial[0], vertical, horizontal)
    np.testing.assert_allclose(actual.ravel(), spsolve(matrix, initial.ravel()), atol=1e-10)
    assert np.abs(matrix @ actual.ravel() - initial.ravel()).max() < 1e-9


def test_solution_minimises_the_written_objective() -> None:
    initial = planes(1, 6, 5, seed=3)
    vertical, horizontal = (weight[0] for weight in weights(initial))

    def objective(flat: np.ndarray) -> float:
        t = flat.reshape(6, 5)
        rough = (vertical[:-1] * np.diff(t, axis=0) ** 2).sum()
        rough += (horizontal[:, :-1] * np.diff(t, axis=1) ** 2).sum()
        return float(((t - initial[0]) ** 2).sum() + rough)

    best = solve(initial[0], vertical, horizontal)
    found = minimize(objective, best.ravel() + 0.01, method="BFGS", options={"gtol": 1e-9})
    assert objective(best.ravel()) <= found.fun + 1e-12
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert objective(best.ravel() + rng.normal(0, 1e-3, 30)) > objective(best.ravel())


def test_map_keeps_mean_and_range_and_smooths() -> None:
    initial = torch.from_numpy(planes(3, 40, 33)).float()
    refined = Lime().illumination(initial)
    torch.testing.assert_close(refined.mean((1, 2)), initial.mean((1, 2)), atol=1e-6, rtol=0)
    assert (refined.amin((1, 2)) >= initial.amin((1, 2)) - 1e-6).all()
    assert (refined.amax((1, 2)) <= initial.amax((1, 2)) + 1e-6).all()
    left = slice(0, 12)
    assert (refined[:, :, left].std((1, 2)) < 0.5 * initial[:, :, left].std((1, 2))).all()
    # the step is structure: it survives, while what is beside it gets flat
    jump = refined[:, :, 24:].mean((1, 2)) - refined[:, :, :8].mean((1, 2))
    assert (jump > 100 * refined[:, :, left].std((1, 2))).all()


@pytest.mark.parametrize("level", [0.02, 0.3, 1.0])
def test_constant_image_closed_form(level: float) -> None:
    image = torch.full((1, 3, 10, 14), level)
    torch.testing.assert_close(Lime().enhance(image), image / level**0.8, rtol=1e-5, atol=0)


def test_division_is_bounded_in_the_dark() -> None:
    image = torch.zeros(1, 3, 9, 9)
    image[..., 4, 4] = 1e-4
    assert Lime().enhance(image).max() <= 1e-4 / 1e-3**0.8 + 1e-6


def test_stronger_alpha_is_smoother() -> None:
    initial = torch.from_numpy(planes(1, 30, 30)).float()
    variation = [
        float(Lime(alpha=alpha).illumination(initial).diff(dim=1).abs().sum())
        for alpha in (0.0, 0.001, 0.15)
    ]
    assert variation == sorted(variation, reverse=True)
    torch.testing.assert_close(Lime(alpha=0.0).illumination(initial), initial)
