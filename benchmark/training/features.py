"""Reference features of the pool: the dear ones prepared once for every arm and seed."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.losses.base import Instruments
from benchmark.losses.stack import LossStack, build_stack
from benchmark.schedules.table import FAMILIES
from benchmark.training.pool import TrainingPool

_CHUNK = 64
#: Features of a term are kept if they take no more bytes a sample: an embedding is dear to make and
#: small, edge maps are the other way round.
WORTH_KEEPING = 100_000
#: Kept features of a whole pool take no more bytes than this, or none are kept.
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
        self._kept_families = self._worth_keeping(budget)
        self.kept = self._prepare_all()

    def batch(self, samples: Samples) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs ``[B, 3, H, W]`` and reference features of the numbered samples."""
        index = torch.as_tensor(samples, device=self.device)
        features = {name: feature[index] for name, feature in self.kept.items()}
        features |= self._prepare(samples, set(FAMILIES) - self._kept_families)
        return self._images(self.pool.inputs[samples]), features

    def references(self, samples: Samples) -> Tensor:
        """Clean pictures ``[B, 3, H, W]`` of the numbered samples."""
        return self._images(self.pool.references[samples])

    def _prepare(self, samples: Samples, families: Collection[str]) -> dict[str, Tensor]:
        landmarks = torch.as_tensor(self.pool.landmarks[samples], device=self.device)
        references = self.references(samples)
        return self.stack.prepare(references, landmarks, families=families)

    def _worth_keeping(self, budget: int) -> frozenset[str]:
        sizes = dict.fromkeys(FAMILIES, 0)
        for name, feature in self._prepare(np.arange(min(len(self.pool), 1)), FAMILIES).items():
            sizes[name.partition(".")[0]] += feature.element_size() * feature.numel()
        kept = {family: size for family, size in sizes.items() if 0 < size <= WORTH_KEEPING}
        return frozenset(kept) if sum(kept.values()) * len(self.pool) <= budget else frozenset()

    def _prepare_all(self) -> dict[str, Tensor]:
        kept: dict[str, Tensor] = {}
        count = len(self.pool) if self._kept_families else 0
        for start in range(0, count, _CHUNK):
            chunk = np.arange(start, min(start + _CHUNK, count))
            for name, feature in self._prepare(chunk, self._kept_families).items():
                if name not in kept:
                    kept[name] = feature.new_empty((count, *feature.shape[1:]))
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
