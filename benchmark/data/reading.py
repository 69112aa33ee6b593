"""Views from somebody's data and a mapping; nothing is uploaded.

What is wrong with the data as a whole is an error (a missing column, a repeated id, a path that
leaves the folder, a mask that is not of its picture); what is wrong with one picture costs that
picture alone: its row stays, with the status ``decode_error``, and is counted with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data.opened import RealData
from benchmark.data.pictures import (
    Boxed,
    Placement,
    Points,
    Size,
    UndecodableError,
    decode,
    decode_mask,
    place,
    quiet_pillow,
    same_form,
    size_of,
)
from benchmark.data.rows import UNKNOWN
from benchmark.data.views import DECODE_ERROR, GALLERY, OK, PROBE, Views
from benchmark.errors import DataError
from benchmark.spec.mapping import MappingSpec

Advance = Callable[[int], None]

#: A JPEG is decoded at no less than this many times the size of the canvas.
_OVERSAMPLING = 2
#: Longer side of what the landmark detector looks at before a face is cut out.
_DETECTION_SIDE = 640
_BATCH = 64


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        views: one row per chosen row.
        failures: (sample, reason) of every picture that could not be read.
    """

    views: Views
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Trial:
    """What a run would find.

    Attributes:
        frame: the chosen rows with every axis, indexed from 0.
        failures: position of each row that cannot be read, and why.
    """

    frame: pd.DataFrame
    failures: dict[int, str]


@dataclass(frozen=True)
class _Item:
    """One row on the canvas."""

    image: NDArray[np.uint8]
    input: NDArray[np.uint8] | None
    masks: dict[str, NDArray[np.bool_]]
    landmarks: NDArray[np.float32] | None


def read_views(data: RealData, *, advance: Advance = lambda _: None) -> Reading:
    """Decode every picture and mask of the chosen rows onto one canvas.

    Where the mapping names degraded pictures only, they stand in for the clean ones, which no
    metric is then given (``MappingSpec.provides``).

    Raises:
        DataError: if pictures differ in size with ``fit: none``, a mask or an input is not of its
            picture's form, or an identity has no readable gallery view.
    """
    frame = data.rows.frame.reset_index(drop=True)
    arrays: _Arrays | None = None
    reasons: dict[int, str] = {}
    for position, item in enumerate(_items(data)):
        if isinstance(item, str):
            reasons[position] = item
        else:
            if arrays is None:
                arrays = _Arrays.empty(len(frame), item)
            arrays.put(position, item)
        advance(1)
    frame["status"] = [DECODE_ERROR if n in reasons else OK for n in range(len(frame))]
    failures = tuple((frame["sample"].iloc[n], reason) for n, reason in sorted(reasons.items()))
    if arrays is None:
        raise DataError(
            f"none of {len(frame)} pictures can be read, for example {failures[0][0]!r}: "
            f"{failures[0][1]}",
            where=str(data.reference),
            mend="check the column of paths in the mapping",
        )
    shown = arrays.images if arrays.inputs is None else arrays.inputs
    readable = (frame["status"] == OK).to_numpy()
    luma = np.array([mean_luma(image) for image in shown])
    frame = with_measured_axes(frame, data.mapping, luma, readable)
    views = arrays.views(frame)
    _check_readable_gallery(views.frame, data.mapping, str(data.reference))
    return Reading(views, failures)


def try_rows(data: RealData, *, advance: Advance = lambda _: None) -> Trial:
    """Read every row as a run would and forget it: no more than a batch is held in memory.

    Faces are not looked for, and so none are cut out.

    Raises:
        DataError: as :func:`read_views`, but for the gallery.
    """
    reasons: dict[int, str] = {}
    luma = np.full(len(data.rows.frame), np.nan)
    faceless = replace(data, mapping=data.mapping.model_copy(update={"faces": None}))
    for position, item in enumerate(_items(faceless)):
        if isinstance(item, str):
            reasons[position] = item
        else:
            luma[position] = mean_luma(item.image if item.input is None else item.input)
        advance(1)
    frame = data.rows.frame.reset_index(drop=True)
    return Trial(with_measured_axes(frame, data.mapping, luma, np.isfinite(luma)), reasons)


def _items(data: RealData) -> Iterator[_Item | str]:
    """Every chosen row in order, or the reason why it cannot be read."""
    index = data.rows.frame.index
    with quiet_pillow(), ThreadPoolExecutor(workers()) as pool:
        _check_sizes(data, pool)
        for start in range(0, len(index), _BATCH):
            batch = list(index[start : start + _BATCH])
            yield from pool.map(partial(_read_row, data), batch, _located(data, batch, pool))


