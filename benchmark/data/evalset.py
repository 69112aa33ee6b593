"""The samples a task evaluates on, decoded, degraded and ready to be scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_ARRAYS = ("inputs", "references", "landmarks", "gallery", "gallery_landmarks")
_MASK = "mask."


@dataclass(frozen=True)
class EvalSet:
    """Samples of one task, all of one size.

    Attributes:
        frame: one row per sample, in order. Columns ``sample`` (unique id), ``cluster`` (the
            independent unit: identity, patient, scene), ``status`` (``ok`` or ``decode_error``)
            and one column per axis. Optionally ``label`` (text: the right answer of a recogniser)
            and, here and in ``gallery_frame``, ``cohort``: samples are compared with the gallery
            of their own cohort only.
        inputs: ``[N, H, W, 3]`` uint8, degraded.
        references: ``[N, H, W, 3]`` uint8, clean, same view as the input.
        digest: content key of everything in here.
        landmarks: ``[N, 5, 2]`` float32 pixels in the order of ``imaging.alignment``; NaN where
            unknown; None for tasks without faces.
        masks: ``[N, H, W]`` bool by name; see :class:`benchmark.data.views.Views`.
        gallery: ``[G, H, W, 3]`` uint8, clean reference views, one or more per identity.
        gallery_landmarks: ``[G, 5, 2]`` float32.
        gallery_frame: one row per gallery image: ``cluster`` and axis columns.
    """

    frame: pd.DataFrame
    inputs: NDArray[np.uint8]
    references: NDArray[np.uint8]
    digest: str
    landmarks: NDArray[np.float32] | None = None
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    gallery: NDArray[np.uint8] | None = None
    gallery_landmarks: NDArray[np.float32] | None = None
    gallery_frame: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def save(self, folder: Path) -> None:
        """Write everything but the digest, which is the key of the folder it is stored in."""
        self.frame.to_parquet(folder / "frame.parquet", index=False)
        if self.gallery_frame is not None:
            self.gallery_frame.to_parquet(folder / "gallery_frame.parquet", index=False)
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None:
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
        for name, mask in self.masks.items():
            np.save(folder / f"{_MASK}{name}.npy", mask, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> EvalSet:
        """Read what :meth:`save` wrote; the folder's name is the digest."""
        arrays = {
            name: np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in _ARRAYS
            if (folder / f"{name}.npy").is_file()
        }
        masks = {
            path.stem.removeprefix(_MASK): np.load(path, allow_pickle=False)
            for path in sorted(folder.glob(f"{_MASK}*.npy"))
        }
        gallery = folder / "gallery_frame.parquet"
        return cls(
            frame=pd.read_parquet(folder / "frame.parquet"),
            gallery_frame=pd.read_parquet(gallery) if gallery.is_file() else None,
            digest=folder.name,
            masks=masks,
            **arrays,
        )
