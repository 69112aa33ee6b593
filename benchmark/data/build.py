"""From clean views to an evaluation set: a probe or somebody's data, spoilt by the task's rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.degradations import Acquisition, PlantedEffect, assign_strata, degrade
from benchmark.data.evalset import EvalSet
from benchmark.data.views import GALLERY, OK, Views
from benchmark.probes import PHANTOMS, PROBES, ProbeSettings
from benchmark.progress import Reporter
from benchmark.spec.mapping import MappingSpec
from benchmark.spec.task import Degradation


def probe_evalset(payload: Mapping[str, Any], reporter: Reporter) -> EvalSet:
    """Render the probe that the payload names and degrade its probe views."""
    settings = ProbeSettings(
        subjects=payload["subjects"],
        views=payload["views"],
        seed=payload["seed"],
        effect=payload["effect"],
        split=payload.get("split", "test"),
    )
    with reporter.task(f"render {payload['probe']}", settings.subjects) as advance:
        views = PROBES.get(payload["probe"])(settings, advance=advance)
    return degraded(views, views.frame["view"].to_numpy(dtype=np.int64), payload)


def phantom_evalset(payload: Mapping[str, Any]) -> EvalSet:
    """Structure-free pictures of a probe in the task's degradation, for the null test."""
    views = PHANTOMS.get(payload["probe"])(payload["count"], seed=payload["seed"])
    return degraded(views, np.arange(len(views.frame)), payload)


def real_evalset(payload: Mapping[str, Any], reference: str, reporter: Reporter) -> EvalSet:
    """Read somebody's data, and degrade them unless they bring degraded pictures of their own."""
    from benchmark.data.opened import open_data
    from benchmark.data.reading import read_views
    from benchmark.data.references import parse_reference

    data = open_data(parse_reference(reference), MappingSpec.model_validate(payload["mapping"]))
    with reporter.task(f"read {data.mapping.name}", len(data.rows.frame)) as advance:
        views = read_views(data, advance=advance).views
    numbers = views.frame.groupby("cluster").cumcount().to_numpy().astype(np.int64)
    return degraded(views, numbers, payload)


def degraded(views: Views, numbers: NDArray[np.int64], payload: Mapping[str, Any]) -> EvalSet:
    """Split clean views into gallery and probes, and spoil the probes.

    Args:
        views: clean views; where they bring degraded inputs of their own, those are kept.
        numbers: ``[N]`` number of the view within its cluster; counterfactual twins share it, and
            with it their stratum, so that a gap between them is caused by the group alone.
        payload: of the data stage; ``degradation`` and ``seed`` are used.
    """
    in_gallery = (views.frame["role"] == GALLERY).to_numpy()
    probes = np.flatnonzero(~in_gallery)
    kept = [name for name in views.frame if name not in {"role", "view"}]
    frame = views.frame[kept].iloc[probes].reset_index(drop=True)
    references = views.images[probes]
    if views.inputs is not None:
        inputs = views.inputs[probes]
    else:
        rule = Degradation.model_validate(payload["degradation"])
        strata = {name: Acquisition(**level.model_dump()) for name, level in rule.strata.items()}
        frame[rule.axis] = assign_strata(
            frame["cluster"].tolist(),
            numbers[probes].tolist(),
            seed=payload["seed"],
            names=list(strata),
        )
        inputs = degrade(
            references,
            frame,
            seed=payload["seed"],
            strata=strata,
            axis=rule.axis,
            planted=[PlantedEffect(**effect.model_dump()) for effect in rule.planted],
        )
    usable_gallery = np.flatnonzero(in_gallery & (views.frame["status"] == OK).to_numpy())
    return EvalSet(
        frame=frame,
        inputs=inputs,
        references=references,
        digest="",
        landmarks=views.landmarks[probes] if views.landmarks is not None else None,
        masks={name: mask[probes] for name, mask in views.masks.items()},
        gallery=views.images[usable_gallery],
        gallery_landmarks=None if views.landmarks is None else views.landmarks[usable_gallery],
        gallery_frame=views.frame.iloc[usable_gallery].reset_index(drop=True),
    )
