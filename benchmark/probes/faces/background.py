"""What is behind the head: a wall, a blurred room, blurred greenery, a studio gradient."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.probes.faces.views import BACKGROUNDS, Views

# linear colours that each background draws from
_PALETTES = {
    "wall": ((0.42, 0.41, 0.39), (0.36, 0.38, 0.40), (0.45, 0.42, 0.35)),
    "room": ((0.30, 0.22, 0.14), (0.12, 0.13, 0.16), (0.55, 0.52, 0.46), (0.10, 0.16, 0.22)),
    "outdoors": ((0.10, 0.17, 0.05), (0.05, 0.09, 0.03), (0.45, 0.52, 0.60), (0.22, 0.26, 0.10)),
    "studio": ((0.20, 0.21, 0.24), (0.28, 0.27, 0.26), (0.14, 0.16, 0.20)),
}
_CELLS = {"wall": 3, "room": 6, "outdoors": 10, "studio": 2}


def backgrounds(views: Views, size: int, device: torch.device) -> Tensor:
    """Linear backgrounds ``[B, 3, size, size]``, functions of each view alone."""
    return torch.cat(
        [
            _background(BACKGROUNDS[kind], pattern, size)
            for kind, pattern in zip(views.background, views.pattern, strict=True)
        ]
    ).to(device)


def _background(kind: str, pattern: np.ndarray, size: int) -> Tensor:
    key = int.from_bytes(hashlib.sha256(pattern.astype("<f4").tobytes()).digest()[:8], "little")
    rng = np.random.Generator(np.random.Philox(key=key))
    palette = np.array(_PALETTES[kind], dtype=np.float32)
    cells = _CELLS[kind]
    picks = palette[rng.integers(0, len(palette), (cells, cells))]
    picks = picks * rng.uniform(0.7, 1.3, (cells, cells, 1))
    if kind in ("wall", "studio"):
        # one colour, lit unevenly
        picks = picks.mean((0, 1)) * rng.uniform(0.75, 1.2, (cells, cells, 1))
    coarse = torch.from_numpy(picks.transpose(2, 0, 1)[None].astype(np.float32))
    smooth = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return smooth.clamp(0.01, 0.95)
