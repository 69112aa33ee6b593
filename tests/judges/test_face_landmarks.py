from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import skimage.transform
from numpy.typing import NDArray

from benchmark.errors import WeightsError
from benchmark.judges import landmarks as module
from benchmark.judges.landmarks import locate_landmarks


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return np.ascontiguousarray(skimage.data.astronaut()[:256, 96:352])


@pytest.fixture(scope="module")
def upright(portrait: NDArray[np.uint8]) -> NDArray[np.float32]:
    return locate_landmarks(portrait[None])[0]


def test_the_points_lie_where_a_face_has_them(upright: NDArray[np.float32]) -> None:
    left_eye, right_eye, nose, left_mouth, right_mouth = upright
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    # read off the enlarged picture by eye
    seen = [[107.5, 101], [150.5, 103], [130, 127.5], [107.5, 140], [148.5, 140.5]]
    np.testing.assert_allclose(upright, seen, atol=4)


def test_no_face_gives_nan_and_no_images_nothing(portrait, upright) -> None:
    found = locate_landmarks([np.zeros((64, 64, 3), np.uint8), portrait])
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], upright)
    assert locate_landmarks([]).shape == (0, 5, 2)


@pytest.mark.parametrize("degrees", [-20.0, 20.0])
def test_a_turned_head_is_found_by_turning_the_image(
    monkeypatch: pytest.MonkeyPatch, portrait, upright, degrees: float
) -> None:
    """Only the turned attempt is allowed, so the points must come back through the rotation."""
    tilted = skimage.transform.rotate(portrait, degrees, mode="edge", preserve_range=True)
    tilted = tilted.round().astype(np.uint8)
    monkeypatch.setattr(module, "_ATTEMPTS", ((-degrees, 1),))
    found = locate_landmarks(tilted[None])[0]
    # skimage turns counter-clockwise as seen, with y pointing down
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = (np.array([256, 256]) - 1) / 2
    expected = (upright - centre) @ matrix.T + centre
    np.testing.assert_allclose(found, expected, atol=4)


def test_absent_weights_name_the_mending_command(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("benchmark.weights.store._place", lambda place: None)
    with pytest.raises(WeightsError, match="weights fetch dlib-landmarks-68"):
        locate_landmarks(np.zeros((1, 8, 8, 3), np.uint8))
