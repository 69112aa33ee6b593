"""Filters against scipy, scikit-image, pyiqa and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.feature import hessian_matrix_eigvals
from torch.nn import functional

from benchmark.imaging import filters


@pytest.fixture
def gray() -> torch.Tensor:
    return torch.rand(3, 1, 40, 33, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def correlate(image: np.ndarray, taps: tuple[float, ...], mode: str) -> np.ndarray:
    return ndimage.correlate1d(image, taps, axis=0, mode=mode)


@pytest.mark.parametrize(
    ("border", "mode"), [("reflect", "reflect"), ("replicate", "nearest"), ("zero", "constant")]
)
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_filter_matrix_is_scipys_correlation(border: str, mode: str, stride: int) -> None:
    signal, taps = np.random.default_rng(0).normal(size=(11, 2)), (0.1, -0.7, 0.4, 0.3, 2.0)
    matrix = filters.filter_matrix(11, taps, stride, border)
    np.testing.assert_allclose(matrix @ signal, correlate(signal, taps, mode)[::stride], atol=1e-12)


def test_reflection_wraps_more_than_once_when_the_filter_is_longer_than_the_signal() -> None:
    taps = tuple(np.random.default_rng(1).normal(size=15))
    signal = np.array([[1.0], [2.0], [5.0]])
    expected = correlate(signal, taps, "reflect")
    np.testing.assert_allclose(filters.filter_matrix(3, taps) @ signal, expected, atol=1e-12)


@pytest.mark.parametrize("size", [(7, 5), (1, 1), (2, 40)])
def test_binomial_is_scipys(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size, dtype=torch.float64)
    expected = images.numpy()
    for axis in (2, 3):
        expected = ndimage.correlate1d(expected, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
    np.testing.assert_allclose(filters.binomial(images), expected, atol=1e-14)


def test_sobel_is_scipys(gray: torch.Tensor) -> None:
    ours = filters.sobel(gray)
    for image, (x, y) in zip(gray[:, 0].numpy(), ours.numpy(), strict=True):
        np.testing.assert_allclose(x, ndimage.sobel(image, axis=1) / 8, atol=1e-12)
        np.testing.assert_allclose(y, ndimage.sobel(image, axis=0) / 8, atol=1e-12)


@pytest.mark.parametrize("block", [2, 4])
def test_sobel_of_blocks_is_sobel_after_average_pooling(gray: torch.Tensor, block: int) -> None:
    pooled = functional.avg_pool2d(gray, block)
    torch.testing.assert_close(filters.sobel(gray, block=block), filters.sobel(pooled))


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("stride", [1, 2])
def test_hessian_eigenvalues_are_those_of_smoothed_differences(
    gray: torch.Tensor, sigma: float, stride: int
) -> None:
    ours = filters.hessian_eigenvalues(gray, sigma=sigma, stride=stride)[0].numpy()
    smooth = ndimage.gaussian_filter(gray[0, 0].numpy(), sigma, mode="reflect")

    def difference(image: np.ndarray, taps: list[float], axis: int) -> np.ndarray:
        return ndimage.correlate1d(image, taps, axis=axis, mode="reflect")

    second, first = [1.0, -2.0, 1.0], [-0.5, 0.0, 0.5]
    elements = [
        difference(smooth, second, 0),
        difference(difference(smooth, first, 0), first, 1),
        difference(smooth, second, 1),
    ]
    expected = hessian_matrix_eigvals(np.stack(elements)) * sigma**2
    np.testing.assert_allclose(ours, expected[:, ::stride, ::stride], atol=3e-5)


def test_hessian_of_a_gaussian_blob_is_the_closed_form() -> None:
    # at the centre of exp(-r^2 / 2 t^2) smoothed by sigma both are -a / T^2, T^2 = t^2 + sigma^2
    width, sigma, centre = 6.0, 3.0, 32
    grid = torch.arange(65, dtype=torch.float64) - centre
    blob = torch.exp(-(grid[:, None] ** 2 + grid**2) / (2 * width**2))[None, None]
    total = width**2 + sigma**2
    expected = -(sigma**2) / total * (width**2 / total)
    values = filters.hessian_eigenvalues(blob, sigma=sigma)[0, :, centre, centre]
    torch.testing.assert_close(
        values, torch.full((2,), expected, dtype=torch.float64), rtol=0.02, atol=0
    )


def test_flat_images_have_no_structure_at_any_brightness() -> None:
    flat = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64).view(3, 1, 1, 1).expand(3, 1, 24, 24)
    assert filters.sobel(flat).abs().max() < 1e-12
    # what remains is the root of the 1e-10 that guards the gradient
    assert filters.hessian_eigenvalues(flat, sigma=2.0).abs().max() <= math.sqrt(1e-10) + 1e-12


@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
def test_pyramid_distance_is_pyiqas(size: tuple[int, int]) -> None:
    nlpd_arch = pytest.importorskip("pyiqa.archs.nlpd_arch")
    first, second = torch.rand(2, 2, 1, *size, generator=torch.Generator().manual_seed(2))
    oracle = nlpd_arch.NLPD(channels=1)
    theirs = [oracle.pyramid(image) for image in (first, second)]
    ours = [filters.normalised_laplacian_pyramid(image) for image in (first, second)]
    assert len(ours[0]) == len(theirs[0])
    for one, two in zip(ours, theirs, strict=True):
        for band, expected in zip(one, two, strict=True):
            torch.testing.assert_close(band, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "target"), [(128, 32), (32, 128), (7, 5), (1, 4), (5, 5)])
def test_resize_matrix_is_torchs_bilinear(size: int, target: int) -> None:
    signal = torch.rand(1, 1, size, dtype=torch.float64)
    expected = functional.interpolate(signal, target, mode="linear", align_corners=False)[0, 0]
    ours = torch.as_tensor(filters.resize_matrix(size, target)) @ signal[0, 0]
    torch.testing.assert_close(ours, expected)


def test_gradients_are_finite_on_flat_and_black_images() -> None:
    for value in (0.0, 0.4, 1.0):
        image = torch.full((1, 1, 32, 32), value, requires_grad=True)
        bands = filters.normalised_laplacian_pyramid(image)
        total = filters.hessian_eigenvalues(image, sigma=1.0).sum() + sum(b.sum() for b in bands)
        (gradient,) = torch.autograd.grad(total, image)
        assert gradient.isfinite().all()
