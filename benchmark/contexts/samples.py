"""What the context predictor is trained and validated on: faces, and images of anything else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmark.contexts.base import CONTEXTS
from benchmark.data.degradations import noise_generator
from benchmark.probes.deadleaves import dead_leaves
from benchmark.probes.faces import FaceProbe
from benchmark.probes.photographs import photograph_crops
from benchmark.progress import Reporter

#: Kinds of images without a face, see :func:`generic_images`.
_KINDS = 4

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class ContextSet:
    """Images and the context that each belongs to.

    Attributes:
        images: ``[N, H, W, 3]`` uint8, clean.
        labels: ``[N]``, index into ``CONTEXTS``.
        frame: one row per image: ``sample`` (unique), ``identity`` (what belongs together) and
            ``tone_level`` (of the face shown, empty for others); used to validate, never to train.
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
    probe: FaceProbe,
    seed: int,
    cache: Path | None,
    device: torch.device | str,
    reporter: Reporter,
) -> ContextSet:
    """Faces of a probe, and as many generic images.

    Args:
        probe: whose faces.
        seed: of the generic images.
        cache: folder for rendered faces; None renders them again.
        device: where to render.
        reporter: told of every view.
    """
    total = probe.identities * (probe.views + 1)
    with reporter.task(f"render {probe.split} faces", total) as advance:
        faces = probe.render(cache=cache, device=device, advance=advance)
    generic = generic_images(len(faces), faces.images, split=probe.split, seed=seed)
    number = np.arange(len(faces))
    frame = pd.DataFrame(
        {
            "sample": [f"generic-{probe.split}-{item:05d}" for item in number],
            # one of each kind belongs together, so that both halves get every kind
            "identity": [f"generic-{probe.split}-{item:05d}" for item in number // _KINDS],
            "tone_level": "",
        }
    )
    return ContextSet(
        images=np.concatenate([faces.images, generic]),
        labels=np.repeat([CONTEXTS.index("face"), CONTEXTS.index("generic")], len(faces)),
        frame=pd.concat([faces.frame[list(frame)], frame], ignore_index=True),
    )


def generic_images(count: int, faces: Images, *, split: str, seed: int) -> Images:
    """Images without a face, in turn: dead leaves, their details, photographs, scrambled faces.

    Details are magnified dead leaves: few large shapes on something plain, which a network that has
    only seen clutter takes for a portrait. Scrambled faces, with their tiles in another order, have
    the colours and textures of faces but not their arrangement.

    Args:
        count: how many.
        faces: ``[N, S, S, 3]`` to scramble.
        split: sets of different names share no leaf and no part of a photograph.
        seed: of everything.

    Returns:
        ``[count, S, S, 3]`` uint8.
    """
    size, each = faces.shape[1], -(-count // _KINDS)
    rng = noise_generator(f"generic/{split}", seed=seed)
    leaves = dead_leaves(2 * each, size=size, split=split, seed=seed)
    kinds = (
        leaves[:each],
        np.stack([_detail(image, rng) for image in leaves[each:]]),
        photograph_crops(each, size=size, split=split, seed=seed),
        np.stack([_scrambled(faces[rng.integers(len(faces))], rng) for _ in range(each)]),
    )
    return np.stack(kinds, 1).reshape(-1, size, size, 3)[:count]


def _detail(image: Images, rng: np.random.Generator) -> Images:
    """A random eighth to half of the side, magnified."""
    size = len(image)
    side = int(rng.integers(size // 8, size // 2))
    x, y = rng.integers(0, size - side, 2)
    part = Image.fromarray(image[y : y + side, x : x + side])
    return np.asarray(part.resize((size, size), Image.Resampling.BICUBIC))


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
