"""Crops of the photographs that scikit-image carries inside its wheel: generic scenes, offline.

Only files that are installed with the package are opened; nothing is downloaded. Greyscale
pictures, graphics and micrographs are left out, and so is the astronaut: a face does not belong in
the generic context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.degradations import noise_generator
from benchmark.errors import DataError

#: Colour photographs without a face, by their names in ``skimage.data``. The hubble field is left
#: out too: its black sky is what a degraded image looks like, not a clean one.
NAMES = ("chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


def photograph_crops(
    count: int, *, size: int = 128, split: str = "train", seed: int = 0
) -> NDArray[np.uint8]:
    """Square crops, spread evenly over the photographs, ``[count, size, size, 3]`` uint8 sRGB.

    Args:
        count: number of crops.
        size: pixels per side of a crop.
        split: ``train`` crops from the left three fifths of each photograph, every other name from
            the rest, so that no pixel is shared.
        seed: of the positions, scales and mirrorings.

    Raises:
        DataError: if none of the photographs is installed.
    """
    pictures = [_part(picture, split) for picture in load_photographs().values()]
    crops = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        rng = noise_generator(f"photographs/{split}/{index}", seed=seed)
        crops[index] = _crop(rng, pictures[index % len(pictures)], size)
    return crops


def load_photographs() -> dict[str, Image.Image]:
    """The installed photographs of :data:`NAMES`, RGB.

    Raises:
        DataError: if there is none.
    """
    with _folder() as folder:
        found = {
            name: Image.open(folder / name).convert("RGB")
            for name in NAMES
            if (folder / name).is_file()
        }
    if not found:
        raise DataError(
            "scikit-image is installed without its photographs",
            where="skimage.data",
            mend="reinstall scikit-image from a wheel, or train on dead leaves alone",
        )
    return found


def _part(picture: Image.Image, split: str) -> Image.Image:
    """The share of a photograph that belongs to a split."""
    border = round(0.6 * picture.width)
    left, right = (0, border) if split == "train" else (border, picture.width)
    return picture.crop((left, 0, right, picture.height))


@contextmanager
def _folder() -> Iterator[Path]:
    with as_file(files("skimage") / "data") as folder:
        yield Path(folder)


def _crop(rng: np.random.Generator, picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """A square of random place and scale, never enlarged by more than a third, maybe mirrored."""
    longest = min(picture.size)
    shortest = min(longest, round(0.75 * size))
    side = int(rng.integers(shortest, longest + 1))
    left = int(rng.integers(picture.width - side + 1))
    top = int(rng.integers(picture.height - side + 1))
    square = picture.crop((left, top, left + side, top + side))
    square = square.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(square)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels
