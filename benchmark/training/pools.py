"""Building the training pool: the same number of images of every context, in its own degradation.

Faces are rendered in all tone levels, eyes in all pigmentations, and that is the last place where
a group is known: what leaves this module names its samples by number and holds no group. The pool
is the same for every task, so that a host is trained once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmark.contexts import CONTEXTS, PREDICTORS
from benchmark.data.degradations import LOW_LIGHT, MEDICAL, Acquisition, assign_strata, degrade
from benchmark.data.views import OK, PROBE, Views
from benchmark.progress import Reporter
from benchmark.training.pool import TrainingPool, joined
from benchmark.training.setup import TrainingData

#: Clean views of one context: (count, size, split, seed, reporter).
Source = Callable[[int, int, str, int, Reporter], Views]


@dataclass(frozen=True)
class Ingredient:
    """One context of the mixture.

    Attributes:
        source: gives clean views; only ``sample``, ``cluster`` and ``view`` of their table and the
            landmarks are used.
        strata: degradations, in equal numbers; twins of a view share one.
    """

    source: Source
    strata: Mapping[str, Acquisition]


def run_pool(payload: Mapping[str, Any], *, out: Path, reporter: Reporter) -> None:
    """Write the :class:`TrainingData` that ``payload`` describes to ``out``.

    Args:
        payload: ``samples`` (number per context), ``predictor`` (name of a context predictor),
            ``seed`` and optionally ``size`` (side in pixels, 128) and ``contexts`` (default all).
        out: existing folder.
        reporter: where progress goes.

    Raises:
        UnknownNameError: for a predictor that is not registered.
        WeightsError: for a predictor whose weights are absent.
    """
    predictor = PREDICTORS.get(payload["predictor"])()
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
    strata = assign_strata(
        views.frame["cluster"].tolist(),
        views.frame["view"].tolist(),
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
    )


def generic_views(count: int, size: int, split: str, seed: int, reporter: Reporter) -> Views:
    """Dead leaves and crops of photographs, half each."""
    from benchmark.probes.deadleaves import dead_leaves
    from benchmark.probes.photographs import photograph_crops

    del reporter
    leaves = count // 2
    parts = [photograph_crops(count - leaves, size=size, split=split, seed=seed)]
    if leaves:
        parts.append(dead_leaves(leaves, size=size, split=split, seed=seed))
    return Views(picture_frame("generic", split, count), np.concatenate(parts))


def face_views(count: int, size: int, split: str, seed: int, reporter: Reporter) -> Views:
    """Rendered faces, every tone level equally often; twins share cluster and view."""
    from benchmark.probes.faces import FaceProbe

    # two views of a person in three tone levels cost one rendering each: the geometry is shared
    views = 2
    probe = FaceProbe(
        split=split,
        identities=-(-count // (3 * views)),
        views=views - 1,
        tones="levels",
        size=size,
        seed=seed,
        supersample=1,
    )
    with reporter.task(f"render {split} faces", probe.identities * views) as advance:
        samples = probe.render(advance=advance)
    frame = samples.frame.rename(columns={"identity": "cluster"}).assign(status=OK)
    return Views(frame.iloc[:count], samples.images[:count], samples.landmarks[:count])


def medical_views(count: int, size: int, split: str, seed: int, reporter: Reporter) -> Views:
    """Crops of rendered fundus photographs, every pigmentation equally often."""
    from benchmark.probes.fundus import fundus_crops

    with reporter.task(f"render {split} fundus", count) as advance:
        return fundus_crops(count, size=size, split=split, seed=seed, advance=advance)


def sign_views(count: int, size: int, split: str, seed: int, reporter: Reporter) -> Views:
    """Rendered signs, every illuminant equally often."""
    from benchmark.probes.signs import sign_crops

    with reporter.task(f"render {split} signs", count) as advance:
        return sign_crops(count, size=size, split=split, seed=seed, advance=advance)


def picture_frame(context: str, split: str, count: int) -> pd.DataFrame:
    """The table of pictures that have nothing to do with each other.

    They are views of one cluster, so that strata go round them in equal numbers.
    """
    names = [f"{context}-{split}-{number:05d}" for number in range(count)]
    return pd.DataFrame(
        {"sample": names, "cluster": context, "view": np.arange(count), "role": PROBE, "status": OK}
    )


#: The mixture that hosts train on, in the order of ``CONTEXTS``.
MIXTURE: Mapping[str, Ingredient] = {
    "generic": Ingredient(generic_views, LOW_LIGHT),
    "medical": Ingredient(medical_views, MEDICAL),
    "face": Ingredient(face_views, LOW_LIGHT),
    "lowlight": Ingredient(sign_views, LOW_LIGHT),
}
