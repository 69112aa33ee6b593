"""Generic images: natural statistics, reproducible, offline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.probes import photographs
from benchmark.probes.deadleaves import dead_leaves
from benchmark.probes.photographs import NAMES, load_photographs, photograph_crops


def spectral_slope(images: NDArray[np.uint8]) -> float:
    """Slope of log power against log frequency, averaged over directions and images."""
    grey = images.astype(float).mean(-1)
    size = grey.shape[-1]
    window = np.hanning(size)[:, None] * np.hanning(size)
    centred = (grey - grey.mean((1, 2), keepdims=True)) * window
    power = (np.abs(np.fft.fft2(centred)) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    rings = np.round(frequency * size).astype(int)
    mean = np.bincount(rings.ravel(), power.ravel()) / np.bincount(rings.ravel())
    used = np.arange(3, size // 3)
    return float(np.polyfit(np.log(used), np.log(mean[used]), 1)[0])


def test_dead_leaves_have_the_spectrum_of_photographs() -> None:
    slope = spectral_slope(dead_leaves(24, seed=1))
    assert -2.6 < slope < -1.6


def test_dead_leaves_have_natural_colours() -> None:
    images = dead_leaves(24, seed=1).reshape(-1, 3).astype(float)
    assert 60 < images.mean() < 150
    correlation = np.corrcoef(images.T)
    assert correlation[np.triu_indices(3, 1)].min() > 0.6  # channels move together, as in nature
    assert (images.max(1) - images.min(1)).mean() > 8  # but it is not a grey world
    assert ((images > 0) & (images < 255)).mean() > 0.9


def test_dead_leaves_show_edges_between_flat_places() -> None:
    images = dead_leaves(8, seed=2).astype(float).mean(-1)
    steps = np.abs(np.diff(images, axis=2)).ravel()
    kurtosis = ((steps - steps.mean()) ** 4).mean() / steps.var() ** 2
    assert kurtosis > 8  # far from Gaussian: rare, strong edges


@pytest.mark.parametrize("make", [dead_leaves, photograph_crops])
def test_an_image_depends_on_its_number_alone(make: Callable[..., NDArray[np.uint8]]) -> None:
    few, many = make(2, size=32, seed=5), make(6, size=32, seed=5)
    np.testing.assert_array_equal(few, many[:2])
    assert not np.array_equal(make(2, size=32, seed=6), few)
    assert not np.array_equal(make(2, size=32, seed=5, split="other"), few)
    assert make(0, size=32).shape == (0, 32, 32, 3)


def test_crops_are_of_all_photographs_and_differ() -> None:
    assert set(load_photographs()) == set(NAMES)
    crops = photograph_crops(len(NAMES) * 2, size=48)
    assert len({crop.tobytes() for crop in crops}) == len(crops)
    assert crops.std((1, 2, 3)).min() > 5


def test_missing_photographs_are_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "NAMES", ("no-such.png",))
    with pytest.raises(DataError, match="reinstall"):
        photograph_crops(1)
