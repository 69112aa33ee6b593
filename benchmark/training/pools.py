"""Building the training pool: rendered faces and generic pictures, in the task's low light.

The faces are rendered in all tone levels, and that is the last place where a tone is known: what
leaves this module names its samples by number and holds no group.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmark.contexts import CONTEXTS, PREDICTORS
from benchmark.data.degradations import LowLight, assign_strata, degrade
from benchmark.probes.deadleaves import dead_leaves
from benchmark.probes.faces import FaceProbe
from benchmark.probes.photographs import photograph_crops
from benchmark.progress import Reporter
from benchmark.training.pool import TrainingPool, joined
from benchmark.training.setup import TrainingData

#: Two views of an identity in three tone levels cost one rendering each: the geometry is shared.
_VIEWS = 2
_SHOTS = 3 * _VIEWS

Strata = Mapping[str, LowLight]


def run_pool(payload: Mapping[str, Any], *, out: Path, reporter: Reporter) -> None:
    """Write the :class:`TrainingData` that ``payload`` describes to ``out``.

    Args:
        payload: ``faces`` and ``generic`` (numbers of samples), ``degradation`` (as in a task
            file), ``predictor`` (name of a context predictor), ``seed`` and optionally ``size``
            (side in pixels, 128).
        out: existing folder.
        reporter: where progress goes.

    Raises:
        UnknownNameError: for a predictor that is not registered.
        WeightsError: for a predictor whose weights are absent.
    """
    predictor = PREDICTORS.get(payload["predictor"])()
    strata = {name: LowLight(**level) for name, level in payload["degradation"]["strata"].items()}
    common = {"size": payload.get("size", 128), "seed": payload["seed"], "strata": strata}
    pool = joined(
        [
            face_pool(payload["faces"], reporter=reporter, **common),
            generic_pool(payload["generic"], **common),
        ]
    )
    inputs = torch.as_tensor(pool.inputs).permute(0, 3, 1, 2).float() / 255
    contexts = predictor.predict(inputs, torch.as_tensor(pool.labels)).double().numpy()
    TrainingData(pool, contexts / contexts.sum(1, keepdims=True)).save(out)


def face_pool(
    count: int, *, size: int, seed: int, strata: Strata, reporter: Reporter
) -> TrainingPool:
    """Rendered faces of training identities, every tone level equally often.

    Args:
        count: number of samples.
        size: side in pixels.
        seed: of identities, views and noise.
        strata: exposures; the twins of a view share one.
        reporter: where progress goes.
    """
    probe = FaceProbe(
        split="train",
        identities=-(-count // _SHOTS),
        views=_VIEWS - 1,
        tones="levels",
        size=size,
        seed=seed,
        supersample=1,
    )
    with reporter.task("render training faces", probe.identities * _VIEWS) as advance:
        samples = probe.render(advance=advance)
    return _degraded(
        samples.images[:count],
        samples.landmarks[:count],
        context="face",
        seed=seed,
        exposures=assign_strata(
            samples.frame["identity"].tolist()[:count],
            samples.frame["view"].tolist()[:count],
            seed=seed,
            names=tuple(strata),
        ),
        strata=strata,
    )


def generic_pool(count: int, *, size: int, seed: int, strata: Strata) -> TrainingPool:
    """Dead leaves and crops of photographs, half each.

    Args:
        count: number of samples.
        size: side in pixels.
        seed: of pictures and noise.
        strata: exposures, in equal numbers.
    """
    leaves = count // 2
    parts = [photograph_crops(count - leaves, size=size, seed=seed)]
    if leaves:
        parts.append(dead_leaves(leaves, size=size, seed=seed))
    return _degraded(
        np.concatenate(parts),
        np.full((count, 5, 2), np.nan, dtype=np.float32),
        context="generic",
        seed=seed,
        exposures=assign_strata(
            ["generic"] * count, list(range(count)), seed=seed, names=tuple(strata)
        ),
        strata=strata,
    )


def _degraded(
    references: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    *,
    context: str,
    seed: int,
    exposures: list[str],
    strata: Strata,
) -> TrainingPool:
    names = [f"{context}-{number:06d}" for number in range(len(references))]
    frame = pd.DataFrame({"sample": names, "exposure": exposures})
    return TrainingPool(
        inputs=degrade(references, frame, seed=seed, strata=strata),
        references=np.ascontiguousarray(references),
        landmarks=landmarks.astype(np.float32),
        labels=np.full(len(references), CONTEXTS.index(context), dtype=np.int64),
        samples=tuple(names),
    )
