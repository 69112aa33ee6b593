"""Scanning Fourier ring correlation against full transforms, patch by patch."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
from numpy.typing import NDArray

from benchmark.imaging.colour import luminance
from benchmark.metrics.structure.rings import (
    BACKGROUND,
    LAST_RING,
    SIDE,
    STEP,
    THRESHOLD,
    sfrc_flag_rate,
)


def textures(seed: int, sigma: float = 2.0) -> torch.Tensor:
    """``[3, 3, 96, 112]``."""
    drawn = np.random.default_rng(seed).standard_normal((3, 3, 96, 112))
    smooth = scipy.ndimage.gaussian_filter(drawn, (0, 0, sigma, sigma))
    return torch.from_numpy((0.5 + 0.12 * smooth / smooth.std()).clip(0, 1)).float()


def ring_correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[float]:
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    first, second = (np.fft.fft2((patch - patch.mean()) * window) for patch in (a, b))
    frequency = np.fft.fftfreq(SIDE, 1 / SIDE)
    radius = np.hypot(*np.meshgrid(frequency, frequency)).round()
    return [
        (first * second.conj())[radius == k].real.sum()
        / np.sqrt((abs(first[radius == k]) ** 2).sum() * (abs(second[radius == k]) ** 2).sum())
        for k in range(1, LAST_RING + 1)
    ]


def searched(image: torch.Tensor, reference: torch.Tensor) -> float:
    first, second = (luminance(x[None])[0, 0].double().numpy() for x in (image, reference))
    flags = []
    for top in range(0, first.shape[0] - SIDE + 1, STEP):
        for left in range(0, first.shape[1] - SIDE + 1, STEP):
            place = np.s_[top : top + SIDE, left : left + SIDE]
            if second[place].std() >= BACKGROUND:
                flags.append(min(ring_correlations(first[place], second[place])) < THRESHOLD)
    return float(np.mean(flags))


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1])
def test_as_a_search_by_full_transforms(noise: float) -> None:
    clean = textures(0)
    generator = torch.Generator().manual_seed(0)
    noisy = (clean + noise * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    expected = [searched(a, b) for a, b in zip(noisy, clean, strict=True)]
    np.testing.assert_allclose(sfrc_flag_rate(noisy, clean), expected, atol=1e-6)


def test_the_search_sees_both_sides_of_the_threshold() -> None:
    clean = textures(0)
    generator = torch.Generator().manual_seed(0)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    assert 0 < float(sfrc_flag_rate(noisy, clean).mean()) < 1


def test_the_same_picture_has_no_flag_and_an_independent_one_nothing_but_flags() -> None:
    generator = torch.Generator().manual_seed(1)
    clean, other = torch.rand(2, 3, 3, 96, 112, generator=generator)
    assert sfrc_flag_rate(clean, clean).tolist() == [0, 0, 0]
    assert sfrc_flag_rate(other, clean).tolist() == [1, 1, 1]


def test_more_or_less_light_and_contrast_raise_no_flag() -> None:
    clean = textures(0)
    assert sfrc_flag_rate(clean * 0.5 + 0.3, clean).tolist() == [0, 0, 0]
    assert sfrc_flag_rate(1 - clean, clean).tolist() == [1, 1, 1]


def test_a_picture_without_structure_is_flagged_where_the_reference_has_some() -> None:
    clean = textures(0)
    assert sfrc_flag_rate(torch.full_like(clean, 0.5), clean).tolist() == [1, 1, 1]


def test_a_lost_place_is_a_share_of_patches() -> None:
    clean = textures(0)
    other = clean.clone()
    other[:, :, :32, :32] = textures(9)[:, :, :32, :32]
    rate = sfrc_flag_rate(other, clean)
    patches = 5 * 6
    assert ((rate >= 1 / patches) & (rate <= 4 / patches)).all()


def test_background_of_the_reference_does_not_count() -> None:
    clean = textures(0)
    clean[:, :, :, 64:] = 0.5
    generator = torch.Generator().manual_seed(2)
    noisy = clean.clone()
    noisy[:, :, :, 64:] = torch.rand(3, 3, 96, 48, generator=generator)
    # of six columns of patches three are texture, one is half and two are background
    rate = sfrc_flag_rate(noisy, clean)
    assert ((rate > 0) & (rate <= 0.25)).all()
    expected = [searched(a, b) for a, b in zip(noisy, clean, strict=True)]
    np.testing.assert_allclose(rate, expected, atol=1e-6)
    blank = torch.full_like(clean, 0.5)
    assert sfrc_flag_rate(clean, blank).isnan().all()
    mixed = torch.cat([blank[:1], clean[1:]])
    assert sfrc_flag_rate(mixed, mixed).isnan().tolist() == [True, False, False]


def test_only_patches_wholly_inside_count() -> None:
    clean = textures(0)
    other = clean.clone()
    other[:, :, :, 50:] = 1 - other[:, :, :, 50:]
    valid = torch.zeros(3, 96, 112, dtype=torch.bool)
    valid[:, :, :48] = True
    assert (sfrc_flag_rate(other, clean) > 0.4).all()
    assert sfrc_flag_rate(other, clean, valid).tolist() == [0, 0, 0]
    valid[:, :, :64] = True
    assert (sfrc_flag_rate(other, clean, valid) > 0).all()
    assert sfrc_flag_rate(other, clean, torch.zeros_like(valid)).isnan().all()
    whole = torch.ones_like(valid)
    torch.testing.assert_close(sfrc_flag_rate(other, clean, whole), sfrc_flag_rate(other, clean))


def test_smaller_than_a_patch_is_undefined() -> None:
    clean = textures(0)
    for side, defined in ((31, False), (32, True)):
        part = clean[:, :, :side]
        assert sfrc_flag_rate(part, part).isfinite().tolist() == [defined] * 3


def test_each_picture_for_itself() -> None:
    clean, other = textures(0), textures(0) * 0.7 + textures(5) * 0.3
    whole = sfrc_flag_rate(other, clean)
    torch.testing.assert_close(sfrc_flag_rate(other[1:2], clean[1:2]), whole[1:2])
    assert sfrc_flag_rate(other[:0], clean[:0]).shape == (0,)
