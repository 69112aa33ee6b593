"""Distortions whose order is known, for testing metrics rather than enhancers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

from benchmark.data.degradations import noise_generator
from benchmark.data.evalset import EvalSet
from benchmark.imaging.filters import filter_matrix, gaussian_taps, separable

#: Blur (standard deviation) and displacement (root mean square), as shares of the shorter side.
BLUR, DISPLACEMENT = 1 / 128, 1 / 64
#: Smoothness of the displacement, as a share of the side.
_SMOOTH = 1 / 12
#: What a painted lesion lets through of red, green and blue: blood. In a grey picture: a third.
_BLOOD, _SHADOW = (0.8, 0.4, 0.4), (0.35, 0.35, 0.35)


def blurred(images: Tensor) -> Tensor:
    """Gaussian blur of :data:`BLUR`."""
    taps = gaussian_taps(BLUR * min(images.shape[-2:]))
    return separable(images, *(filter_matrix(size, taps) for size in images.shape[-2:]))


def deformed(images: Tensor, names: Sequence[str]) -> Tensor:
    """Warped along a smooth random field, one for each name.

    Args:
        images: ``[B, 3, H, W]``.
        names: ``[B]`` of the streams that the fields are drawn from.
    """
    height, width = images.shape[-2:]
    draws = [
        noise_generator(f"sanity/deform/{name}", seed=0).standard_normal((2, height, width))
        for name in names
    ]
    field = torch.as_tensor(np.stack(draws), dtype=images.dtype, device=images.device)
    taps = gaussian_taps(_SMOOTH * min(height, width))
    field = separable(field, *(filter_matrix(size, taps) for size in (height, width)))
    field = field / field.square().mean((1, 2, 3), keepdim=True).sqrt()
    shift = field * DISPLACEMENT * min(height, width) * 2**0.5 / 2
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=images.dtype, device=images.device),
        torch.arange(width, dtype=images.dtype, device=images.device),
        indexing="ij",
    )
    # sampling positions in the convention of grid_sample: pixel centres, edges at -1 and 1
    x = (columns + shift[:, 0] + 0.5) * 2 / width - 1
    y = (rows + shift[:, 1] + 0.5) * 2 / height - 1
    return functional.grid_sample(
        images, torch.stack([x, y], -1), padding_mode="border", align_corners=False
    )


def noisy(images: Tensor, names: Sequence[str]) -> Tensor:
    """The noise of one more grey step (1/255) on every pixel and channel, as any camera has."""
    draws = [
        noise_generator(f"sanity/noise/{name}", seed=0).standard_normal(images.shape[1:])
        for name in names
    ]
    noise = torch.as_tensor(np.stack(draws), dtype=images.dtype, device=images.device)
    return (images + noise / 255).clamp(0, 1)


def painted(images: Tensor, places: NDArray[np.float64], diameter: float) -> Tensor:
    """A round dark spot with a soft edge of a pixel.

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
        places: ``[B, 2]`` row and column of the centres.
        diameter: in pixels; 0 paints nothing.
    """
    if diameter <= 0:
        return images
    height, width = images.shape[-2:]
    rows = torch.arange(height, dtype=images.dtype, device=images.device)[:, None]
    columns = torch.arange(width, dtype=images.dtype, device=images.device)
    centres = torch.as_tensor(places, dtype=images.dtype, device=images.device)[..., None, None]
    distance = torch.hypot(rows - centres[:, 0], columns - centres[:, 1])
    # of a pixel on the rim, half is covered; a spot below a pixel covers its share of one
    cover = (diameter / 2 - distance + 0.5).clamp(0, 1)
    grey = (images.amax(1) - images.amin(1)).amax((1, 2)) < 1e-3
    passed = torch.where(grey[:, None], images.new_tensor(_SHADOW), images.new_tensor(_BLOOD))[
        ..., None, None
    ]
    return images * (1 - cover[:, None] * (1 - passed))


def quiet_places(evalset: EvalSet, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """``[B, 2]`` row and column as far as can be from every marked structure and from the rim.

    Where structure lies everywhere, or nothing is marked, it is the middle of the valid pixels.
    """
    size = evalset.references.shape[1:3]
    places = np.empty((len(rows), 2))
    for number, row in enumerate(rows):
        valid = evalset.masks.get("valid")
        free = np.ones(size, bool) if valid is None else valid[row].copy()
        for name, mask in evalset.masks.items():
            if name not in _NO_STRUCTURE:
                free &= ~mask[row]
        room = distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
        places[number] = np.unravel_index(np.argmax(room), size)
    return places


#: Masks that a lesion may lie on.
_NO_STRUCTURE = frozenset({"valid", "skin", "lungs"})
