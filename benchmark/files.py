"""Writing files so that a reader never sees half of one, and naming content by its digest.

Every write goes to a temporary file in the same folder, is flushed to disk and then renamed over
the target. Trade-off: a crash can leave a ``.tmp-*`` file behind; it is never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EEXIST, ENOTDIR
from pathlib import Path
from typing import IO, Any

from benchmark.errors import StoreError


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only when the block ends without an error.

    Raises:
        StoreError: if the disk is full or the folder cannot be written to.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def need_folder(path: Path) -> None:
    """Make a folder if need be, and make sure that files can be written to it.

    Raises:
        StoreError: if not: better now than after the work whose result was to go there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> StoreError:
    """What the disk said of ``path``, and what can be done about it."""
    why = error.strerror or str(error)
    nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    if error.errno in (EEXIST, ENOTDIR) and not nearest.is_dir():
        why = f"{nearest} is a file, not a folder"
    return StoreError(
        f"cannot write: {why}",
        where=str(path),
        mend="free some space or choose another folder (--runs, --cache or EQUILUX_CACHE)",
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text to ``path`` atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, two-space indent and a final newline, atomically."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_with(path: Path, writer: Callable[[IO[bytes]], object]) -> None:
    """Let ``writer`` fill a binary stream that becomes ``path`` when it returns."""
    with atomic_file(path) as stream:
        writer(stream)


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_key(*parts: Any) -> str:
    """A digest of JSON-serialisable parts: equal parts, equal key.

    Raises:
        TypeError: for a part that JSON cannot say; nothing falls back to ``str``.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
