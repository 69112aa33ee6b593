"""Is there a face where one should be? dlib's HOG detector, as a measured outcome."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.imaging.alignment import similarity
from benchmark.judges.base import JUDGES, JudgeCard
from benchmark.judges.chips import MEAN_FACE

Box = tuple[float, float, float, float]

#: Where dlib's detector puts its box, in units of the mean face: centre and side. Mean over the
#: 195 of 196 faces found in the London set at 150 px (standard deviations 0.06 and 0.10).
_BOX_CENTRE, _BOX_SIDE = (0.49, 0.437), 1.32
#: Against the box predicted from the landmarks, true detections had an IoU of at least 0.67 on
#: London and 0.48 on rendered faces (dlib's boxes come in steps of 1.2); mouth and chin taken for
#: a face had 0.40 and less.
MIN_IOU = 0.45


class FaceDetector:
    """dlib's frontal face detector on many images at once.

    dlib releases the interpreter lock while it works, so threads share the cores.

    Args:
        upsample: how often dlib doubles the image first; 1 finds faces from about 40 px on.
        min_iou: least overlap with the box that the landmarks predict.
        workers: threads; the number of cores this process may use if None.
    """

    def __init__(
        self, *, upsample: int = 1, min_iou: float = MIN_IOU, workers: int | None = None
    ) -> None:
        self.card: JudgeCard = JUDGES.get("dlib-hog")
        self.upsample, self.min_iou = upsample, min_iou
        self.workers = workers or cores()
        self._local = threading.local()

    def identity(self) -> dict[str, str]:
        """What the answers depend on besides the images."""
        return {
            "detector": f"{self.card.name} {self.card.version}",
            "dlib": version("dlib-bin"),
            "upsample": str(self.upsample),
            "min_iou": str(self.min_iou),
        }

    def detect(
        self, images: NDArray[np.uint8], landmarks: NDArray[np.float32] | None = None
    ) -> NDArray[np.bool_]:
        """Whether the face is found.

        Args:
            images: ``[N, H, W, 3]`` uint8.
            landmarks: ``[N, 5, 2]`` pixels of the true face. Where they are finite, only a box
                that overlaps the face counts; elsewhere any box does.

        Returns:
            ``[N]``.
        """
        boxes = self.boxes(images)
        if landmarks is None:
            return np.array([bool(found) for found in boxes], dtype=np.bool_)
        expected = expected_boxes(landmarks)
        return np.array(
            [
                any(not iou(box, true) < self.min_iou for box in found)
                for found, true in zip(boxes, expected, strict=True)
            ],
            dtype=np.bool_,
        )

    def boxes(self, images: NDArray[np.uint8]) -> list[list[Box]]:
        """All boxes (left, top, right, bottom) in every image, right and bottom exclusive."""
        if self.workers == 1 or len(images) == 1:
            return [self._one(image) for image in images]
        return list(self._pool.map(self._one, images))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # kept, because each thread reads a detector of its own, which takes as long as ten images
        return ThreadPoolExecutor(self.workers, thread_name_prefix="dlib-hog")

    def _one(self, image: NDArray[np.uint8]) -> list[Box]:
        detector = self._detector()
        found = detector(np.ascontiguousarray(image), self.upsample)
        return [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found]

    def _detector(self) -> Any:
        # a dlib detector has scratch memory of its own and must not be shared between threads
        if not hasattr(self._local, "detector"):
            import dlib

            self._local.detector = dlib.get_frontal_face_detector()
        return self._local.detector


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def expected_boxes(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The box that dlib's detector gives a face with these landmarks, ``[N, 4]``; NaN for NaN."""
    points = torch.as_tensor(landmarks, dtype=torch.float64)
    to_unit = similarity(points, torch.tensor(MEAN_FACE, dtype=torch.float64))
    linear, shift = to_unit[:, :, :2].numpy(), to_unit[:, :, 2].numpy()
    real, imaginary = linear[:, 0, 0], linear[:, 1, 0]
    scale2 = np.maximum(real**2 + imaginary**2, 1e-24)
    offset = np.asarray(_BOX_CENTRE) - shift
    # the inverse of a rotation-and-scale is its transpose over the squared scale
    centre = np.einsum("bji,bj->bi", linear, offset) / scale2[:, None] + 0.5
    half = _BOX_SIDE / np.sqrt(scale2)[:, None] / 2
    return np.concatenate([centre - half, centre + half], 1)


def iou(box: Box, expected: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes; NaN if the expected one is unknown."""
    first, second = np.asarray(box, dtype=np.float64), expected
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    overlap = float(np.clip(sides, 0, None).prod())
    areas = float((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod())
    return overlap / (areas - overlap)
