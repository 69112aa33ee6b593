"""Finding the same picture twice: by its decoded pixels, and by what it looks like when small.

A perceptual hash alone calls two strangers before one studio backdrop near-duplicates. So it only
nominates: 64 bits of the low frequencies (a DCT hash), within a small Hamming distance. A pair
then counts as one picture if its 32 x 32 grey copies are also correlated almost perfectly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from benchmark.data.pictures import UndecodableError, decode

#: Bits of the hash in which two copies of a picture may differ; unrelated ones differ in 32.
HAMMING = 10
#: Least correlation of the grey thumbnails of two copies.
CORRELATION = 0.985

_SIDE = 32
_BLOCK = 1024


@dataclass(frozen=True)
class Fingerprints:
    """What N pictures look like.

    Attributes:
        exact: SHA-256 of size and RGB pixels in full; empty where a picture cannot be read.
        thumbnails: ``[N, 32, 32]`` uint8 grey.
    """

    exact: tuple[str, ...]
    thumbnails: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """``[N]``."""
        return np.array([bool(digest) for digest in self.exact], dtype=np.bool_)

    def hashes(self) -> NDArray[np.uint64]:
        """``[N]`` signs of the 8 x 8 lowest frequencies against their median."""
        low = dctn(self.thumbnails.astype(np.float64), axes=(1, 2))[:, :8, :8].reshape(-1, 64)
        low[:, 0] = 0  # brightness is not content
        bits = low > np.median(low, axis=1, keepdims=True)
        return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def fingerprints(
    pictures: Iterable[Callable[[], Path | bytes]],
    pool: Executor,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Fingerprints:
    """Look at every picture once, in full; ``pictures`` are called for where each one is."""
    exact, thumbnails = [], []
    for digest, thumbnail in pool.map(_look, pictures):
        exact.append(digest)
        thumbnails.append(thumbnail)
        advance(1)
    shape = (len(exact), _SIDE, _SIDE)
    stacked = np.stack(thumbnails) if thumbnails else np.zeros(shape, np.uint8)
    return Fingerprints(tuple(exact), stacked)


def _look(picture: Callable[[], Path | bytes]) -> tuple[str, NDArray[np.uint8]]:
    try:
        image = decode(picture()).image
    except UndecodableError:
        return "", np.zeros((_SIDE, _SIDE), np.uint8)
    digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
    small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return digest, np.asarray(small)


def same_pictures(one: Fingerprints, two: Fingerprints | None = None) -> list[tuple[int, int]]:
    """Pairs of rows with exactly the same pixels; within ``one`` (i < j), or between the two."""
    where: dict[str, list[int]] = {}
    for j, digest in enumerate((two or one).exact):
        if digest:
            where.setdefault(digest, []).append(j)
    pairs = ((i, j) for i, digest in enumerate(one.exact) for j in where.get(digest, ()))
    return [(i, j) for i, j in pairs if two is not None or i < j]


def alike_pictures(one: Fingerprints, two: Fingerprints | None = None) -> list[tuple[int, int]]:
    """Pairs of rows that show the same picture, though not in the same pixels.

    Re-encoded, resized, slightly retouched or brightened copies; not mirrored or cropped ones. A
    picture without any structure is like no other.
    """
    other = two or one
    left, right = _unit(one), _unit(other)
    exact_left, exact_right = np.array(one.exact), np.array(other.exact)
    found = []
    for i, j in _nominated(one.hashes(), other.hashes()):
        close = np.einsum("pd,pd->p", left[i], right[j]) >= CORRELATION
        close &= exact_left[i] != exact_right[j]
        if two is None:
            close &= i < j
        found += list(zip(i[close].tolist(), j[close].tolist(), strict=True))
    return found


def _nominated(
    one: NDArray[np.uint64], two: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs within the Hamming distance, a block of rows at a time."""
    for start in range(0, len(one), _BLOCK):
        apart = np.bitwise_count(one[start : start + _BLOCK, None] ^ two)
        i, j = np.nonzero(apart <= HAMMING)
        yield i + start, j


def _unit(prints: Fingerprints) -> NDArray[np.float32]:
    """``[N, 1024]`` thumbnails without their mean, of length 1; zero where there is nothing."""
    flat = prints.thumbnails.reshape(len(prints), _SIDE * _SIDE).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    length = np.sqrt((flat**2).sum(1, keepdims=True))
    seen = (length > 1) & prints.readable[:, None]
    return np.where(seen, flat / np.maximum(length, 1), 0).astype(np.float32)
