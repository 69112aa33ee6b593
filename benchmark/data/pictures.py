"""Decoding pictures and laying them, their masks and their points on a canvas of one size.

EXIF rotation is applied; grey, palette, CMYK, 16-bit and transparent pictures are converted
(transparency over white). A large JPEG is decoded at a reduced scale, which costs a fraction of
the time and memory; everything larger than 100 megapixels is refused without decoding.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000
_TOO_LARGE = f"larger than {MAX_PIXELS // 10**6} megapixels"

_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    OverflowError,
    struct.error,
    zlib.error,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)
_ORIENTATION, _TURNED = 0x0112, frozenset({5, 6, 7, 8})
Points = NDArray[np.float64]
Size = tuple[int, int]


class UndecodableError(Exception):
    """One picture cannot be read; its row is counted as a failure."""


@dataclass(frozen=True)
class Decoded:
    """A picture, perhaps at a reduced scale.

    Attributes:
        image: upright.
        size: width and height in full.
    """

    image: Image.Image
    size: Size


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about odd files: what cannot be read is counted as that.

    Around a whole pass and not around a file, because filters belong to the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def size_of(picture: Path | bytes) -> Size:
    """Width and height of a picture when upright, from its header.

    Raises:
        UndecodableError: with the reason.
    """
    try:
        with _opened(picture) as opened:
            return _upright_size(opened)
    except _BROKEN as error:
        raise UndecodableError(_reason(error)) from error


def decode(picture: Path | bytes, *, at_least: int | None = None) -> Decoded:
    """A picture in RGB.

    Args:
        picture: a file, or its bytes.
        at_least: both sides may shrink to this number of pixels while decoding.

    Raises:
        UndecodableError: with the reason.
    """
    try:
        with _opened(picture) as opened:
            size = _upright_size(opened)
            if at_least is not None:
                opened.draft(None, (at_least, at_least))
            ImageOps.exif_transpose(opened, in_place=True)
            return Decoded(_to_rgb(opened), size)
    except _BROKEN as error:
        raise UndecodableError(_reason(error)) from error


def decode_mask(picture: Path | bytes, *, threshold: float) -> Image.Image:
    """A mask as ``L`` of 0 and 255, inside where brighter than ``threshold`` of full scale.

    A mask whose largest value is 1 is taken as one of zeros and ones.

    Raises:
        UndecodableError: with the reason.
    """
    try:
        with _opened(picture) as opened:
            ImageOps.exif_transpose(opened, in_place=True)
            values = np.asarray(_grey(opened), np.float32)
    except _BROKEN as error:
        raise UndecodableError(_reason(error)) from error
    top = 1.0 if values.max(initial=0) <= 1 else 65535.0 if values.max() > 255 else 255.0
    return Image.fromarray(np.where(values / top > threshold, 255, 0).astype(np.uint8))


@contextmanager
def _opened(picture: Path | bytes) -> Iterator[Image.Image]:
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError(_TOO_LARGE)
        yield opened


def _upright_size(image: Image.Image) -> Size:
    turned = image.getexif().get(_ORIENTATION) in _TURNED
    return (image.height, image.width) if turned else image.size


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, Image.DecompressionBombError):
        return _TOO_LARGE
    if isinstance(error, UnidentifiedImageError):
        return "not a picture"
    return f"{error}".splitlines()[0] if f"{error}" else type(error).__name__


def _grey(image: Image.Image) -> Image.Image:
    return image if image.mode == "F" or image.mode.startswith("I") else image.convert("L")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _shrunk(np.asarray(image), 65535)
    if image.mode in {"I", "F"}:  # no statement of range: by what is there
        values = np.asarray(image)
        return _shrunk(values, next((top for top in (1, 255) if values.max() <= top), 65535))
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    if image.mode == "RGB":
        image.load()
        return image  # a copy of a large picture would be large
    return image.convert("RGB")


def _shrunk(values: NDArray[np.generic], top: int) -> Image.Image:
    eight = np.rint(values.astype(np.float32) * (255 / top)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(eight).convert("RGB")


class Placement(Protocol):
    """Where everything of one picture goes on the canvas."""

    def image(self, image: Image.Image) -> NDArray[np.uint8]:
        """``[H, W, 3]`` of a picture of this size, or a uniformly scaled one."""

    def mask(self, mask: Image.Image) -> NDArray[np.bool_]:
        """``[H, W]`` of a mask of this size, or a uniformly scaled one."""

    def points(self, points: Points) -> Points:
        """``[P, 2]`` on the canvas; points are relative to the centre of the first pixel."""

    def inside(self, window: tuple[float, float, float, float] | None = None) -> NDArray[np.bool_]:
        """``[H, W]``: shows a pixel the picture, and in it the window (x0, y0, x1, y1)?"""


@dataclass(frozen=True)
class Boxed:
    """A rectangle of the picture, resampled with antialiasing onto a part of the canvas.

    Attributes:
        source: width and height of the picture.
        box: left, top, right, bottom in pixels of the picture.
        content: width and height on the canvas.
        offset: left and top on the canvas; around it is black.
        canvas: width and height.
    """

    source: Size
    box: tuple[float, float, float, float]
    content: Size
    offset: Size
    canvas: Size

    def image(self, image: Image.Image) -> NDArray[np.uint8]:
        """See :class:`Placement`."""
        return self._laid(image, Image.Resampling.LANCZOS)

    def mask(self, mask: Image.Image) -> NDArray[np.bool_]:
        """See :class:`Placement`; a pixel is inside where half of it is."""
        return np.asarray(self._laid(mask, Image.Resampling.BOX) >= 128)

    def _laid(self, image: Image.Image, filter_: Image.Resampling) -> NDArray[np.uint8]:
        if image.size == self.source == self.content == self.canvas:
            return np.asarray(image)
        across, down = image.width / self.source[0], image.height / self.source[1]
        left, top, right, bottom = self.box
        within = (
            left * across,
            top * down,
            min(right * across, image.width),  # a product may round to just beyond the edge
            min(bottom * down, image.height),
        )
        # a reduction by more than three begins with averages over blocks, which is much faster
        resized = image.resize(self.content, filter_, box=within, reducing_gap=3.0)
        if self.content == self.canvas:
            return np.asarray(resized)
        canvas = Image.new(image.mode, self.canvas)
        canvas.paste(resized, self.offset)
        return np.asarray(canvas)

    def points(self, points: Points) -> Points:
        """See :class:`Placement`."""
        left, top, right, bottom = self.box
        scale = np.array([self.content[0] / (right - left), self.content[1] / (bottom - top)])
        return np.asarray((points + 0.5 - [left, top]) * scale + self.offset - 0.5)

    def inside(self, window: tuple[float, float, float, float] | None = None) -> NDArray[np.bool_]:
        """See :class:`Placement`."""
        x0, y0, x1, y1 = window if window is not None else self.box
        corners = self.points(np.array([[x0, y0], [x1, y1]]) - 0.5) + 0.5
        low = np.maximum(corners[0], self.offset)
        high = np.minimum(corners[1], np.add(self.offset, self.content))
        x, y = (np.arange(side) + 0.5 for side in self.canvas)
        across, down = (x > low[0]) & (x < high[0]), (y > low[1]) & (y < high[1])
        return np.asarray(down[:, None] & across)


def place(size: Size, *, fit: Literal["crop", "letterbox", "none"], side: int) -> Boxed:
    """Where a picture of ``size`` goes.

    Args:
        size: width and height.
        fit: ``crop`` keeps the centre square, ``letterbox`` all of it with black around, ``none``
            leaves it as it is.
        side: of the square canvas.
    """
    width, height = size
    whole = (0.0, 0.0, float(width), float(height))
    if fit == "none":
        return Boxed(size, whole, size, (0, 0), size)
    if fit == "crop":
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        return Boxed(size, (left, top, left + edge, top + edge), (side, side), (0, 0), (side, side))
    scale = side / max(width, height)
    content = max(1, round(width * scale)), max(1, round(height * scale))
    offset = (side - content[0]) // 2, (side - content[1]) // 2
    return Boxed(size, whole, content, offset, (side, side))


def same_form(one: Size, two: Size) -> bool:
    """Are two pictures of one size, or one a uniformly scaled copy of the other?"""
    if one == two:
        return True
    (small_w, small_h), (large_w, large_h) = sorted((one, two))
    scale = large_h / small_h
    # rounding moves a side of the smaller by half a pixel; scales near 1 are a cut, not a copy
    return scale > 1.05 and abs(large_w / scale - small_w) <= 0.5 * (1 + small_w / small_h)
