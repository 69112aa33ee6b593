"""Stacks of masks against scipy and scikit-image, one image at a time."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import skimage.measure
import skimage.morphology
from numpy.typing import NDArray

from benchmark.imaging.masks import (
    areas,
    count_components,
    named_components,
    narrowed,
    outlines,
    skeletons,
    widened,
    without_small,
)

FULL = np.ones((3, 3), bool)


@pytest.fixture(scope="module")
def masks() -> NDArray[np.bool_]:
    """Five noisy images, an empty and a full one, ``[7, 21, 34]``."""
    drawn = np.random.default_rng(0).random((5, 21, 34)) < 0.3
    return np.concatenate([drawn, np.zeros((1, 21, 34), bool), np.ones((1, 21, 34), bool)])


def test_areas(masks: NDArray[np.bool_]) -> None:
    assert areas(masks).tolist() == [np.count_nonzero(mask) for mask in masks]


@pytest.mark.parametrize("least", [1, 2, 5])
def test_components_are_counted_as_scipy_labels_each_image(
    masks: NDArray[np.bool_], least: int
) -> None:
    expected = []
    for mask in masks:
        names, _ = scipy.ndimage.label(mask, FULL)
        expected.append(sum(size >= least for size in np.bincount(names.ravel())[1:]))
    assert count_components(masks, min_area=least).tolist() == expected
    assert expected[-2:] == [0, 1]
    assert min(expected[:5]) > 1


def test_components_end_with_their_image() -> None:
    touching = np.zeros((3, 4, 4), bool)
    touching[:, 1:3, 1:3] = True  # at the same place in every image
    assert named_components(touching)[1] == 3
    assert count_components(touching).tolist() == [1, 1, 1]


def test_components_with_a_marked_pixel_do_not_count(masks: NDArray[np.bool_]) -> None:
    marked = np.random.default_rng(1).random(masks.shape) < 0.1
    expected = []
    for mask, marks in zip(masks, marked, strict=True):
        names, count = scipy.ndimage.label(mask, FULL)
        expected.append(sum(not marks[names == name].any() for name in range(1, count + 1)))
    assert count_components(masks, without=marked).tolist() == expected


def test_small_components_go_as_in_skimage(masks: NDArray[np.bool_]) -> None:
    kept = without_small(masks, min_area=4)
    for mask, found in zip(masks, kept, strict=True):
        regions = skimage.measure.regionprops(skimage.measure.label(mask, connectivity=2))
        expected = np.zeros_like(mask)
        for region in regions:
            if region.area >= 4:
                expected[tuple(region.coords.T)] = True
        np.testing.assert_array_equal(found, expected)


def test_outlines_have_a_side_on_the_background_or_on_the_edge(
    masks: NDArray[np.bool_],
) -> None:
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    surrounded = (
        padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    )
    np.testing.assert_array_equal(outlines(masks), masks & ~surrounded)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_wide_and_narrow_are_windows_of_each_image(masks: NDArray[np.bool_], steps: int) -> None:
    blobs = masks.repeat(2, 1).repeat(2, 2)
    window = (2 * steps + 1, 2 * steps + 1)
    for mask, wide, thin in zip(blobs, widened(blobs, steps), narrowed(blobs, steps), strict=True):
        expected = scipy.ndimage.maximum_filter(mask, window, mode="constant", cval=0)
        np.testing.assert_array_equal(wide, expected)
        expected = scipy.ndimage.minimum_filter(mask, window, mode="constant", cval=1)
        np.testing.assert_array_equal(thin, expected)


def test_skeletons_are_skimages(masks: NDArray[np.bool_]) -> None:
    blobs = masks.repeat(3, 1).repeat(3, 2)
    for mask, line in zip(blobs, skeletons(blobs), strict=True):
        np.testing.assert_array_equal(line, skimage.morphology.skeletonize(mask))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (2, 1)])
def test_a_skeleton_of_something_is_never_nothing(shape: tuple[int, int]) -> None:
    mask = np.zeros((1, 8, 8), bool)
    mask[0, 3 : 3 + shape[0], 3 : 3 + shape[1]] = True
    line = skeletons(mask)
    assert line.any()
    assert not (line & ~mask).any()


def test_no_images() -> None:
    none = np.zeros((0, 6, 6), bool)
    assert areas(none).shape == count_components(none).shape == (0,)
    for change in (outlines, skeletons, lambda m: widened(m, 2), lambda m: narrowed(m, 2)):
        assert change(none).shape == none.shape
    assert without_small(none, min_area=2).shape == none.shape
