"""Views from a folder of photographs with ``metadata.csv`` and a mapping; nothing is uploaded.

What is wrong with the table as a whole is an error (missing column, repeated id, a path that
leaves the folder); what is wrong with one image costs that image alone: its row stays, with the
status ``decode_error``, and is counted.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from benchmark.data.views import DECODE_ERROR, GALLERY, OK, PROBE, Views
from benchmark.errors import DataError
from benchmark.files import content_key, sha256_of_file
from benchmark.spec.mapping import MappingSpec

_MAX_PIXELS = 100_000_000
_BLANK = "unknown"


def read_folder(folder: Path, mapping: MappingSpec) -> Views:
    """Read every image of a mapped folder, resized to ``mapping.size`` squared.

    Raises:
        DataError: if the table is missing, lacks a column, repeats an id, has no gallery view for
            an identity, or names a file outside the folder.
    """
    table = _read_table(folder, mapping)
    paths = [_inside(folder, str(name)) for name in table[mapping.image]]
    images = np.zeros((len(table), mapping.size, mapping.size, 3), np.uint8)
    statuses = []
    for row, path in enumerate(paths):
        image = decode(path, mapping.size)
        statuses.append(OK if image is not None else DECODE_ERROR)
        if image is not None:
            images[row] = image
    return Views(_frame(table, mapping, statuses), images)


def folder_digest(folder: Path, mapping: MappingSpec) -> str:
    """Content key of everything that :func:`read_folder` would read."""
    table = _read_table(folder, mapping)
    paths = [_inside(folder, str(name)) for name in table[mapping.image]]
    files = [sha256_of_file(path) if path.is_file() else "absent" for path in paths]
    return content_key(mapping.model_dump(mode="json"), table.to_csv(index=False), files)


def decode(path: Path, size: int) -> NDArray[np.uint8] | None:
    """One photograph as ``[size, size, 3]`` uint8 sRGB, or None if it cannot be decoded.

    EXIF rotation is applied; grey, palette, CMYK, 16-bit and transparent images are converted
    (transparency over white); the centre square is kept and resampled with antialiasing.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of decompression bombs; anything over our own limit is refused below
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                if opened.width * opened.height > _MAX_PIXELS:
                    return None
                image = _to_rgb(ImageOps.exif_transpose(opened))
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        top = 65535 if values.max() > 255 else 255
        return Image.fromarray((values / top * 255).round().clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _read_table(folder: Path, mapping: MappingSpec) -> pd.DataFrame:
    path = folder / mapping.metadata
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the table: {error}",
            where=str(path),
            mend="--data wants a folder that holds the table named in the mapping",
        ) from error
    wanted = {mapping.image, mapping.identity, mapping.gallery.column}
    wanted |= {axis.column for axis in mapping.axes}
    wanted |= {mapping.sample} if mapping.sample else set()
    missing = sorted(wanted - set(table.columns))
    if missing:
        raise DataError(
            f"no column {', '.join(missing)}",
            where=str(path),
            mend=f"the table has: {', '.join(table.columns)}; correct the mapping",
        )
    ids = table[mapping.sample or mapping.image]
    repeated = ids[ids.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"{len(repeated)} samples appear twice, for example {repeated[0]!r}",
            where=str(path),
            mend="every row needs an id of its own",
        )
    if table.empty:
        raise DataError("the table has no rows", where=str(path))
    return table


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DataError(
            f"the path {name!r} leaves the folder",
            where=str(folder),
            mend="paths in the table must be relative and stay inside",
        )
    return path


def _frame(table: pd.DataFrame, mapping: MappingSpec, statuses: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "sample": table[mapping.sample or mapping.image],
            "cluster": table[mapping.identity],
            "role": np.where(
                table[mapping.gallery.column] == mapping.gallery.value, GALLERY, PROBE
            ),
            "status": statuses,
        }
    )
    for axis in mapping.axes:
        frame[axis.column] = table[axis.column].str.strip().replace("", _BLANK)
    usable = frame[(frame["role"] == GALLERY) & (frame["status"] == OK)]
    probes = frame[frame["role"] == PROBE]
    alone = sorted(set(probes["cluster"]) - set(usable["cluster"]))
    if probes.empty or alone:
        detail = f"{len(alone)} identities, for example {alone[0]!r}," if alone else "all rows"
        raise DataError(
            f"{detail} have no readable gallery view or no other view",
            where=str(mapping.metadata),
            mend=f"each identity needs one row with {mapping.gallery.column} = "
            f"{mapping.gallery.value} and at least one other",
        )
    return frame.reset_index(drop=True)
