from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from benchmark.judges.detection import FaceDetector, expected_boxes, iou
from benchmark.judges.landmarks import locate_landmarks


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return np.ascontiguousarray(skimage.data.astronaut()[:256, 96:352])


@pytest.fixture(scope="module")
def landmarks(portrait: NDArray[np.uint8]) -> NDArray[np.float32]:
    return locate_landmarks(portrait[None])[0]


def test_a_face_is_found_and_its_absence_noticed(portrait, landmarks) -> None:
    images = np.stack([portrait, np.zeros_like(portrait), np.full_like(portrait, 128)])
    points = np.repeat(landmarks[None], 3, 0)
    found = FaceDetector().detect(images, points)
    assert found.tolist() == [True, False, False]
    assert found.dtype == np.bool_


def test_a_box_elsewhere_is_not_the_face(portrait, landmarks) -> None:
    detector = FaceDetector()
    elsewhere = landmarks + np.float32(60)
    smaller = (landmarks - landmarks.mean(0)) * 0.3 + landmarks.mean(0)
    for points in (elsewhere, smaller):
        assert not detector.detect(portrait[None], points[None].astype(np.float32))[0]
    assert detector.detect(portrait[None])[0]
    unknown = np.full((1, 5, 2), np.nan, np.float32)
    assert detector.detect(portrait[None], unknown)[0]


def test_threads_change_nothing(portrait) -> None:
    images = np.stack([np.roll(portrait, shift, axis=1) for shift in (0, 7, 19, 31)])
    assert FaceDetector(workers=4).boxes(images) == FaceDetector(workers=1).boxes(images)
    assert FaceDetector().boxes(images[:0]) == []


def test_detections_are_dlibs(portrait) -> None:
    import dlib

    boxes = dlib.get_frontal_face_detector()(portrait, 1)
    expected = [(b.left(), b.top(), b.left() + b.width(), b.top() + b.height()) for b in boxes]
    assert FaceDetector(workers=1).boxes(portrait[None])[0] == expected


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_the_expected_box_turns_and_grows_with_the_landmarks(degrees: int, landmarks) -> None:
    box = expected_boxes(landmarks[None])[0]
    turn = np.radians(degrees)
    matrix = 2 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = expected_boxes((landmarks @ matrix.T + 10)[None].astype(np.float32))[0]
    # pixel coordinates have their origin in the middle of a pixel, boxes at its corner
    centre = ((box[:2] + box[2:]) / 2 - 0.5) @ matrix.T + 10 + 0.5
    np.testing.assert_allclose((moved[:2] + moved[2:]) / 2, centre, atol=1e-3)
    np.testing.assert_allclose(moved[2:] - moved[:2], 2 * (box[2:] - box[:2]), atol=1e-3)


def test_overlap_of_boxes_in_closed_form() -> None:
    square = np.array([0.0, 0, 2, 2])
    assert iou((0, 0, 2, 2), square) == 1
    assert iou((1, 0, 3, 2), square) == pytest.approx(2 / 6)
    assert iou((2, 2, 3, 3), square) == 0
    assert np.isnan(iou((0, 0, 1, 1), np.full(4, np.nan)))
