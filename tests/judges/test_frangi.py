"""The Frangi filter against scikit-image, and what it must not find."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import skimage.draw
import skimage.filters
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmark.imaging.masks import count_components
from benchmark.judges.base import make_judge
from benchmark.judges.frangi import FrangiSegmenter, FrangiSettings, vesselness

SIDE = 192


@pytest.fixture(scope="module")
def drawn() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A bright ground with dark branches, and where they are, ``[H, W]``."""
    ends = ((20, 20, 170, 120), (60, 50, 70, 180), (100, 80, 180, 30), (30, 150, 150, 170))
    truth = np.zeros((SIDE, SIDE), bool)
    for number, end in enumerate(ends):
        line = np.zeros_like(truth)
        line[skimage.draw.line(*end)] = True
        truth |= scipy.ndimage.binary_dilation(line, iterations=1 + number % 2)
    soft = scipy.ndimage.gaussian_filter(truth.astype(np.float64), 0.7)
    shade = 0.55 + 0.15 * np.linspace(-1, 1, SIDE)[:, None]
    noise = 0.004 * np.random.default_rng(0).standard_normal(truth.shape)
    return shade * (1 - 0.25 * soft) + noise, truth


def picture(plane: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(plane).float().expand(1, 3, *plane.shape).clone()


@pytest.mark.parametrize(("sigma", "tolerance"), [(1.5, 0.1), (2.0, 0.04), (3.0, 0.005)])
def test_the_response_is_skimages(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]], sigma: float, tolerance: float
) -> None:
    # theirs lacks the factor sigma^2 that makes scales comparable, and takes smooth derivatives
    # where ours takes differences, which agree the better the larger the scale
    plane, truth = drawn
    gray = torch.from_numpy(plane)[None, None]
    mine = vesselness(gray, sigmas=[sigma], beta=0.5, contrast=0.02 * sigma**2)[0, 0].numpy()
    theirs = skimage.filters.frangi(
        plane, sigmas=[sigma], beta=0.5, gamma=0.02, black_ridges=True, mode="reflect"
    )
    inner = np.s_[10:-10, 10:-10]
    mine, theirs, truth = mine[inner], theirs[inner], truth[inner]
    np.testing.assert_allclose(mine, theirs, atol=tolerance)
    strong = theirs > 0.01
    assert strong.sum() > 1000
    assert spearmanr(mine[strong], theirs[strong]).statistic > 0.995
    scores = [roc_auc_score(truth.ravel(), x.ravel()) for x in (mine, theirs)]
    assert scores[0] > 0.95
    assert scores[0] == pytest.approx(scores[1], abs=0.01)


