"""Periodic noise maps for skin and hair, made once from a fixed seed and shared by everyone.

A person's own pattern is the map seen at the person's own offset (traits ``pattern_u, pattern_v``).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SIDE = 256
#: Length of one period of the maps in head units.
PERIOD = 2.4
_SEED = 20240

#: Channels of the map: slow mottling, fine grain, two slopes of the grain, freckles, hair strands.
CHANNELS = ("mottling", "grain", "slope_u", "slope_v", "spots", "strands", "locks")


@lru_cache(maxsize=4)
def noise_map(device: torch.device) -> Tensor:
    """The shared map ``[256 * 256, C]``, channels as in :data:`CHANNELS`, on ``device``."""
    rng = np.random.Generator(np.random.Philox(key=_SEED))
    white = rng.standard_normal((5, _SIDE, _SIDE))
    frequency = np.fft.fftfreq(_SIDE) * _SIDE
    along, across = frequency[None, :], frequency[:, None]
    radius = np.hypot(along, across)
    mottling = _shape(white[0], (radius > 0) / np.maximum(radius, 3) ** 1.4)
    grain = _shape(white[1], np.exp(-(((radius - 42) / 22) ** 2)))
    spots = _shape(white[2], np.exp(-(((radius - 34) / 10) ** 2)))
    # strands: fine across (u), slow along (v)
    strands = _shape(white[3], np.exp(-((across / 6) ** 2)) * np.exp(-(((along - 0) / 60) ** 2)))
    locks = _shape(white[4], np.exp(-((across / 5) ** 2)) * np.exp(-((along / 14) ** 2)))
    slope_v, slope_u = np.gradient(grain)
    maps = [mottling, grain, slope_u, slope_v, (1.6 * (spots - 1.5)).clip(0, 1), strands, locks]
    stacked = np.stack(maps, -1).astype(np.float32).reshape(-1, len(maps))
    return torch.from_numpy(stacked).to(device)


def sample(u: Tensor, v: Tensor) -> Tensor:
    """Nearest entries of the map at ``u``, ``v`` in head units, ``[...]`` to ``[C, ...]``.

    Nearest is enough: the map is about as fine as the supersampled pixels it is drawn on.
    """
    column = (u * (_SIDE / PERIOD)).floor().long() % _SIDE
    row = (v * (_SIDE / PERIOD)).floor().long() % _SIDE
    return noise_map(u.device)[row * _SIDE + column].movedim(-1, 0).contiguous()


def _shape(white: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """White noise filtered in the Fourier domain, zero mean and unit variance."""
    spectrum = np.fft.fft2(white) * gain
    spectrum[0, 0] = 0
    result: NDArray[np.float64] = np.fft.ifft2(spectrum).real
    result /= result.std()
    return result
