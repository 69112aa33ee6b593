"""LaSSIM: its level, its band and its edge cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import skimage.metrics
import torch
from numpy.typing import NDArray

from benchmark.imaging.colour import luminance
from benchmark.imaging.filters import laplacian_band
from benchmark.metrics.structure.bands import DATA_RANGE, lassim, lassim_level

BINOMIAL = np.array([1, 5, 8, 5, 1]) / 20


def halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (0, 1):
        plane = scipy.ndimage.correlate1d(plane, BINOMIAL, axis, mode="reflect")
    return plane[::2, ::2]


def doubled(plane: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Zeros between the samples, edges repeated, the same filter at four times its weight."""
    padded = np.pad(plane, 1, mode="edge")
    spread = np.zeros([2 * side for side in padded.shape])
    spread[::2, ::2] = padded
    for axis in (0, 1):
        spread = scipy.ndimage.correlate1d(spread, 2 * BINOMIAL, axis, mode="constant")
    return spread[2 : 2 + shape[0], 2 : 2 + shape[1]]


def band_by_hand(plane: NDArray[np.float64], level: int) -> NDArray[np.float64]:
    for _ in range(level):
        plane = halved(plane)
    return plane - doubled(halved(plane), plane.shape)


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth random pictures and changed versions, ``[2, 3, 150, 141]``."""
    random = np.random.default_rng(0)
    drawn = random.standard_normal((2, 3, 150, 141))
    smooth = scipy.ndimage.gaussian_filter(drawn, (0, 0, 3, 3))
    smooth = 0.5 + 0.15 * smooth / smooth.std()
    other = 0.7 * smooth + 0.15 + 0.03 * random.standard_normal(smooth.shape)
    first, second = (torch.from_numpy(x.clip(0, 1)).float() for x in (smooth, other))
    return first, second


@pytest.mark.parametrize(
    ("height", "width", "level"),
    [
        (272, 272, 3),
        (320, 320, 3),
        (320, 272, 3),
        (271, 900, 2),
        (256, 256, 2),
        (544, 544, 4),
        (136, 500, 2),
        (135, 135, 1),
        (68, 68, 1),
        (67, 67, 0),
        (33, 33, 0),
        (1, 1, 0),
        (0, 0, 0),
    ],
)
def test_the_level_grows_with_the_shorter_side(height: int, width: int, level: int) -> None:
    assert lassim_level(height, width) == lassim_level(width, height) == level


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_band_is_that_of_zero_insertion(
    pair: tuple[torch.Tensor, torch.Tensor], level: int
) -> None:
    grey = luminance(pair[0])
    found = laplacian_band(grey, level)
    for plane, band in zip(grey[:, 0].double().numpy(), found[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(band, band_by_hand(plane, level), atol=1e-6)


def test_it_is_skimages_ssim_of_the_band(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    weights = np.array([0.2126, 0.7152, 0.0722]).reshape(3, 1, 1)
    expected = []
    for image, other in zip(*pair, strict=True):
        bands = [band_by_hand((weights * x.double().numpy()).sum(0), 2) for x in (image, other)]
        expected.append(
            skimage.metrics.structural_similarity(
                *bands,
                data_range=DATA_RANGE,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    assert 0.05 < min(expected) < max(expected) < 0.98
    np.testing.assert_allclose(lassim(*pair), expected, atol=2e-5)


def test_the_same_picture_is_one_and_order_does_not_matter(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    torch.testing.assert_close(lassim(pair[0], pair[0]), torch.ones(2))
    torch.testing.assert_close(lassim(*pair), lassim(*pair[::-1]))


def test_light_without_structure_changes_nothing(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    dimmed = pair[0] * 0.5 + 0.25
    slope = torch.linspace(-0.1, 0.1, 141)
    base = dimmed * 0.9
    assert (lassim(base, base + 0.1) > 0.9999).all()
    assert (lassim(base, base + slope) > 0.995).all()
    assert (lassim(base, pair[1]) < 0.9).all()


def test_constant_bands() -> None:
    generator = torch.Generator().manual_seed(0)
    blank, drawn = torch.full((1, 3, 80, 80), 0.5), torch.rand(1, 3, 80, 80, generator=generator)
    brighter = torch.full((1, 3, 80, 80), 0.9)
    for images, others, expected in (
        (blank, blank, 1.0),
        (blank, brighter, 1.0),
        (blank, drawn, 0.0),
        (drawn, blank, 0.0),
    ):
        assert lassim(images, others).tolist() == [expected]
    # a batch of the three kinds gets the same answers
    together = lassim(torch.cat([blank, blank, drawn]), torch.cat([brighter, drawn, drawn]))
    torch.testing.assert_close(together, torch.tensor([1.0, 0.0, 1.0]))


def test_a_band_below_eleven_pixels_is_undefined() -> None:
    for side, defined in ((10, False), (11, True), (67, True), (68, True)):
        small = torch.rand(2, 3, side, 40 + side, generator=torch.Generator().manual_seed(0))
        assert lassim(small, small).isfinite().tolist() == [defined] * 2
        # whatever is drawn, constant pictures are no way round it
        assert math.isfinite(lassim(small[:1] * 0, small[:1] * 0).item()) is defined


def test_only_windows_centred_on_valid_pixels_count(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    valid = torch.zeros(2, 150, 141, dtype=torch.bool)
    valid[:, 40:110, 30:100] = True
    changed = pair[0].clone()
    changed[:, :, :, 125:] = 1 - changed[:, :, :, 125:]  # further away than filters reach
    assert (lassim(pair[0], changed) < 0.99).all()
    torch.testing.assert_close(lassim(pair[0], changed, valid), torch.ones(2))
    inner = changed.clone()
    inner[:, :, 60:90, 50:80] = pair[1][:, :, 60:90, 50:80]
    assert (lassim(pair[0], inner, valid) < 0.99).all()
    everywhere = torch.ones_like(valid)
    torch.testing.assert_close(lassim(*pair, everywhere), lassim(*pair))


def test_flat_where_valid_is_flat() -> None:
    drawn = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    half = drawn.clone()
    half[:, :, :, :40] = 0.5
    valid = torch.zeros(1, 64, 64, dtype=torch.bool)
    valid[:, :, :30] = True
    assert lassim(half, half * 0.5 + 0.4, valid).tolist() == [1.0]
    assert lassim(half, drawn, valid).tolist() == [0.0]


def test_nothing_valid_is_undefined(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    valid = torch.ones(2, 150, 141, dtype=torch.bool)
    valid[1] = False
    found = lassim(*pair, valid)
    assert found.isfinite().tolist() == [True, False]
    blank = torch.full((2, 3, 150, 141), 0.5)
    assert lassim(blank, blank, valid).isnan().tolist() == [False, True]


def test_each_picture_for_itself(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    whole = lassim(*pair)
    torch.testing.assert_close(lassim(pair[0][1:], pair[1][1:]), whole[1:])
    assert lassim(pair[0][:0], pair[1][:0]).shape == (0,)