def workers() -> int:
    """Threads that decode; Pillow works outside the interpreter's lock."""
    return min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class _Arrays:
    images: NDArray[np.uint8]
    inputs: NDArray[np.uint8] | None
    masks: dict[str, NDArray[np.bool_]]
    landmarks: NDArray[np.float32] | None

    @classmethod
    def empty(cls, n: int, like: _Item) -> _Arrays:
        shape = (n, *like.image.shape)
        return cls(
            np.zeros(shape, np.uint8),
            None if like.input is None else np.zeros(shape, np.uint8),
            {name: np.zeros(shape[:3], np.bool_) for name in like.masks},
            None if like.landmarks is None else np.full((n, 5, 2), np.nan, np.float32),
        )

    def put(self, row: int, item: _Item) -> None:
        self.images[row] = item.image
        if self.inputs is not None and item.input is not None:
            self.inputs[row] = item.input
        for name, mask in item.masks.items():
            self.masks[name][row] = mask
        if self.landmarks is not None and item.landmarks is not None:
            self.landmarks[row] = item.landmarks

    def views(self, frame: pd.DataFrame) -> Views:
        return Views(frame, self.images, self.landmarks, self.masks, self.inputs)


def _check_sizes(data: RealData, pool: ThreadPoolExecutor) -> None:
    """With ``fit: none`` there must be one size."""
    if data.mapping.fit != "none":
        return
    rows = list(data.rows.frame.index)
    sizes = dict(zip(rows, pool.map(partial(_size, data), rows), strict=True))
    seen = {size: row for row, size in reversed(sizes.items()) if size is not None}
    if len(seen) > 1:
        (one, first), (two, second) = list(seen.items())[:2]
        names = data.rows.frame["sample"]
        raise DataError(
            f"pictures differ in size: {names[first]} is {one[0]}x{one[1]}, "
            f"{names[second]} is {two[0]}x{two[1]}",
            where=str(data.reference),
            mend="fit: crop or fit: letterbox in the mapping brings them to one size",
        )


def _size(data: RealData, row: int) -> Size | None:
    try:
        return size_of(data.picture(data.mapping.picture, row))
    except UndecodableError:
        return None


def _read_row(data: RealData, row: int, landmarks: Points | None) -> _Item | str:
    """One row, or the reason why it cannot be read."""
    mapping = data.mapping
    fine = None if mapping.fit == "none" else _OVERSAMPLING * mapping.size
    if mapping.faces is not None and mapping.faces.zoom is not None:
        fine = None  # the face may be a small part of the picture
    column = mapping.picture
    try:
        decoded = decode(data.picture(column, row), at_least=fine)
        placed = _placed(mapping, decoded.size, landmarks)
        image = placed.image(decoded.image)
        degraded = None
        if mapping.input is not None and mapping.image is not None:
            other = decode(data.picture(mapping.input, row), at_least=fine)
            _check_form(data, row, "input", other.size, decoded.size)
            degraded = placed.image(other.image)
        masks = {
            name: _mask(data, row, name, placed=placed, size=decoded.size) for name in mapping.masks
        }
    except UndecodableError as error:
        return str(error)
    window = _window(data, row)
    if mapping.window is not None or mapping.fit == "letterbox":
        masks["valid"] = placed.inside(window) & masks.get("valid", np.True_)
    points = None
    if mapping.faces is not None:
        points = np.full((5, 2), np.nan, np.float32)
        if landmarks is not None:
            points = placed.points(landmarks).astype(np.float32)
    inputs = image if mapping.image is None else degraded
    return _Item(image, inputs, masks, points)


def _placed(mapping: MappingSpec, size: Size, landmarks: Points | None) -> Placement:
    zoom = mapping.faces.zoom if mapping.faces is not None else None
    if zoom is not None and landmarks is not None and np.isfinite(landmarks).all():
        from benchmark.data.faces import aligned

        return aligned(size, landmarks, side=mapping.size, zoom=zoom)
    return place(size, fit=mapping.fit, side=mapping.size)


def _mask(
    data: RealData, row: int, name: str, *, placed: Placement, size: Size
) -> NDArray[np.bool_]:
    picture = data.picture(data.mapping.masks[name], row)
    mask = decode_mask(picture, threshold=data.mapping.mask_threshold)
    _check_form(data, row, f"mask {name}", mask.size, size)
    return placed.mask(mask)


def _check_form(data: RealData, row: int, what: str, size: Size, picture: Size) -> None:
    if not same_form(size, picture):
        raise DataError(
            f"the {what} of {_sample(data, row)} is {size[0]}x{size[1]}, "
            f"its picture {picture[0]}x{picture[1]}",
            where=str(data.reference),
            mend="it must show the same: the same size, or a uniformly scaled copy",
        )


