"""Pairs of pictures as arrays, and there and back to the tensors that enhancers take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmark.enhancers.base import Enhancer

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pairs:
    """``[N, H, W, 3]`` pictures of the same scenes, dark and well lit, and their file names."""

    names: tuple[str, ...]
    low: Pixels
    high: Pixels

    def of(self, names: Sequence[str]) -> Pairs:
        """The named ones."""
        rows = [self.names.index(name) for name in names]
        return Pairs(tuple(names), self.low[rows], self.high[rows])

    def enhanced(self, enhancer: Enhancer) -> Pixels:
        """What an enhancer makes of the dark pictures, rounded to 8 bit."""
        return to_pixels(enhancer.enhance(to_tensor(self.low)))


def read_all(folder: Path, names: Iterable[str]) -> Pixels:
    """The named RGB pictures of a folder."""
    return np.stack([np.asarray(Image.open(folder / name).convert("RGB")) for name in names])


def to_tensor(images: Pixels) -> torch.Tensor:
    """``[B, H, W, 3]`` to ``[B, 3, H, W]`` in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def to_pixels(images: torch.Tensor) -> Pixels:
    """The inverse, clipped and rounded to 8 bit."""
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).numpy()
