"""A folder of pictures that a system made elsewhere: the way to measure a closed system.

It is no :class:`~benchmark.enhancers.base.Enhancer`, which maps pixels to pixels; it maps the names
of samples to the pictures that were made of them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
import torch
from torch import Tensor

from benchmark.data.pictures import UndecodableError, decode, quiet_pillow
from benchmark.errors import DataError
from benchmark.files import sha256_of_file

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


class OutputFolder:
    """Outputs by the names of their inputs; file types may differ (``1.png`` answers ``1.jpg``).

    A sample without a picture is a failure of the system, as is one that cannot be read.

    Args:
        folder: pictures, also in folders below it.

    Raises:
        DataError: if there is no such folder, no picture in it, or two that want the same name.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError("no such folder", where=str(folder), mend="check the path")
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                found[path.stem].append(path)
        twice = next((paths for paths in found.values() if len(paths) > 1), None)
        if twice:
            raise DataError(
                f"two pictures have the same name: {twice[0].name} and {twice[1].name}",
                where=str(folder),
                mend="keep one picture per input, named like it",
            )
        if not found:
            raise DataError(
                "no pictures in this folder", where=str(folder), mend="PNG, JPEG, BMP, TIFF, WebP"
            )
        self.folder = folder
        self._paths = {stem: paths[0] for stem, paths in found.items()}

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Samples that have no picture here."""
        return tuple(name for name in names if _stem(name) not in self._paths)

    def read(self, names: Sequence[str]) -> list[Tensor | None]:
        """The pictures of these samples.

        Returns:
            ``[3, H, W]`` float32 in [0, 1] each, in whatever size it has; None if there is none
            or it cannot be decoded.
        """
        with quiet_pillow():
            return [self._read(self._paths.get(_stem(name))) for name in names]

    def digest(self) -> str:
        """SHA-256 of all names and contents: other pictures are another system."""
        digest = hashlib.sha256()
        for stem, path in sorted(self._paths.items()):
            digest.update(f"{stem}\0{sha256_of_file(path)}\n".encode())
        return digest.hexdigest()

    def _read(self, path: Path | None) -> Tensor | None:
        if path is None:
            return None
        try:
            pixels = np.array(decode(path).image, dtype=np.float32)
        except UndecodableError:
            return None
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255


def _stem(name: str) -> str:
    return PurePath(name).stem
