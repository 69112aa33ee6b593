"""LIME: brighten by dividing by an illumination map that is smooth but keeps structure.

Guo, Li & Ling, "LIME: Low-Light Image Enhancement via Illumination Map Estimation", IEEE TIP 2017,
the sped-up solver. The initial illumination is T0 = max(R, G, B). The problem
min_T |T0 - T|^2 + alpha |W o grad T|_1 is replaced, as published, by its quadratic surrogate
sum alpha W / (|grad T0| + eps) (grad T)^2, whose minimum is one sparse linear system per image:

    (I + sum_d D_d' diag(w_d) D_d) T = T0

with forward differences D_d, no flux through the border, and the weights of the paper's strategy
III, W_d = 1 / (|G_sigma * grad_d T0| + eps). The matrix is symmetric, an M-matrix, and its rows
and columns sum to one; hence min T0 <= T <= max T0 and mean T = mean T0.

Systems are solved directly (sparse LU, symmetric minimum-degree ordering), in double precision,
one image per thread: the weights span five orders of magnitude, which makes iterative solvers slow
and their answer dependent on a tolerance. The published optional BM3D step is not applied.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter1d
from scipy.sparse.linalg import splu
from torch import Tensor

from benchmark.enhancers.base import Enhancer

Array = NDArray[np.float64]


class Lime(Enhancer):
    """Low-light enhancement via illumination map estimation.

    Args:
        alpha: strength of the smoothing, paper 0.15.
        sigma: standard deviation in pixels of the window of strategy III, paper 2.
        gamma: exponent of the illumination map, paper 0.8.
        epsilon: keeps quotients finite, also the smallest illumination divided by.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.15,
        sigma: float = 2.0,
        gamma: float = 0.8,
        epsilon: float = 1e-3,
    ) -> None:
        self.alpha, self.sigma, self.gamma, self.epsilon = alpha, sigma, gamma, epsilon

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """``images / T ** gamma``; the map is computed on the CPU."""
        illumination = self.illumination(images.amax(1))
        return images / illumination.clamp(min=self.epsilon).unsqueeze(1) ** self.gamma

    def illumination(self, initial: Tensor) -> Tensor:
        """The refined illumination map.

        Args:
            initial: ``[B, H, W]``, T0 in [0, 1].

        Returns:
            ``[B, H, W]`` within the range of ``initial``, same mean for every image.
        """
        planes = initial.cpu().double().numpy()
        vertical, horizontal = smoothness_weights(
            planes, alpha=self.alpha, sigma=self.sigma, epsilon=self.epsilon
        )
        # SuperLU releases the interpreter lock, so threads really work side by side
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            solved = list(threads.map(solve, planes, vertical, horizontal))
        return torch.from_numpy(np.stack(solved)).to(initial)


def smoothness_weights(
    initial: Array, *, alpha: float, sigma: float, epsilon: float
) -> tuple[Array, Array]:
    """Weights of the squared differences to the pixel below and to the right.

    Args:
        initial: ``[B, H, W]``, T0.
        alpha: strength.
        sigma: window in pixels.
        epsilon: added to magnitudes before they divide.

    Returns:
        Two arrays ``[B, H, W]``, at least 0; zero where there is no such neighbour.
    """
    weights = []
    for axis in (1, 2):
        last = initial.take([-1], axis=axis)
        gradient = np.diff(initial, axis=axis, append=last)
        local = np.abs(_blur(gradient, sigma)) + epsilon
        weight = alpha / (local * (np.abs(gradient) + epsilon))
        weight[(slice(None),) * axis + (-1,)] = 0.0
        weights.append(weight)
    return weights[0], weights[1]


def _blur(planes: Array, sigma: float) -> Array:
    rows = gaussian_filter1d(planes, sigma, axis=1)
    return np.asarray(gaussian_filter1d(rows, sigma, axis=2))


def system(vertical: Array, horizontal: Array) -> sparse.csc_array:
    """The five-point matrix I + sum D' diag(w) D of one image, ``[H W, H W]``.

    Args:
        vertical: ``[H, W]``, weights towards the pixel below, last row zero.
        horizontal: ``[H, W]``, weights towards the pixel to the right, last column zero.
    """
    height, width = vertical.shape
    diagonal = 1 + vertical + horizontal
    diagonal[1:] += vertical[:-1]
    diagonal[:, 1:] += horizontal[:, :-1]
    right = horizontal.ravel()[:-1]
    below = vertical.ravel()[:-width]
    bands = {0: diagonal.ravel()}
    # an image of one column has its neighbour below at distance one
    for offset, values in ((1, -right), (width, -below)):
        if values.size:
            bands[offset] = bands.get(offset, 0) + values
    lower = {-offset: values for offset, values in bands.items() if offset}
    bands |= lower
    pixels = height * width
    return sparse.diags_array(
        list(bands.values()), offsets=list(bands), shape=(pixels, pixels), format="csc"
    )


def solve(initial: Array, vertical: Array, horizontal: Array) -> Array:
    """The illumination map of one image, ``[H, W]``, to machine precision."""
    factors = splu(
        system(vertical, horizontal),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,  # the matrix is positive definite: the diagonal is a safe pivot
        relax=1,  # supernodes are small here, padding them costs more than it saves
        options={"SymmetricMode": True},
    )
    return np.asarray(factors.solve(initial.ravel())).reshape(initial.shape)
