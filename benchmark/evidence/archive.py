"""A zip in one canonical form: the same files give the same bytes, and no other bytes are read.

Members are stored, not compressed: tables and pictures are compressed already, what zlib makes
depends on its release, and an archive that inflates nothing cannot be a bomb. Reading packs what
was read once more and compares, so that a flipped byte anywhere is found: in a file by its
checksum, between files because the canonical form has no room for it.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from benchmark.errors import DataError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_LARGEST = 2_000_000_000
_MOST_FILES = 100_000
_MEND = "ask for the file again; `python -m benchmark bundle RUN` writes it"
_BROKEN = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError),
    *(struct.error, LookupError),
)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive that holds ``files``, whatever their order.

    Raises:
        DataError: for a name that would leave the folder it is unpacked in.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(files):
            _check_name(name, "the files to pack")
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system, member.external_attr = 3, _MODE
            archive.writestr(member, files[name], zipfile.ZIP_STORED)
    return stream.getvalue()


def unpack(path: Path) -> dict[str, bytes]:
    """The files of an archive, in memory; nothing is written anywhere.

    Raises:
        DataError: if it is no zip, or one that :func:`pack` did not write: links, folders, names
            that leave the folder, compressed or encrypted members, two of one name, or a changed
            byte.
    """
    where = str(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError("larger than 2 GB: not a bundle of this suite", where=where)
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=where) from error
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
            _check_members(members, len(raw), where)
            files = {member.filename: archive.read(member) for member in members}
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(f"damaged: {error}", where=where, mend=_MEND) from error
    if pack(files) != raw:
        raise DataError("bytes between the files were changed", where=where, mend=_MEND)
    return files


def _check_members(members: list[zipfile.ZipInfo], size: int, where: str) -> None:
    if len(members) > _MOST_FILES:
        raise DataError(f"{len(members)} files: not a bundle of this suite", where=where)
    seen: set[str] = set()
    for member in members:
        _check_name(member.filename, where)
        if member.filename in seen:
            raise DataError(f"two files are called {member.filename!r}", where=where)
        seen.add(member.filename)
        if member.external_attr != _MODE:
            raise DataError(
                f"{member.filename!r} is a link or has permissions of its own", where=where
            )
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 0x1:
            raise DataError(f"{member.filename!r} is compressed or encrypted", where=where)
        if member.file_size != member.compress_size:
            raise DataError(f"{member.filename!r} lies about its size", where=where)
    if sum(member.file_size for member in members) > size:
        raise DataError("holds more than its own size: its files overlap", where=where)


def _check_name(name: str, where: str) -> None:
    parts = PurePosixPath(name).parts
    plain = name.isprintable() and "\\" not in name and ":" not in name
    if not plain or name != "/".join(parts) or ".." in parts or name.startswith("/"):
        raise DataError(f"the name {name!r} is no plain path inside the folder", where=where)
