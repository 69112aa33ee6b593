"""What the context predictor learns from: every context, and generic images easily mistaken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate

from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.mixture import MIXTURE
from benchmark.data.degradations import LOW_LIGHT, MEDICAL, Acquisition, degrade, noise_generator
from benchmark.progress import Reporter

Images = NDArray[np.uint8]

#: How any picture may have been taken; ``normal`` spoils nothing.
STRATA: dict[str, Acquisition | None] = {"normal": None, **LOW_LIGHT, **MEDICAL}


@dataclass(frozen=True)
class ContextSet:
    """Images and the context that each belongs to.

    Attributes:
        images: ``[N, H, W, 3]`` uint8, clean.
        labels: ``[N]``, index into ``CONTEXTS``.
        frame: one row per image: ``sample`` (unique), ``cluster`` (what belongs together) and
            ``group`` (of the axis that recall is reported for, empty where there is none); used
            to validate, never to train.
    """

    images: Images
    labels: NDArray[np.int64]
    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[np.int64]) -> ContextSet:
        """The samples at ``rows``."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return ContextSet(self.images[rows], self.labels[rows], frame)


def context_samples(
    count: int, *, size: int, split: str, seed: int, reporter: Reporter
) -> ContextSet:
    """Pictures of every context in equal numbers.

    Half of the generic ones are the mixture's own; the others are made to be mistaken, see
    :func:`hard_generic`.

    Args:
        count: pictures of each context.
        size: side in pixels.
        split: sets of different names share nobody.
        seed: of everything.
        reporter: told of every view.
    """
    parts: list[Images] = []
    frames: list[pd.DataFrame] = []
    views = {
        name: item.source(count, size, split, seed, reporter) for name, item in MIXTURE.items()
    }
    for name, found in views.items():
        axis = MIXTURE[name].axis
        frame = found.frame[["sample", "cluster"]].assign(
            group=found.frame[axis] if axis else "", context=name
        )
        images = found.images
        if name == "generic":
            others = [views[other].images for other in CONTEXTS if other != "generic"]
            hard = hard_generic(count // 2, found.images, others, split=split, seed=seed)
            images = np.concatenate([images[: count - len(hard)], hard])
            # neighbours belong together, so that both halves of a set get every kind
            frame = frame.assign(cluster=[f"generic-{n % (count // 2)}" for n in range(count)])
        parts.append(images)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    labels = np.array([CONTEXTS.index(name) for name in table.pop("context")], dtype=np.int64)
    return ContextSet(np.concatenate(parts), labels, table)


def hard_generic(
    count: int, generic: Images, others: Sequence[Images], *, split: str, seed: int
) -> Images:
    """Generic images that are easily mistaken, in turn: details, materials, scrambled contexts.

    Details are magnified generic pictures: few large shapes on something plain, which a network
    that has only seen clutter takes for a portrait or a sign. Materials are plain surfaces with a
    grain, such as wood or cloth, some with an edge across: without them anything orange is a
    retina. Scrambled pictures, with their tiles in another order, have the colours and textures of
    a context but not its arrangement. Eyes are spared: a crop of a retina in another order is
    still a crop of a retina.

    Args:
        count: how many.
        generic: ``[N, S, S, 3]`` to magnify.
        others: pictures ``[M, S, S, 3]`` of medical, face and low light.
        split: sets of different names differ.
        seed: of everything.

    Returns:
        ``[count, S, S, 3]`` uint8.
    """
    rng = noise_generator(f"generic/{split}", seed=seed)
    makers: list[Callable[[], Images]] = [
        lambda: _detail(_any(generic, rng), rng),
        lambda: _material(generic.shape[1], rng),
        *(partial(_scrambled_one, known, rng) for known in others[1:]),
    ]
    made = [makers[number % len(makers)]() for number in range(count)]
    return np.stack(made) if made else generic[:0]


def _scrambled_one(images: Images, rng: np.random.Generator) -> Images:
    return _scrambled(_any(images, rng), rng)


def _any(images: Images, rng: np.random.Generator) -> Images:
    chosen: Images = images[rng.integers(len(images))]
    return chosen


def spoilt(samples: ContextSet, stratum: str, *, seed: int) -> Images:
    """The samples' pictures as one of :data:`STRATA` records them."""
    acquisition = STRATA[stratum]
    if acquisition is None:
        return samples.images
    frame = samples.frame.assign(stratum=stratum)
    return degrade(samples.images, frame, seed=seed, strata={stratum: acquisition}, axis="stratum")


def _detail(image: Images, rng: np.random.Generator) -> Images:
    """A random eighth to half of the side, magnified."""
    size = len(image)
    side = int(rng.integers(size // 8, size // 2))
    x, y = rng.integers(0, size - side, 2)
    part = Image.fromarray(image[y : y + side, x : x + side])
    return np.asarray(part.resize((size, size), Image.Resampling.BICUBIC))


def _material(size: int, rng: np.random.Generator) -> Images:
    """A surface of one colour with a grain in one direction, half of the time cut by an arc."""
    colour = rng.uniform(0.05, 0.95, 3)
    grain = gaussian_filter(rng.standard_normal((size, size)), (rng.uniform(0.5, 2), size / 10))
    turned = rotate(grain, rng.uniform(0, 180), reshape=False, order=1, mode="reflect")
    light = np.linspace(1 - rng.uniform(0, 0.4), 1, size)[:, None]
    tone = 1 + rng.uniform(0.03, 0.3) * turned / turned.std()
    picture = colour * (tone * light)[..., None]
    if rng.random() < 0.5:
        y, x = np.mgrid[:size, :size] - rng.uniform(-size, 2 * size, (2, 1, 1))
        inside = (x**2 + y**2 < (rng.uniform(0.4, 1.6) * size) ** 2)[..., None]
        picture = np.where(inside, rng.uniform(0.05, 0.95, 3) * light[..., None], picture)
    pixels: Images = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    return pixels


def _scrambled(image: Images, rng: np.random.Generator) -> Images:
    """The tiles of a 2 x 2 to 4 x 4 grid in an order that leaves none in its place."""
    grid = int(rng.integers(2, 5))
    side = len(image) // grid
    tiles = image[: side * grid, : side * grid].reshape(grid, side, grid, side, 3).swapaxes(1, 2)
    tiles = tiles.reshape(grid * grid, side, side, 3)
    # a cyclic shift of a random order has no fixed point
    order = rng.permutation(grid * grid)
    moved = np.empty_like(tiles)
    moved[order] = tiles[np.roll(order, 1)]
    rows = moved.reshape(grid, grid, side, side, 3).swapaxes(1, 2)
    whole = Image.fromarray(rows.reshape(side * grid, side * grid, 3))
    return np.asarray(whole.resize((image.shape[1], image.shape[0])))
