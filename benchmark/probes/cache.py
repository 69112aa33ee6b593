"""Keeping rendered arrays on disk; a damaged entry is made again, never trusted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.files import write_with

Arrays = dict[str, NDArray[Any]]


def cached_arrays(folder: Path | None, name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays stored under ``name``, or made and stored now.

    The file is an uncompressed ``.npz``: every member carries a CRC-32 that reading checks, so a
    truncated or altered file is noticed and replaced.

    Args:
        folder: the cache; None makes the arrays without storing them.
        name: content key of everything that decides the arrays.
        make: called when there is no sound entry.

    Raises:
        StoreError: if the entry cannot be written.
    """
    if folder is None:
        return make()
    path = folder / f"{name}.npz"
    found = _read(path)
    if found is not None:
        return found
    arrays = make()
    write_with(path, lambda stream: np.savez(stream, allow_pickle=False, **arrays))
    return arrays


def _read(path: Path) -> Arrays | None:
    """The arrays in a sound file, None where it is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
