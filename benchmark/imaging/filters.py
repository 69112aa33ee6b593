"""Linear filters as small dense matrices, and the image structure built from them.

A separable filter acts on an image X as V X H^T. Held as matrices, border handling and
decimation are part of the operator, the gradient is two more products, and on training crops of
some 100 pixels a product runs about ten times faster on a CPU than a one-channel convolution.
Trade-off: the cost grows with the third power of the side, so this is not for large photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Border = Literal["reflect", "replicate", "zero"]
Array = NDArray[np.float64]


def gaussian_taps(sigma: float, *, truncate: float = 4.0) -> tuple[float, ...]:
    """A sampled Gaussian of standard deviation ``sigma`` pixels that sums to one.

    Args:
        sigma: positive, in pixels.
        truncate: the radius is ``round(truncate * sigma)`` as in ``scipy.ndimage``.
    """
    radius = int(truncate * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return tuple(float(tap) for tap in taps / taps.sum())


@lru_cache(maxsize=512)
def filter_matrix(
    size: int, taps: tuple[float, ...], stride: int = 1, border: Border = "reflect"
) -> Array:
    """The matrix that correlates a signal with ``taps`` at every ``stride``-th sample.

    Args:
        size: length of the signal.
        taps: odd number of coefficients, the middle one at the sample itself.
        stride: 1 keeps every output, 2 every second from the first on, ...
        border: ``reflect`` repeats (d c b a | a b c d), ``replicate`` the edge sample, ``zero``
            nothing.

    Returns:
        ``[ceil(size / stride), size]``; read-only, it is shared.
    """
    radius = len(taps) // 2
    centres = np.arange(0, size, stride)
    position = centres[:, None] + np.arange(-radius, radius + 1)
    weight = np.broadcast_to(np.asarray(taps, dtype=np.float64), position.shape)
    if border == "zero":
        weight = np.where((position >= 0) & (position < size), weight, 0.0)
    if border == "reflect":
        folded = np.mod(position, 2 * size)
        column = np.where(folded < size, folded, 2 * size - 1 - folded)
    else:
        column = position.clip(0, size - 1)
    matrix = np.zeros((len(centres), size))
    np.add.at(matrix, (np.arange(len(centres))[:, None], column), weight)
    matrix.setflags(write=False)
    return matrix


@lru_cache(maxsize=64)
def mean_matrix(size: int, block: int) -> Array:
    """The matrix that averages blocks of ``block`` samples; a remainder at the end is dropped.

    Returns:
        ``[size // block, size]``.
    """
    matrix = np.kron(np.eye(size // block), np.full((1, block), 1 / block))
    matrix = np.pad(matrix, ((0, 0), (0, size - matrix.shape[1])))
    matrix.setflags(write=False)
    return matrix


def bank(images: Tensor, vertical: Sequence[Array], horizontal: Sequence[Array]) -> Tensor:
    """Several separable filters at once: channel f of the result is ``V_f X H_f^T``.

    Args:
        images: ``[B, 1, H, W]``.
        vertical: F matrices ``[h, H]``.
        horizontal: F matrices ``[w, W]``.

    Returns:
        ``[B, F, h, w]``.
    """
    batch, _, _, width = images.shape
    tall = torch.as_tensor(np.concatenate(vertical), dtype=images.dtype, device=images.device)
    wide = torch.as_tensor(np.stack(horizontal), dtype=images.dtype, device=images.device)
    columns = torch.matmul(tall, images[:, 0]).view(batch, len(vertical), len(vertical[0]), width)
    return torch.matmul(columns, wide.mT)


def separable(images: Tensor, vertical: Array, horizontal: Array) -> Tensor:
    """One separable filter on every channel: ``V X H^T``, ``[B, C, h, w]``."""
    # a copy, because the matrices are cached and read-only
    left = torch.tensor(vertical, dtype=images.dtype, device=images.device)
    right = torch.tensor(horizontal, dtype=images.dtype, device=images.device)
    return torch.matmul(torch.matmul(left, images), right.mT)


def resize_matrix(size: int, target: int) -> Array:
    """Bilinear resampling between pixel centres, edges replicated (``align_corners=False``).

    Returns:
        ``[target, size]``.
    """
    position = ((np.arange(target) + 0.5) * size / target - 0.5).clip(0, size - 1)
    low = np.minimum(position.astype(int), max(size - 2, 0))
    share = position - low
    matrix = np.zeros((target, size))
    rows = np.arange(target)
    matrix[rows, low] += 1 - share
    matrix[rows, np.minimum(low + 1, size - 1)] += share
    return matrix


def binomial(images: Tensor) -> Tensor:
    """[1, 2, 1] / 4 along both axes, edges replicated; linear in the number of pixels.

    Args:
        images: ``[B, C, H, W]``.
    """
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16


def sobel(gray: Tensor, *, block: int = 1) -> Tensor:
    """Sobel derivatives per pixel, the 3 x 3 kernels divided by 8.

    Args:
        gray: ``[B, 1, H, W]``.
        block: the image is first averaged over blocks of this side.

    Returns:
        ``[B, 2, H // block, W // block]``: along x, along y.
    """
    vertical, horizontal = (
        [matrix @ mean_matrix(size, block) for matrix in _sobel_pair(size // block)]
        for size in gray.shape[-2:]
    )
    return bank(gray, vertical, horizontal[::-1])


def _sobel_pair(size: int) -> tuple[Array, Array]:
    return (
        filter_matrix(size, (0.25, 0.5, 0.25)),
        filter_matrix(size, (-0.5, 0.0, 0.5)),
    )


def hessian_eigenvalues(gray: Tensor, *, sigma: float, stride: int = 1) -> Tensor:
    """Eigenvalues of sigma^2 D^2 (G_sigma * image), the larger first.

    The image is smoothed and then differenced, [1, -2, 1] and [-1, 0, 1] / 2 (Lindeberg 1993), so
    that flat regions of any brightness have none; a truncated derivative kernel would leak.

    Args:
        gray: ``[B, 1, H, W]``.
        sigma: scale in pixels.
        stride: 2 keeps every second pixel of the result.

    Returns:
        ``[B, 2, ceil(H / stride), ceil(W / stride)]``.
    """
    (v0, v1, v2), (h0, h1, h2) = (_derivatives(size, sigma, stride) for size in gray.shape[-2:])
    xx, yy, xy = bank(gray, (v0, v2, v1), (h2, h0, h1)).unbind(1)
    half_trace, half_difference = (xx + yy) / 2, (xx - yy) / 2
    # 1e-10 keeps the gradient of the root finite where both eigenvalues agree
    radius = torch.sqrt(half_difference**2 + xy**2 + 1e-10)
    return torch.stack([half_trace + radius, half_trace - radius], 1)


@lru_cache(maxsize=64)
def _derivatives(size: int, sigma: float, stride: int) -> tuple[Array, Array, Array]:
    smooth = filter_matrix(size, gaussian_taps(sigma))
    first = filter_matrix(size, (-0.5, 0.0, 0.5), stride) @ smooth
    second = filter_matrix(size, (1.0, -2.0, 1.0), stride) @ smooth
    return smooth[::stride], sigma * first, sigma**2 * second


#: Divisive normalisation fitted by Laparra et al. (2016, table 1) to natural images, finest level
#: first: top, left, right and bottom of a 3 x 3 convolution kernel, and the saturation constant.
_NORMALISATION = (
    ((0.1011, 0.1493, 0.1460, 0.1015), 0.0248),
    ((0.0757, 0.1986, 0.1846, 0.0837), 0.0185),
    ((0.0477, 0.2138, 0.2243, 0.0467), 0.0179),
    ((0.0000, 0.2503, 0.2616, 0.0000), 0.0191),
    ((0.0000, 0.2598, 0.2552, 0.0000), 0.0220),
    ((0.0000, 0.2215, 0.0717, 0.0000), 0.2782),
)
_BINOMIAL = (0.05, 0.25, 0.4, 0.25, 0.05)


def normalised_laplacian_pyramid(gray: Tensor, *, levels: int = 6) -> list[Tensor]:
    """Laplacian pyramid with local divisive normalisation (Laparra et al. 2016).

    Each band z becomes z / (sigma + P |z|), where P sums weighted neighbours; the last level is
    the low-pass remainder, normalised with the last constants.

    Args:
        gray: ``[B, 1, H, W]`` luminance in [0, 1].
        levels: 1 to 6; both sides must stay at least 2 px at the level before the last.

    Returns:
        ``levels`` tensors ``[B, 1, h, w]``, the finest first.
    """
    bands, current = [], gray
    for level in range(levels):
        height, width = current.shape[-2:]
        if level < levels - 1:
            coarse = _halved(current)
            up = [_expand_matrix(size) for size in (height, width)]
            band = current - separable(coarse, *up)
        else:
            coarse = band = current
        (above, left, right, below), saturation = _NORMALISATION[
            level if level < levels - 1 else -1
        ]
        # the published weights are a convolution kernel: they meet the neighbours reversed
        rows = filter_matrix(height, (below, 0.0, above), 1, "zero")
        columns = filter_matrix(width, (right, 0.0, left), 1, "zero")
        amplitude = band.abs()
        around = separable(amplitude, rows, np.eye(width)) + separable(
            amplitude, np.eye(height), columns
        )
        bands.append(band / (saturation + around))
        current = coarse
    return bands


def laplacian_band(gray: Tensor, level: int) -> Tensor:
    """One level of the Laplacian pyramid of Burt & Adelson (1983), without normalisation.

    Args:
        gray: ``[B, 1, H, W]``.
        level: 0 is the finest, at full size; each further one has half the side, rounded up.

    Returns:
        ``[B, 1, ceil(H / 2^level), ceil(W / 2^level)]``, around 0.
    """
    current = gray
    for _ in range(level):
        current = _halved(current)
    expand = [_expand_matrix(size) for size in current.shape[-2:]]
    return current - separable(_halved(current), *expand)


def _halved(images: Tensor) -> Tensor:
    return separable(images, *(filter_matrix(size, _BINOMIAL, 2) for size in images.shape[-2:]))


@lru_cache(maxsize=64)
def _expand_matrix(size: int) -> Array:
    """Doubling by zero insertion and the binomial filter: ``[size, ceil(size / 2)]``."""
    coarse = (size + 1) // 2
    padded = np.zeros((2 * (coarse + 2), coarse))
    for row, source in enumerate(np.arange(-1, coarse + 1).clip(0, coarse - 1)):
        padded[2 * row, source] = 2.0
    smooth = filter_matrix(len(padded), _BINOMIAL, 1, "zero") @ padded
    matrix: Array = smooth[2 : 2 + size]
    matrix.setflags(write=False)
    return matrix
