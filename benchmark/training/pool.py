"""The training set: degraded images with their references, landmarks and contexts; no groups."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.regions import NOWHERE, STRIDE, Regions
from benchmark.errors import DataError, StoreError
from benchmark.files import write_bytes

_FILE = "pool.safetensors"
_ARRAYS = ("inputs", "references", "landmarks", "labels", "regions", "samples")


@dataclass(frozen=True, eq=False)
class TrainingPool:
    """Paired samples at rest.

    Attributes:
        inputs: degraded, uint8 ``[N, H, W, 3]``.
        references: clean, uint8 ``[N, H, W, 3]``.
        landmarks: ``[N, 5, 2]`` float32 in pixels (``imaging.alignment``), NaN where no face is.
        labels: true context of every sample, int64 index into ``CONTEXTS``, ``[N]``.
        samples: names, unique.
        regions: context of every 4 x 4 pixels where it is known, int8 ``[N, H // 4, W // 4]``
            (``contexts.regions``); nowhere by default.
    """

    inputs: NDArray[np.uint8]
    references: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    labels: NDArray[np.int64]
    samples: tuple[str, ...]
    regions: Regions = field(default_factory=lambda: np.empty((0, 0, 0), np.int8))

    def __post_init__(self) -> None:
        count = len(self.samples)
        cells = (self.inputs.shape[1] // STRIDE, self.inputs.shape[2] // STRIDE)
        if not self.regions.size:
            object.__setattr__(self, "regions", np.full((count, *cells), NOWHERE, np.int8))
        problems = [
            (
                self.inputs.ndim == 4 and self.inputs.shape[3:] == (3,),
                "inputs are not [N, H, W, 3]",
            ),
            (self.inputs.shape == self.references.shape, "inputs and references differ in shape"),
            (self.inputs.dtype == self.references.dtype == np.uint8, "images are not uint8"),
            (self.landmarks.shape == (count, 5, 2), "landmarks are not [N, 5, 2]"),
            (self.labels.shape == (count,) == self.inputs.shape[:1], "the lengths differ"),
            (self.regions.shape == (count, *cells), "regions are not [N, H // 4, W // 4]"),
            (len(set(self.samples)) == count, "two samples have the same name"),
            (
                bool(((self.labels >= 0) & (self.labels < len(CONTEXTS))).all()),
                "a label is no context",
            ),
        ]
        for holds, what in problems:
            if not holds:
                raise DataError(f"not a training pool: {what}", where=f"{count} samples")

    def __len__(self) -> int:
        return len(self.samples)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over everything that training reads."""
        digest = hashlib.sha256()
        for array in (
            self.inputs,
            self.references,
            self.landmarks,
            self.labels,
            self.regions,
        ):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update("\0".join(self.samples).encode())
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """Samples of every context that has any."""
        numbers = np.bincount(self.labels, minlength=len(CONTEXTS))
        return {name: int(n) for name, n in zip(CONTEXTS, numbers, strict=True) if n}

    def save(self, folder: Path) -> None:
        """Write the pool to ``folder``; the same pool gives the same bytes."""
        names = np.frombuffer("\n".join(self.samples).encode(), dtype=np.uint8)
        arrays = {
            "inputs": self.inputs,
            "references": self.references,
            "landmarks": self.landmarks,
            "labels": self.labels,
            "regions": self.regions,
            "samples": names,
        }
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_bytes(folder / _FILE, save(contiguous))

    @classmethod
    def load(cls, folder: Path) -> TrainingPool:
        """Read what :meth:`save` wrote.

        Raises:
            StoreError: if the file is absent or damaged.
        """
        path = folder / _FILE
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"the training pool cannot be read: {error}",
                where=str(path),
                mend="delete this cache entry and run again",
            ) from error
        names = arrays.pop("samples").tobytes().decode()
        return cls(**arrays, samples=tuple(names.split("\n")) if names else ())


def joined(pools: Sequence[TrainingPool]) -> TrainingPool:
    """One pool of several, in the given order; all images of one size."""
    return TrainingPool(
        inputs=np.concatenate([pool.inputs for pool in pools]),
        references=np.concatenate([pool.references for pool in pools]),
        landmarks=np.concatenate([pool.landmarks for pool in pools]),
        labels=np.concatenate([pool.labels for pool in pools]),
        regions=np.concatenate([pool.regions for pool in pools]),
        samples=tuple(name for pool in pools for name in pool.samples),
    )
