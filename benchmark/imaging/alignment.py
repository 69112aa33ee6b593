"""Bringing faces to a template by a similarity transform, in batches and differentiably.

Landmarks are five points ``(x, y)`` in pixels, origin at the centre of the top left pixel, ordered
as the viewer sees them: left eye, right eye, tip of the nose, left and right corner of the mouth.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Five-point template of a 112 x 112 face crop, the convention shared by ArcFace-type recognisers.
TEMPLATE_112 = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


def template(size: int, *, zoom: float = 1.0) -> Tensor:
    """The five-point template for a square crop of ``size`` pixels, ``[5, 2]``.

    Args:
        size: side of the crop in pixels.
        zoom: 1 keeps the tight ArcFace crop; smaller values show more around the face.
    """
    points = (torch.tensor(TEMPLATE_112) + 0.5) / 112
    return ((points - 0.5) * zoom + 0.5) * size - 0.5


def similarity(source: Tensor, target: Tensor) -> Tensor:
    """Least-squares similarity (rotation, uniform scale, shift) taking ``source`` to ``target``.

    Closed form for the plane: with centred points as complex numbers s and t,
    the rotation-and-scale is a = sum(conj(s) t) / sum(|s|^2) (Umeyama 1991 without reflection).

    Args:
        source: ``[B, P, 2]``.
        target: ``[P, 2]`` or ``[B, P, 2]``.

    Returns:
        ``[B, 2, 3]`` matrices acting on column vectors ``(x, y, 1)``.
    """
    target = target.to(source).expand_as(source)
    mean_s, mean_t = source.mean(1), target.mean(1)
    s, t = source - mean_s[:, None], target - mean_t[:, None]
    norm = (s**2).sum((1, 2)).clamp(min=1e-12)
    real = (s * t).sum((1, 2)) / norm
    imaginary = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(1) / norm
    linear = torch.stack([real, -imaginary, imaginary, real], 1).view(-1, 2, 2)
    shift = mean_t - torch.einsum("bij,bj->bi", linear, mean_s)
    return torch.cat([linear, shift[:, :, None]], 2)


def crop(images: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Resample images through ``matrices`` (image pixel to crop pixel) with bilinear weights.

    Gradients flow to ``images``. Outside the image the nearest edge pixel is repeated.

    Args:
        images: ``[B, C, H, W]``.
        matrices: ``[B, 2, 3]`` from :func:`similarity`.
        size: side of the square crop in pixels.

    Returns:
        ``[B, C, size, size]``.
    """
    height, width = images.shape[-2:]
    inverse_linear = torch.linalg.inv(matrices[:, :, :2])
    steps = torch.arange(size, dtype=matrices.dtype, device=matrices.device)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    points = torch.stack([x, y], -1).view(1, -1, 2) - matrices[:, None, :, 2]
    pixels = torch.einsum("bij,bpj->bpi", inverse_linear, points)
    extent = pixels.new_tensor([width, height])
    grid = (pixels + 0.5) / extent * 2 - 1
    return functional.grid_sample(
        images,
        grid.view(-1, size, size, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


def align(images: Tensor, landmarks: Tensor, size: int, *, zoom: float = 1.0) -> Tensor:
    """Face crops ``[B, C, size, size]`` with the landmarks ``[B, 5, 2]`` on the template."""
    matrices = similarity(landmarks, template(size, zoom=zoom).to(landmarks))
    return crop(images, matrices, size)
