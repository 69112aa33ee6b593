"""The worst patch: small damage drives it down, empty ground does not count."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from benchmark.imaging.colour import luminance
from benchmark.imaging.ssim import ssim
from benchmark.metrics.structure.patches import SILENT, SOFT, min_patch_structure, patch_side


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Textures and noisier versions, ``[3, 3, 64, 80]``."""
    random = np.random.default_rng(0)
    drawn = scipy.ndimage.gaussian_filter(random.standard_normal((3, 3, 64, 80)), (0, 0, 2, 2))
    clean = 0.5 + 0.15 * drawn / drawn.std()
    noisy = clean + 0.05 * random.standard_normal(clean.shape)
    first, second = (torch.from_numpy(x.clip(0, 1)).float() for x in (noisy, clean))
    return first, second


def searched(image: torch.Tensor, reference: torch.Tensor) -> float:
    """One picture, patch by patch, with scipy's Sobel filter."""
    gradients = []
    for picture in (image, reference):
        grey = luminance(picture[None])[0, 0].double().numpy()
        gradients.append([scipy.ndimage.sobel(grey, axis, mode="nearest") / 8 for axis in (0, 1)])
    side = max(8, min(image.shape[-2:]) // 16)
    scores = []
    for top in range(0, image.shape[1] - side + 1, side // 4):
        for left in range(0, image.shape[2] - side + 1, side // 4):
            window = np.s_[top : top + side, left : left + side]
            g, h = ([d[window] for d in pair] for pair in gradients)
            common, own, other = (
                sum((a * b).mean() for a, b in zip(x, y, strict=True))
                for x, y in ((g, h), (g, g), (h, h))
            )
            if max(own, other) >= SILENT**2:
                scores.append((common + SOFT**2) / np.sqrt((own + SOFT**2) * (other + SOFT**2)))
    return float(np.percentile(scores, 1)) if scores else np.nan


def test_as_a_search_by_loops(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = [searched(a, b) for a, b in zip(*pair, strict=True)]
    np.testing.assert_allclose(min_patch_structure(*pair), expected, atol=1e-4)
    assert 0 < min(expected) < max(expected) < 0.95


def test_the_side_of_a_patch() -> None:
    assert [patch_side(*s) for s in ((64, 64), (128, 300), (256, 256), (900, 512))] == [
        8,
        8,
        16,
        32,
    ]


def test_the_same_picture_is_one(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.testing.assert_close(min_patch_structure(pair[1], pair[1]), torch.ones(3))


def test_a_patch_that_is_wiped_out_shows_where_ssim_hardly_moves(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    clean = torch.nn.functional.interpolate(pair[1], scale_factor=4, mode="bicubic").clamp(0, 1)
    damaged = clean.clone()
    hole = np.s_[:, :, 100:148, 140:188]  # 1.7 % of the patches lie in it
    damaged[hole] = damaged[hole].mean((2, 3), keepdim=True)
    assert (ssim(damaged, clean) > 0.95).all()
    assert (min_patch_structure(damaged, clean) < 0.6).all()


def test_patches_without_structure_do_not_count(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    framed = []
    for images in pair:
        ground = torch.full((3, 3, 100, 120), 0.4)  # patches stay at 8 pixels
        ground[:, :, 18:82, 20:100] = images
        framed.append(ground)
    wide = min_patch_structure(*framed)
    # were the empty ground counted with 1, the percentile would reach less deep
    assert (wide < min_patch_structure(*pair) + 0.05).all()
    np.testing.assert_allclose(
        wide, [searched(a, b) for a, b in zip(*framed, strict=True)], atol=1e-4
    )


def test_nothing_but_empty_patches_is_undefined(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    blank = torch.full_like(pair[1], 0.5)
    assert min_patch_structure(blank, blank * 0.8).isnan().all()
    mixed = torch.cat([blank[:1], pair[1][1:]])
    assert min_patch_structure(mixed, mixed).isnan().tolist() == [True, False, False]
    # structure in only one of them is no empty patch: it was invented, or lost
    assert (min_patch_structure(blank, pair[1]) < 0.6).all()
    assert (min_patch_structure(pair[1], blank) < 0.6).all()


def test_a_negative_is_as_bad_as_can_be(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    found = min_patch_structure(1 - pair[1], pair[1])
    assert ((found >= -1) & (found < -0.4)).all()


def test_only_patches_wholly_inside_count(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    noisy, clean = pair
    half = clean.clone()
    half[:, :, :, 42:] = noisy[:, :, :, 42:]
    valid = torch.zeros(3, 64, 80, dtype=torch.bool)
    valid[:, :, :41] = True  # the gradient looks one pixel further
    torch.testing.assert_close(min_patch_structure(half, clean, valid), torch.ones(3))
    valid[:, :, :60] = True
    assert (min_patch_structure(half, clean, valid) < 0.95).all()
    torch.testing.assert_close(
        min_patch_structure(noisy, clean, torch.ones_like(valid)), min_patch_structure(noisy, clean)
    )
    assert min_patch_structure(noisy, clean, torch.zeros_like(valid)).isnan().all()


def test_smaller_than_a_patch_is_undefined(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    for side, defined in ((7, False), (8, True)):
        found = min_patch_structure(*(images[:, :, :side] for images in pair))
        assert found.isfinite().tolist() == [defined] * 3


def test_each_picture_for_itself(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    whole = min_patch_structure(*pair)
    torch.testing.assert_close(min_patch_structure(pair[0][2:], pair[1][2:]), whole[2:])
    assert min_patch_structure(pair[0][:0], pair[1][:0]).shape == (0,)
