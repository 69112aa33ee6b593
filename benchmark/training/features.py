"""Reference features of the whole pool, prepared once and used by every arm and seed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.losses.base import Instruments
from benchmark.losses.stack import LossStack, build_stack
from benchmark.training.pool import TrainingPool

_CHUNK = 64
#: Beyond so many bytes features are prepared for every batch instead of being kept.
BUDGET = 1_500_000_000

Samples = NDArray[np.int64]


class FeatureBank:
    """Batches of a pool with what the loss terms need to know about the references.

    Args:
        pool: the training set.
        terms: names of loss terms.
        instruments: networks that the terms look through.
        device: where batches go.
        budget: bytes that kept features may take.
    """

    def __init__(
        self,
        pool: TrainingPool,
        terms: tuple[str, ...],
        instruments: Instruments,
        *,
        device: str,
        budget: int = BUDGET,
    ) -> None:
        self.pool, self.device = pool, torch.device(device)
        self.stack: LossStack = build_stack(terms, instruments).to(self.device).eval()
        self.kept = self._prepare_all(budget)

    def batch(self, samples: Samples) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs ``[B, 3, H, W]`` and reference features of the numbered samples."""
        inputs = self._images(self.pool.inputs[samples])
        if self.kept is None:
            return inputs, self._prepare(samples)
        index = torch.as_tensor(samples, device=self.device)
        return inputs, {name: feature[index] for name, feature in self.kept.items()}

    def _prepare(self, samples: Samples) -> dict[str, Tensor]:
        landmarks = torch.as_tensor(self.pool.landmarks[samples], device=self.device)
        return self.stack.prepare(self._images(self.pool.references[samples]), landmarks)

    def _prepare_all(self, budget: int) -> dict[str, Tensor] | None:
        count = len(self.pool)
        first = self._prepare(np.arange(min(count, 1)))
        if sum(f.element_size() * f.numel() for f in first.values()) * count > budget:
            return None
        kept = {name: f.new_empty((count, *f.shape[1:])) for name, f in first.items()}
        for start in range(0, count, _CHUNK):
            for name, feature in self._prepare(
                np.arange(start, min(start + _CHUNK, count))
            ).items():
                kept[name][start : start + len(feature)] = feature
        return kept

    def _images(self, images: NDArray[np.uint8]) -> Tensor:
        batch = torch.as_tensor(images, device=self.device).permute(0, 3, 1, 2)
        return batch.contiguous().float() / 255


_latest: tuple[tuple[object, ...], FeatureBank] | None = None


def shared_bank(
    pool: TrainingPool, terms: tuple[str, ...], instruments: Instruments, *, device: str
) -> FeatureBank:
    """The bank of this process: the last one is kept, so consecutive arms do not prepare again."""
    global _latest  # noqa: PLW0603 - one entry, replaced as a whole
    key = (pool.digest, terms, instruments, device)
    if _latest is None or _latest[0] != key:
        _latest = None  # frees the old one before the new one grows
        _latest = (key, FeatureBank(pool, terms, instruments, device=device))
    return _latest[1]