def _window(data: RealData, row: int) -> tuple[float, float, float, float] | None:
    if data.mapping.window is None:
        return None
    cells = [str(data.rows.table.at[row, column]) for column in data.mapping.window]
    try:
        x0, y0, x1, y1 = map(float, cells)
    except ValueError:
        x0 = y0 = x1 = y1 = float("nan")
    if not (x0 < x1 and y0 < y1):
        raise DataError(
            f"the window of {_sample(data, row)} is {', '.join(cells)}",
            where=str(data.reference),
            mend="a window is x0, y0, x1, y1 in pixels with x0 < x1 and y0 < y1",
        )
    return x0, y0, x1, y1


def _located(data: RealData, rows: Sequence[int], pool: ThreadPoolExecutor) -> list[Points | None]:
    """Landmarks ``[5, 2]`` in pixels of each picture in full; None where there are none."""
    faces = data.mapping.faces
    if faces is None:
        return [None] * len(rows)
    if faces.landmarks != "detect":
        cells = data.rows.table.loc[list(rows), list(faces.landmarks)]
        numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
        return [
            points if np.isfinite(points).all() else None for points in numbers.reshape(-1, 5, 2)
        ]
    from benchmark.judges.landmarks import locate_landmarks

    shown = list(pool.map(partial(_for_detection, data), rows))
    found = locate_landmarks([image for image, _ in shown])
    located: list[Points | None] = []
    for points, (_, placed) in zip(found, shown, strict=True):
        known = np.isfinite(points).all()
        located.append(_unplaced(points.astype(np.float64), placed) if known else None)
    return located


def _for_detection(data: RealData, row: int) -> tuple[NDArray[np.uint8], Boxed]:
    """What the detector is shown: the canvas, or the whole picture where the face is cut out."""
    mapping = data.mapping
    cut = mapping.faces is not None and mapping.faces.zoom is not None
    fine = _DETECTION_SIDE if cut else _OVERSAMPLING * mapping.size
    try:
        decoded = decode(
            data.picture(mapping.picture, row),
            at_least=None if mapping.fit == "none" and not cut else fine,
        )
    except UndecodableError:
        return np.zeros((64, 64, 3), np.uint8), place((64, 64), fit="none", side=64)
    placed = place(decoded.size, fit=mapping.fit, side=mapping.size)
    if cut:
        scale = min(1.0, _DETECTION_SIDE / max(decoded.size))
        width, height = decoded.size
        content = max(1, round(width * scale)), max(1, round(height * scale))
        placed = Boxed(decoded.size, (0, 0, width, height), content, (0, 0), content)
    return placed.image(decoded.image), placed


def _unplaced(points: Points, placed: Boxed) -> Points:
    left, top, right, bottom = placed.box
    scale = np.array([(right - left) / placed.content[0], (bottom - top) / placed.content[1]])
    return np.asarray((points - placed.offset + 0.5) * scale + [left, top] - 0.5)


def mean_luma(image: NDArray[np.uint8]) -> float:
    """Rec. 601 luma of ``[H, W, 3]``, 0 to 255, averaged."""
    return float(image.mean((0, 1)) @ (0.299, 0.587, 0.114))


def with_measured_axes(
    frame: pd.DataFrame,
    mapping: MappingSpec,
    luma: NDArray[np.float64],
    readable: NDArray[np.bool_],
) -> pd.DataFrame:
    """The frame with axes in thirds of what was measured on the pictures to be enhanced."""
    frame = frame.copy()
    for axis in mapping.axes:
        if axis.measure is None:
            continue
        levels = np.array(axis.shown_levels(), dtype=object)
        rank = pd.Series(luma[readable]).rank(method="first").to_numpy() - 1
        values = np.full(len(frame), UNKNOWN, dtype=object)
        values[readable] = levels[(rank * len(levels) // max(readable.sum(), 1)).astype(int)]
        frame[axis.name] = values
    return frame


def _check_readable_gallery(frame: pd.DataFrame, mapping: MappingSpec, where: str) -> None:
    readable = frame[(frame["role"] == GALLERY) & (frame["status"] == OK)]
    alone = sorted(set(frame.loc[frame["role"] == PROBE, "cluster"]) - set(readable["cluster"]))
    if mapping.gallery is not None and alone:
        raise DataError(
            f"{len(alone)} identities, for example {alone[0]!r}, have no readable gallery view",
            where=where,
            mend="repair those pictures, or take the identities out of the table",
        )


def _sample(data: RealData, row: int) -> str:
    return str(data.rows.frame.at[row, "sample"])
