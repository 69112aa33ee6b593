"""Cutting faces out the way dlib's recogniser was trained on them.

dlib aligns a face by a least-squares similarity from landmarks to a mean face whose eyebrows,
eyes, nose and mouth span the unit square; the chip shows that square with a quarter of its side
around it. The mean face is published in dlib's ``image_transforms/interpolation.h``. Our five
points are the means of, or are among, its 68: an eye centre is the mean of six points (36-41,
42-47), the tip of the nose point 30, the corners of the mouth points 48 and 54.

Measured against ``dlib.get_face_chip`` with dlib's own five-point predictor (corners of the eyes
and base of the nose): see ``tests/judges/test_chips.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.imaging.alignment import crop, similarity

#: The five points on the unit square of the mean face.
MEAN_FACE = (
    (0.225492, 0.215990),
    (0.754761, 0.215990),
    (0.490127, 0.515625),
    (0.254149, 0.780233),
    (0.726104, 0.780233),
)
PADDING = 0.25


def chip_template(size: int, *, padding: float = PADDING) -> Tensor:
    """Where the five landmarks lie in a chip of ``size`` pixels, ``[5, 2]``."""
    return (torch.tensor(MEAN_FACE) + padding) / (2 * padding + 1) * size


def face_chips(images: Tensor, landmarks: Tensor, size: int) -> Tensor:
    """Aligned face chips.

    A face larger than its chip is first averaged down by a power of two, so that every chip pixel
    sees all the image pixels below it; which power depends on the face alone, never on the batch.

    Args:
        images: ``[B, 3, H, W]`` in any range.
        landmarks: ``[B, 5, 2]`` pixels, finite.
        size: side of the chip in pixels.

    Returns:
        ``[B, 3, size, size]`` in the range of ``images``.
    """
    matrices = similarity(landmarks, chip_template(size).to(landmarks))
    scale = torch.linalg.det(matrices[:, :, :2]).clamp(min=1e-12).sqrt()
    octaves = torch.floor(torch.log2(1 / scale) + 1e-6).clamp(0, 6).long()
    chips = images.new_empty(len(images), images.shape[1], size, size)
    for octave in sorted(set(octaves.tolist())):
        chosen, factor = octaves == octave, 2**octave
        small = functional.avg_pool2d(images[chosen], factor, ceil_mode=True)
        moved = matrices[chosen].clone()
        # pixel p of the image lies at (p + 1/2) / factor - 1/2 of the small one
        moved[:, :, 2] += moved[:, :, :2].sum(2) * (factor - 1) / 2
        moved[:, :, :2] *= factor
        chips[chosen] = crop(small, moved, size)
    return chips
