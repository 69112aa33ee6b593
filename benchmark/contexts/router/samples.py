"""Pictures to learn from and to be judged by: every clean view in all classes of degradation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.mixture import MIXTURE
from benchmark.contexts.router.base import CLASSES
from benchmark.contexts.router.synthesis import Picture, versions
from benchmark.data.degradations import noise_generator
from benchmark.errors import DataError
from benchmark.probes.threads import map_parallel
from benchmark.progress import Reporter

#: Columns of groups; empty where a context has no such axis.
AXES = ("tone_level", "illumination")


@dataclass(frozen=True)
class RouterSet:
    """Clean views and their versions; balanced by construction, the same views in every class.

    Attributes:
        clean: ``[N, H, W, 3]`` uint8.
        inputs: ``[N, 5, H, W, 3]`` uint8, in the order of ``CLASSES``.
        frame: one row a clean view: ``sample`` (unique), ``cluster`` (unique over contexts),
            ``context`` and the :data:`AXES`; used to judge, never to train.
    """

    clean: Picture
    inputs: Picture
    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def labels(self) -> NDArray[np.int64]:
        """``[5 N]``, the classes of :meth:`flat`."""
        return np.tile(np.arange(len(CLASSES)), len(self))

    def flat(self) -> Picture:
        """``[5 N, H, W, 3]``: the versions of the first view, of the second, and so on."""
        return self.inputs.reshape(-1, *self.inputs.shape[2:])

    def take(self, rows: NDArray[np.int64]) -> RouterSet:
        """The views at ``rows``."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return RouterSet(self.clean[rows], self.inputs[rows], frame)


def router_samples(
    count: int,
    *,
    size: int,
    split: str,
    seed: int,
    contexts: Sequence[str] = CONTEXTS,
    reporter: Reporter | None = None,
) -> RouterSet:
    """Views of the probes in all classes.

    Args:
        count: clean views of each context.
        size: side in pixels, a multiple of 8.
        split: sets of different names share no person, eye or scene; photographs of ``train`` and
            of any other share no pixel.
        seed: of everything.
        contexts: whose views.
        reporter: told of every view.
    """
    reporter = reporter or Reporter()
    pictures, frames = [], []
    for context in contexts:
        views = MIXTURE[context].source(count, size, split, seed, reporter)
        frame = views.frame.reindex(columns=["sample", "cluster", *AXES], fill_value="")
        if context == "generic":  # every crop is a scene of its own
            frame["cluster"] = frame["sample"]
        frame["cluster"] = f"{context}/" + frame["cluster"].astype(str)
        frame["sample"] = f"{context}/" + frame["sample"].astype(str)
        pictures.append(views.images)
        frames.append(frame.assign(context=context))
    table = pd.concat(frames, ignore_index=True)
    clean = np.concatenate(pictures)
    with reporter.task(f"degrade {split} views", len(clean)) as advance:
        return RouterSet(clean, _degraded(clean, table, seed=seed, advance=advance), table)


def _degraded(
    clean: Picture, frame: pd.DataFrame, *, seed: int, advance: Callable[[int], None]
) -> Picture:
    clusters, samples = frame["cluster"].to_numpy(), frame["sample"].tolist()

    def of(row: int) -> Picture:
        other = _somebody_else(clusters, row, stream=samples[row], seed=seed)
        return versions(clean[row], clean[other], stream=samples[row], seed=seed)

    inputs = np.empty((len(clean), len(CLASSES), *clean.shape[1:]), np.uint8)
    for row, made in enumerate(map_parallel(of, range(len(clean)))):
        inputs[row] = made
        advance(1)
    return inputs


def _somebody_else(clusters: NDArray[np.object_], row: int, *, stream: str, seed: int) -> int:
    """A random row of another cluster."""
    others = np.flatnonzero(clusters != clusters[row])
    if not len(others):
        raise DataError(
            "a reflection needs a second scene, and all views are of one",
            where=str(clusters[row]),
            mend="ask for more views",
        )
    return int(noise_generator(f"router/other/{stream}", seed=seed).choice(others))


def random_parts(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """One random square of a batch ``[..., H, W]``, mirrored and transposed at random.

    All pictures of a batch are cut at the same place: over a training the blocks of compression
    are met at every phase all the same.
    """
    height, width = images.shape[-2:]
    top, left = (
        int(torch.randint(size - side + 1, (), generator=generator)) for size in (height, width)
    )
    parts = images[..., top : top + side, left : left + side]
    flips = torch.rand(3, generator=generator) < 0.5
    axes = [axis for axis, flip in zip((-2, -1), flips[:2].tolist(), strict=True) if flip]
    parts = parts.flip(axes) if axes else parts
    return parts.transpose(-2, -1) if flips[2] else parts
