"""Five landmarks of photographs that come without, from the clean image.

dlib's detector finds the face and its 68-point shape predictor the landmarks; the five are
reduced exactly as in :mod:`benchmark.judges.chips`. They are taken from the clean reference once
and serve every degraded and enhanced copy of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.judges.detection import FaceDetector, cores
from benchmark.weights import require

# tried in turn until a face is found: (rotation in degrees, upsamplings)
_ATTEMPTS = ((0.0, 1), (0.0, 2), (-20.0, 1), (20.0, 1))


def locate_landmarks(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Five landmarks of the largest face in every image.

    Args:
        images: N arrays ``[H, W, 3]`` uint8 of any size, or one ``[N, H, W, 3]``.

    Returns:
        ``[N, 5, 2]`` float32 pixels as in ``imaging.alignment``; NaN where no face is found.

    Raises:
        WeightsError: if the predictor's weights are absent, with the mending command.
    """
    import dlib

    predictor = dlib.shape_predictor(str(require("dlib-landmarks-68").path))
    detectors = [FaceDetector(upsample=upsample, workers=1) for _, upsample in _ATTEMPTS]
    find = partial(_find, predictor=predictor, detectors=detectors)
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(find, images))
    return np.stack(found) if found else np.empty((0, 5, 2), np.float32)


def _find(
    image: NDArray[np.uint8], *, predictor: Any, detectors: list[FaceDetector]
) -> NDArray[np.float32]:
    import dlib

    for (degrees, _), detector in zip(_ATTEMPTS, detectors, strict=True):
        turned = _rotated(image, degrees)
        boxes = detector.boxes(turned[None])[0]
        if boxes:
            box = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
            left, top, right, bottom = (round(side) for side in box)
            shape = predictor(turned, dlib.rectangle(left, top, right - 1, bottom - 1))
            points = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)
            return _rotated_back(five_of_68(points), degrees, image.shape).astype(np.float32)
    return np.full((5, 2), np.nan, np.float32)


def five_of_68(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Our five landmarks ``[5, 2]`` from the 68 of iBUG 300-W ``[68, 2]``."""
    eyes = points[36:48].reshape(2, 6, 2).mean(1)
    return np.concatenate([eyes, points[[30, 48, 54]]])


def _rotated(image: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """The image turned about its centre, same size, edges repeated."""
    if degrees == 0:
        return np.ascontiguousarray(image)
    from scipy.ndimage import affine_transform

    centre = (np.array(image.shape[:2]) - 1) / 2
    turn = _turn(degrees)[::-1, ::-1]  # acts on (y, x)
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    offset = np.append(centre - turn @ centre, 0.0)
    turned: NDArray[np.uint8] = affine_transform(image, matrix, offset, order=1, mode="nearest")
    return turned


def _rotated_back(
    points: NDArray[np.float64], degrees: float, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Points of the turned image in the coordinates of the original."""
    centre = (np.array([shape[1], shape[0]]) - 1) / 2
    return (points - centre) @ _turn(degrees).T + centre


def _turn(degrees: float) -> NDArray[np.float64]:
    """Turned pixel (x, y) to original pixel, about the origin."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])
