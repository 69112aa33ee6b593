"""Building the training pool: the same number of images of every context, in its own degradation.

The mixture has its groups in equal numbers, and this is the last place where a group is known:
what leaves this module names its samples by number and holds no group.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.contexts import CONTEXTS, make_predictor
from benchmark.contexts.mixture import MIXTURE
from benchmark.contexts.regions import NOWHERE, STRIDE, Regions, face_regions, mask_regions
from benchmark.data.degradations import assign_strata, degrade
from benchmark.data.views import Views
from benchmark.progress import Reporter
from benchmark.training.pool import TrainingPool, joined
from benchmark.training.setup import TrainingData


def run_pool(payload: Mapping[str, Any], *, out: Path, reporter: Reporter) -> None:
    """Write the :class:`TrainingData` that ``payload`` describes to ``out``.

    Args:
        payload: ``samples`` (number per context), ``predictor`` (``cnn``, ``clip:FOLDER`` ...),
            ``seed`` and optionally ``size`` (side in pixels, 128) and ``contexts`` (default all).
        out: existing folder.
        reporter: where progress goes.

    Raises:
        UnknownNameError: for a predictor that is not registered.
        WeightsError: for a predictor whose weights are absent.
    """
    predictor = make_predictor(payload["predictor"])
    size, seed = payload.get("size", 128), payload["seed"]
    pool = joined(
        [
            context_pool(context, payload["samples"], size=size, seed=seed, reporter=reporter)
            for context in payload.get("contexts", CONTEXTS)
        ]
    )
    inputs = torch.as_tensor(pool.inputs).permute(0, 3, 1, 2).float() / 255
    contexts = predictor.predict(inputs, torch.as_tensor(pool.labels)).double().numpy()
    TrainingData(pool, contexts / contexts.sum(1, keepdims=True)).save(out)


def context_pool(
    context: str, count: int, *, size: int, seed: int, reporter: Reporter
) -> TrainingPool:
    """Training samples of one context, degraded.

    Args:
        context: one of ``CONTEXTS``.
        count: number of samples.
        size: side in pixels.
        seed: of pictures and noise.
        reporter: where progress goes.
    """
    ingredient = MIXTURE[context]
    views = ingredient.source(count, size, "train", seed, reporter)
    names = [f"{context}-{number:06d}" for number in range(count)]
    # twins share a stratum; over the whole context the strata come in equal numbers
    scenes = views.frame.groupby(["cluster", "view"], sort=False).ngroup()
    strata = assign_strata(
        [context] * count,
        scenes.tolist(),
        seed=seed,
        names=tuple(ingredient.strata),
    )
    frame = views.frame.assign(sample=names, stratum=strata)
    unknown = np.full((count, 5, 2), np.nan, dtype=np.float32)
    return TrainingPool(
        inputs=degrade(views.images, frame, seed=seed, strata=ingredient.strata, axis="stratum"),
        references=np.ascontiguousarray(views.images),
        landmarks=unknown if views.landmarks is None else views.landmarks.astype(np.float32),
        labels=np.full(count, CONTEXTS.index(context), dtype=np.int64),
        samples=tuple(names),
        regions=_regions(context, views, size),
    )


def _regions(context: str, views: Views, size: int) -> Regions:
    if views.landmarks is not None:
        return face_regions(views.landmarks, size)
    if context == "medical" and "valid" in views.masks:
        return mask_regions(views.masks["valid"], context)
    return np.full((len(views.images), size // STRIDE, size // STRIDE), NOWHERE, np.int8)
