"""What is behind the head: a wall, a blurred room, blurred greenery, a studio gradient."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.probes.faces.identity import Floats
from benchmark.probes.faces.views import BACKGROUNDS, Views

# linear colours that each background draws from
_PALETTES = {
    "wall": ((0.30, 0.29, 0.28), (0.24, 0.26, 0.27), (0.32, 0.29, 0.24)),
    "room": ((0.16, 0.11, 0.07), (0.06, 0.065, 0.08), (0.24, 0.22, 0.19), (0.05, 0.08, 0.11)),
    "outdoors": ((0.06, 0.10, 0.03), (0.03, 0.05, 0.02), (0.20, 0.23, 0.26), (0.11, 0.13, 0.05)),
    "studio": ((0.12, 0.13, 0.15), (0.17, 0.165, 0.16), (0.08, 0.095, 0.12)),
}
_CELLS = {"wall": 3, "room": 5, "outdoors": 7, "studio": 2}


def backgrounds(views: Views, size: int, device: torch.device) -> Tensor:
    """Linear backgrounds ``[B, 3, size, size]``, functions of each view alone."""
    return torch.cat(
        [
            _background(BACKGROUNDS[kind], pattern, size)
            for kind, pattern in zip(views.background, views.pattern, strict=True)
        ]
    ).to(device)


def _background(kind: str, pattern: Floats, size: int) -> Tensor:
    key = int.from_bytes(hashlib.sha256(pattern.astype("<f4").tobytes()).digest()[:8], "little")
    rng = np.random.Generator(np.random.Philox(key=key))
    palette = np.array(_PALETTES[kind], dtype=np.float32)
    cells = _CELLS[kind]
    base = palette[rng.integers(0, len(palette), (cells, cells))]
    # out of focus: pulled towards the mean
    base = 0.65 * base + 0.35 * base.mean((0, 1))
    picks = 0.8 * base * rng.uniform(0.75, 1.25, (cells, cells, 1))
    if kind in ("wall", "studio"):
        # one colour, lit unevenly
        picks = picks.mean((0, 1)) * rng.uniform(0.75, 1.2, (cells, cells, 1))
    coarse = torch.from_numpy(picks.transpose(2, 0, 1)[None].astype(np.float32))
    smooth = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return smooth.clamp(0.01, 0.95)
