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
from benchmark.contexts.evaluation import told_card
from benchmark.contexts.mixture import MIXTURE
from benchmark.contexts.regions import NOWHERE, STRIDE, Regions, face_regions, mask_regions
from benchmark.data.degradations import assign_strata, degrade
from benchmark.data.views import Views
from benchmark.files import write_json
from benchmark.progress import Reporter
from benchmark.training.pool import TrainingPool, joined
from benchmark.training.setup import TrainingData

#: What the predictor is and what it said of the pool.
PREDICTOR = "predictor.json"


def run_pool(
    payload: Mapping[str, Any], *, out: Path, reporter: Reporter, device: str = "cpu"
) -> None:
    """Write the :class:`TrainingData` that ``payload`` describes to ``out``.

    Beside it lies :data:`PREDICTOR`: ``name``, ``sha256`` of its weights (empty without any) and
    ``card`` (:func:`benchmark.contexts.evaluation.told_card`).

    Args:
        payload: ``samples`` (number per context), ``predictor`` (``cnn``, ``clip:FOLDER`` ...),
            ``seed`` and optionally ``size`` (side in pixels, 128) and ``contexts`` (default all).
        out: existing folder.
        reporter: where progress goes.
        device: where the predictor looks at them.

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
    inputs = torch.as_tensor(pool.inputs).to(device).permute(0, 3, 1, 2).float() / 255
    contexts = predictor.predict(inputs, torch.as_tensor(pool.labels)).double().cpu().numpy()
    contexts /= contexts.sum(1, keepdims=True)
    TrainingData(pool, contexts).save(out)
    told = {
        "name": payload["predictor"],
        "sha256": predictor.identity().get("sha256", ""),
        "card": told_card(contexts, pool.labels),
    }
    write_json(out / PREDICTOR, told)


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
