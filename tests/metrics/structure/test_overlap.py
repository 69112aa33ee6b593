"""Dice, centreline Dice and HD95 against closed forms and a composition by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from skimage.morphology import skeletonize

from benchmark.imaging.masks import skeletons
from benchmark.metrics.structure.overlap import cldice, dice, hd95

Masks = NDArray[np.bool_]


def blank(count: int = 1, height: int = 24, width: int = 32) -> Masks:
    return np.zeros((count, height, width), bool)


@pytest.fixture(scope="module")
def pair() -> tuple[Masks, Masks]:
    """Bars, a bar and its shifted copy, and noise, each with another mask."""
    random = np.random.default_rng(0)
    first, second = blank(4), blank(4)
    first[0, 4:9, 3:28], second[0, 6:11, 5:30] = True, True
    first[1, :, 10:13], second[1, 3:20, 11:15] = True, True
    first[2], second[2] = random.random((2, 24, 32)) < 0.2
    first[3, 2:5, 2:20], second[3, 2:5, 2:20] = True, True
    second[3, 15:20, 3:6] = True
    return first, second


def dice_by_hand(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def outline_by_hand(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    height, width = mask.shape
    places = []
    for y, x in np.argwhere(mask):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        if any(not (0 <= v < height and 0 <= u < width and mask[v, u]) for v, u in around):
            places.append((y, x))
    return np.array(places)


def test_dice_in_closed_form(pair: tuple[Masks, Masks]) -> None:
    expected = [dice_by_hand(a, b) for a, b in zip(*pair, strict=True)]
    np.testing.assert_allclose(dice(*pair), expected)
    # 5 x 25 each, of which 3 x 23 are common
    assert expected[0] == pytest.approx(2 * 69 / 250)


def test_hd95_is_the_larger_percentile_of_all_distances(pair: tuple[Masks, Masks]) -> None:
    expected = []
    for a, b in zip(*pair, strict=True):
        distances = cdist(outline_by_hand(a), outline_by_hand(b))
        nearest = distances.min(1), distances.min(0)
        expected.append(max(np.percentile(side, 95) for side in nearest))
    np.testing.assert_allclose(hd95(*pair), expected)
    np.testing.assert_allclose(hd95(*pair[::-1]), expected)
    assert min(expected) > 0


def test_hd95_of_a_shifted_bar() -> None:
    bar, moved = blank(), blank()
    bar[0, 2:6, 4:24] = True
    moved[0, 9:13, 4:24] = True
    assert hd95(bar, moved).tolist() == [7]


def test_hd95_forgives_a_twentieth_of_the_outline() -> None:
    # one wrong pixel beside the 76 of the square's outline
    square = blank()
    square[0, :20, :20] = True
    spotted = square.copy()
    spotted[0, 22, 30] = True
    assert hd95(spotted, square).tolist() == [0]
    spotted[0, 16:23, 30] = True
    assert hd95(spotted, square)[0] > 5


def test_centreline_dice_composed_by_hand(pair: tuple[Masks, Masks]) -> None:
    expected = []
    for a, b in zip(*pair, strict=True):
        line_a, line_b = skeletonize(a), skeletonize(b)
        precision = (line_a & b).sum() / line_a.sum()
        sensitivity = (line_b & a).sum() / line_b.sum()
        expected.append(2 * precision * sensitivity / (precision + sensitivity))
    found = cldice(*pair, *(skeletons(mask) for mask in pair))
    np.testing.assert_allclose(found, expected)
    assert 0 < min(expected) < max(expected) < 1


def test_centreline_dice_sees_an_interruption_that_dice_forgives() -> None:
    vessel = blank(1, 40, 80)
    vessel[0, 18:23, 5:75] = True
    thick = vessel.copy()
    thick[0, 16:25, 5:75] = True  # same course, nearly twice the calibre
    lines = skeletons(vessel)
    assert dice(thick, vessel)[0] < 0.75
    assert cldice(thick, vessel, skeletons(thick), lines)[0] > 0.95
    cut = vessel.copy()
    cut[0, :, 30:45] = False
    assert cldice(cut, vessel, skeletons(cut), lines)[0] < 0.95


def test_two_empty_masks_agree_and_one_does_not() -> None:
    empty, some = blank(), blank()
    some[0, 4:9, 3:28] = True
    diagonal = math.hypot(24, 32)
    for found, truth, overlap, distance in (
        (empty, empty, 1.0, 0.0),
        (empty, some, 0.0, diagonal),
        (some, empty, 0.0, diagonal),
        (some, some, 1.0, 0.0),
    ):
        assert dice(found, truth).tolist() == [overlap]
        assert cldice(found, truth, skeletons(found), skeletons(truth)).tolist() == [overlap]
        assert hd95(found, truth).tolist() == [distance]


def test_a_vessel_beside_the_true_one_has_no_centreline_in_common() -> None:
    one, other = blank(), blank()
    one[0, 4:7, 3:28], other[0, 14:17, 3:28] = True, True
    assert cldice(one, other, skeletons(one), skeletons(other)).tolist() == [0]


def test_each_image_for_itself(pair: tuple[Masks, Masks]) -> None:
    lines = [skeletons(mask) for mask in pair]
    for row in range(4):
        first, second, line, other = (array[row : row + 1] for array in (*pair, *lines))
        assert dice(first, second)[0] == dice(*pair)[row]
        assert hd95(first, second)[0] == hd95(*pair)[row]
        assert cldice(first, second, line, other)[0] == cldice(*pair, *lines)[row]
    none = blank(0)
    assert dice(none, none).shape == hd95(none, none).shape == (0,)