def test_of_several_scales_the_strongest_counts(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    gray = torch.from_numpy(drawn[0])[None, None]
    single = [vesselness(gray, sigmas=[s], beta=0.5, contrast=0.02) for s in (1.0, 2.0)]
    both = vesselness(gray, sigmas=[1.0, 2.0], beta=0.5, contrast=0.02)
    assert torch.equal(both, torch.maximum(*single))
    assert ((both >= 0) & (both <= 1)).all()


def test_it_finds_lines_and_only_lines(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    plane, truth = drawn
    found = FrangiSegmenter().segment(picture(plane))["vessels"][0].numpy()
    near = scipy.ndimage.binary_dilation(truth, iterations=3)
    assert found[near].sum() > 0.95 * found.sum()
    inner = np.s_[8:-8, 8:-8]
    seen = scipy.ndimage.binary_dilation(found, iterations=1)
    assert seen[inner][truth[inner]].mean() > 0.85


def test_bright_lines_and_round_spots_are_no_vessels() -> None:
    bright = np.full((SIDE, SIDE), 0.4)
    bright[90:94, 20:170] = 0.7
    found = FrangiSegmenter().segment(picture(bright))["vessels"]
    assert not found[0, 90:94, 28:162].any()
    rows, columns = np.ogrid[:SIDE, :SIDE]
    spot = np.exp(-((rows - 96) ** 2 + (columns - 96) ** 2) / (2 * 2.5**2))
    gray = torch.from_numpy(0.6 - 0.3 * spot)[None, None]
    round_, long = (
        vesselness(plane, sigmas=[1.5], beta=0.5, contrast=0.012)[0, 0, 96, 96].item()
        for plane in (gray, torch.from_numpy(0.6 - 0.3 * spot[:, 96:97] + 0 * spot)[None, None])
    )
    # at the centre of a round spot both curvatures agree: exp(-2) of what a line gets
    assert long > 0.9
    assert round_ == pytest.approx(np.exp(-2), abs=0.02)


@pytest.mark.parametrize("grey", [0.0, 0.02, 0.5, 1.0])
def test_nothing_is_found_on_a_flat_picture(grey: float) -> None:
    flat = torch.full((2, 3, 96, 128), grey)
    valid = torch.zeros(2, 96, 128, dtype=torch.bool)
    valid[:, 10:80, 15:100] = True
    for where in (None, valid):
        found = FrangiSegmenter().segment(flat, where)
        assert set(found) == {"vessels"}
        assert found["vessels"].shape == (2, 96, 128)
        assert found["vessels"].dtype == torch.bool
        assert not found["vessels"].any()


def test_the_rim_of_the_field_is_no_vessel_and_what_lies_outside_is_not_seen(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    plane, _ = drawn
    rows, columns = np.ogrid[:SIDE, :SIDE]
    field = np.hypot(rows - 96, columns - 96) < 80
    valid = torch.from_numpy(field)[None]
    judge = FrangiSegmenter()
    blank = picture(np.where(field, 0.5, 0.0))
    assert not judge.segment(blank, valid)["vessels"].any()
    found = judge.segment(picture(plane), valid)["vessels"]
    assert found.any()
    assert not found[~valid].any()
    other = picture(np.where(field, plane, np.random.default_rng(1).random(plane.shape)))
    assert torch.equal(judge.segment(other, valid)["vessels"], found)
    assert not judge.segment(picture(plane), torch.zeros_like(valid))["vessels"].any()


def test_brightness_hardly_matters(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    plane, _ = drawn
    judge = FrangiSegmenter()
    found = judge.segment(picture(plane))["vessels"]
    dimmed = judge.segment(picture(plane * 0.6))["vessels"]
    assert (2 * (found & dimmed).sum() / (found.sum() + dimmed.sum())).item() > 0.93


def test_small_pieces_are_dropped(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    speckled = drawn[0] + 0.03 * np.random.default_rng(2).standard_normal(drawn[0].shape)
    counts = []
    for area in (0.0, 24.0):
        judge = FrangiSegmenter(settings=FrangiSettings(min_area=area))
        counts.append(count_components(judge.segment(picture(speckled))["vessels"].numpy())[0])
    assert counts[1] < counts[0]


def test_answers_do_not_depend_on_the_batch(
    drawn: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    planes = [drawn[0], drawn[0].T, 1 - drawn[0], np.full_like(drawn[0], 0.5)]
    images = torch.cat([picture(plane) for plane in planes])
    judge = FrangiSegmenter()
    together = judge.segment(images)["vessels"]
    alone = torch.cat([judge.segment(image[None])["vessels"] for image in images])
    assert torch.equal(together, alone)
    assert judge.segment(images[:0])["vessels"].shape == (0, SIDE, SIDE)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 40), (70, 33)])
def test_any_size(shape: tuple[int, int]) -> None:
    images = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0))
    assert FrangiSegmenter().segment(images)["vessels"].shape == (1, *shape)


def test_identity_tells_every_setting() -> None:
    judge = make_judge("frangi", "segmenter")
    changed = FrangiSegmenter(settings=FrangiSettings(threshold=0.4))
    assert judge.identity() != changed.identity()
    assert {"sigmas", "beta", "contrast", "threshold", "surround", "rim"} <= set(judge.identity())
