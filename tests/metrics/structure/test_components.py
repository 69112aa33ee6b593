"""Invented and lost components against a search by loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label
from skimage.draw import line as drawn_line

from benchmark.imaging.masks import skeletons
from benchmark.metrics.structure.components import compare_lines, match
from benchmark.metrics.structure.declared import lesion_area

Masks = NDArray[np.bool_]
FULL = np.ones((3, 3), bool)


def squares(*places: tuple[int, int, int], side: int = 48) -> Masks:
    """``[1, side, side]`` with squares of (top, left, side)."""
    mask = np.zeros((1, side, side), bool)
    for top, left, size in places:
        mask[0, top : top + size, left : left + size] = True
    return mask


def counts(found: Masks, truth: Masks, min_area: int = 2) -> tuple[float, float, float]:
    result = match(found, truth, min_area=min_area)
    return float(result.invented[0]), float(result.lost[0]), float(result.true[0])


def searched(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], min_area: int
) -> tuple[int, int, int]:
    """One image, component by component, as the module's text says."""
    regions, _ = label(found | truth, FULL)
    answers = []
    for own, other, least in ((found, truth, min_area), (truth, found, 1)):
        names, count = label(own, FULL)
        alone = 0
        for name in range(1, count + 1):
            component = names == name
            region = regions == regions[component][0]
            share = (found & truth & region).sum() / region.sum()
            matched = (component & other).any() and share >= 0.1
            alone += not matched and component.sum() >= least
        answers.append(alone)
    return answers[0], answers[1], int(label(truth, FULL)[1])


@pytest.mark.parametrize("density", [0.02, 0.08, 0.2])
def test_as_a_search_by_loops(density: float) -> None:
    random = np.random.default_rng(0)
    seeds = random.random((2, 6, 40, 40)) < density * np.array([1, 0.7]).reshape(2, 1, 1, 1)
    blocks = seeds | np.roll(seeds, 1, 2) | np.roll(seeds, 1, 3)
    found, truth = blocks[0], blocks[1]
    truth[:3] |= found[:3] & (random.random(found[:3].shape) < 0.5)
    result = match(found, truth, min_area=3)
    expected = [searched(f, t, 3) for f, t in zip(found, truth, strict=True)]
    got = np.stack([result.invented, result.lost, result.true], 1)
    np.testing.assert_array_equal(got, expected)
    assert got[:, :2].sum() > 0


def test_both_empty_one_empty_and_equal() -> None:
    none, two = squares(), squares((5, 5, 4), (30, 30, 4))
    assert counts(none, none) == (0, 0, 0)
    assert counts(two, none) == (2, 0, 0)
    assert counts(none, two) == (0, 2, 2)
    assert counts(two, two) == (0, 0, 2)


def test_agreement_begins_at_a_tenth_of_the_union() -> None:
    truth = squares((10, 10, 10))
    for width, errors in ((1, 0), (2, 1)):
        # a strip of which one column, a tenth of the square, lies on it
        found = np.zeros_like(truth)
        found[0, 10:20, 19 : 19 + width] = True
        assert counts(found, truth)[:2] == (errors, errors)


@pytest.mark.parametrize("tenth", range(1, 12))
def test_exactly_a_tenth_agrees_whatever_the_size(tenth: int) -> None:
    truth, found = np.zeros((2, 1, 3, 128), bool)
    truth[0, 1, : 5 * tenth] = True
    found[0, 1, 4 * tenth : 10 * tenth] = True
    assert counts(found, truth) == (0, 0, 1)
    found[0, 1, 10 * tenth] = True
    assert counts(found, truth) == (1, 1, 1)


def test_only_found_specks_may_be_too_small() -> None:
    speck = squares((20, 20, 1))
    assert counts(speck, squares(), min_area=2) == (0, 0, 0)
    assert counts(speck, squares(), min_area=1) == (1, 0, 0)
    assert counts(squares(), speck, min_area=2) == (0, 1, 1)


def test_merged_and_split_lesions_are_no_errors() -> None:
    apart, merged = squares((10, 10, 5), (10, 17, 5)), squares((10, 10, 5), (10, 17, 5))
    merged[0, 10:15, 15:17] = True
    assert counts(merged, apart) == (0, 0, 2)
    assert counts(apart, merged) == (0, 0, 1)


def test_a_sheet_over_everything_finds_nothing() -> None:
    lesions = squares((5, 5, 3), (20, 30, 3), (40, 10, 3))
    sheet = np.ones_like(lesions)
    assert counts(sheet, lesions) == (1, 3, 3)


def test_matchings_add_up() -> None:
    one = match(squares((5, 5, 4)), squares((30, 30, 4)), min_area=2)
    both = one + match(squares(), squares((30, 30, 4), (5, 5, 4)), min_area=2)
    assert [array.tolist() for array in (both.invented, both.lost, both.true)] == [[1], [3], [3]]


def test_the_smallest_lesion_grows_with_the_picture() -> None:
    assert [lesion_area(side, side) for side in (32, 128, 256, 512)] == [2, 2, 3, 12]


def test_centrelines_away_from_the_other_mask() -> None:
    truth, found = np.zeros((2, 1, 64, 64), bool)
    truth[0, 20:23, 4:60] = True
    found[0, 22:25, 4:60] = True  # two pixels lower
    rows, columns = drawn_line(40, 5, 60, 50)
    found[0, rows, columns] = True  # invented
    truth[0, 5:10, 30] = True  # not found
    lines = skeletons(found), skeletons(truth)
    for tolerance in (1, 2, 4):
        lengths = compare_lines(found, truth, *lines, tolerance=tolerance)
        near = [binary_dilation(mask[0], FULL, iterations=tolerance) for mask in (truth, found)]
        assert lengths.false[0] == (lines[0][0] & ~near[0]).sum()
        assert lengths.missed[0] == (lines[1][0] & ~near[1]).sum()
        assert lengths.true[0] == lines[1].sum()
    assert lengths.missed[0] == 5
    assert lengths.false[0] == pytest.approx(len(rows), abs=1)


def test_without_tolerance_lines_count_outside_the_mask() -> None:
    truth = np.zeros((1, 16, 16), bool)
    truth[0, 8] = True
    found = np.roll(truth, 1, 1)
    far = compare_lines(found, truth, found, truth, tolerance=0)
    near = compare_lines(found, truth, found, truth, tolerance=1)
    assert (far.false[0], far.missed[0]) == (16, 16)
    assert (near.false[0], near.missed[0]) == (0, 0)
