"""The fundus probe: a crossed design of eyes, pigmentations and photographs, with its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data.degradations import noise_generator
from benchmark.data.views import OK, PROBE, Views
from benchmark.errors import DataError
from benchmark.probes.base import Advance, ProbeSettings
from benchmark.probes.fundus.eye import make_eye
from benchmark.probes.fundus.optics import PIGMENTATIONS
from benchmark.probes.fundus.photograph import (
    FIELD_SHARE,
    MASKS,
    SIZE,
    Masks,
    draw_shot,
    photograph,
)
from benchmark.probes.threads import map_parallel

_LEVELS = tuple(PIGMENTATIONS)
#: Crops that training takes of one eye: photographs, and places in each.
_SHOTS, _PLACES = 2, 2


@dataclass(frozen=True)
class _Part:
    """All that was rendered of one eye."""

    frame: pd.DataFrame
    images: NDArray[np.uint8]
    masks: Masks


def fundus_views(settings: ProbeSettings, *, advance: Advance) -> Views:
    """Every eye in every pigmentation, ``settings.views`` photographs each, 256 pixels square.

    Axes: ``pigmentation`` (light, medium, dark; twins share everything else), ``disease`` (healthy,
    lesions) and ``side`` (left, right).

    Raises:
        DataError: for fewer than one subject or view.
    """
    if settings.subjects < 1 or settings.views < 1:
        raise DataError(
            f"a fundus probe needs at least one eye and one view, not {settings.subjects} and "
            f"{settings.views}",
            where=f"fundus probe, split {settings.split}",
        )

    def render(index: int) -> _Part:
        return _photographs_of(settings, index)

    parts = []
    for part in map_parallel(render, range(settings.subjects)):
        parts.append(part)
        advance(1)
    return _joined(parts)


def fundus_crops(count: int, *, size: int, split: str, seed: int, advance: Advance) -> Views:
    """Crops of photographs for training, at the resolution of evaluation.

    Row i depends on i and on everything but ``count``. Three rows in turn are counterfactual twins,
    so every pigmentation is there equally often where ``count`` is a multiple of three.

    Args:
        count: how many.
        size: side in pixels, from 32 to 256.
        split: name of the set of eyes.
        seed: of eyes, photographs and places.
        advance: called with the number of crops just made.

    Raises:
        DataError: for a size that cannot be cut out, or fewer than one crop.
    """
    if not 32 <= size <= SIZE or count < 1:
        raise DataError(
            f"crops need a count above 0 and a side from 32 to {SIZE}, not {count} and {size}"
        )
    each = _SHOTS * _PLACES * len(_LEVELS)

    def render(index: int) -> _Part:
        return _crops_of(split, index, size=size, seed=seed)

    parts, done = [], 0
    for part in map_parallel(render, range(-(-count // each))):
        parts.append(part)
        advance(min(count - done, each))
        done += each
    views = _joined(parts)
    masks = {name: mask[:count] for name, mask in views.masks.items()}
    return Views(views.frame.iloc[:count], views.images[:count], masks=masks)


def _photographs_of(settings: ProbeSettings, index: int) -> _Part:
    eye = make_eye(settings.split, index, seed=settings.seed)
    labels = np.array(_LEVELS)
    if settings.effect == "none":
        name = f"fundus/{settings.split}/{index}/labels"
        labels = noise_generator(name, seed=settings.seed).permutation(labels)
    cluster = f"{settings.split}-{index:05d}"
    shots = [
        photograph(eye, draw_shot(settings.split, index, view, seed=settings.seed), _LEVELS)
        for view in range(settings.views)
    ]
    frame = _frame(cluster, settings.views, labels).assign(
        disease="lesions" if eye.diseased else "healthy", side="left" if eye.left else "right"
    )
    images = np.concatenate([pictures for pictures, _ in shots])
    masks = {
        name: np.repeat(np.stack([masks[name] for _, masks in shots]), len(_LEVELS), 0)
        for name in MASKS
    }
    return _Part(frame, images, masks)


def _crops_of(split: str, index: int, *, size: int, seed: int) -> _Part:
    eye = make_eye(split, index, seed=seed)
    rng = noise_generator(f"fundus/{split}/{index}/crops", seed=seed)
    images: list[NDArray[np.uint8]] = []
    masks: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in MASKS}
    for view in range(_SHOTS):
        pictures, truth = photograph(eye, draw_shot(split, index, view, seed=seed), _LEVELS)
        for rows, columns in _windows(rng, size):
            images.append(pictures[:, rows, columns])
            for name in MASKS:
                window = truth[name][rows, columns]
                masks[name].append(np.repeat(window[None], len(_LEVELS), 0))
    frame = _frame(f"{split}-{index:05d}", _SHOTS * _PLACES, np.array(_LEVELS))
    return _Part(frame, np.concatenate(images), {n: np.concatenate(m) for n, m in masks.items()})


def _windows(rng: np.random.Generator, size: int) -> Iterator[tuple[slice, slice]]:
    """Windows whose middle lies well inside the field."""
    reach = max(FIELD_SHARE * SIZE - 0.4 * size, 0)
    for _ in range(_PLACES):
        angle, far = rng.uniform(0, 2 * np.pi), reach * np.sqrt(rng.uniform())
        middle = SIZE / 2 + far * np.array([np.cos(angle), np.sin(angle)])
        row, column = np.clip(np.rint(middle - size / 2).astype(int), 0, SIZE - size)
        yield slice(row, row + size), slice(column, column + size)


def _frame(cluster: str, views: int, labels: NDArray[np.str_]) -> pd.DataFrame:
    """Rows (view, pigmentation) of one eye; ``labels`` are recorded for the levels in order."""
    view = np.repeat(np.arange(views), len(_LEVELS))
    recorded = np.tile(labels, views)
    names = [f"{cluster}-{name}-{number:03d}" for number, name in zip(view, recorded, strict=True)]
    return pd.DataFrame(
        {
            "sample": names,
            "cluster": cluster,
            "role": PROBE,
            "view": view,
            "status": OK,
            "pigmentation": recorded,
        }
    )


def _joined(parts: list[_Part]) -> Views:
    return Views(
        pd.concat([part.frame for part in parts], ignore_index=True),
        np.concatenate([part.images for part in parts]),
        masks={name: np.concatenate([part.masks[name] for part in parts]) for name in MASKS},
    )
