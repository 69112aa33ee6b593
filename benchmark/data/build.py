"""From clean views to an evaluation set: the probe or a folder, degraded by the task's rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.degradations import LowLight, PlantedEffect, assign_strata, degrade
from benchmark.data.evalset import EvalSet
from benchmark.data.views import GALLERY, OK, Views
from benchmark.progress import Reporter
from benchmark.spec.mapping import MappingSpec
from benchmark.spec.task import Degradation


def probe_evalset(payload: Mapping[str, Any], reporter: Reporter) -> EvalSet:
    """Render the probe that the payload names and degrade its probe views."""
    from benchmark.probes.faces import FaceProbe

    probe = FaceProbe(
        split="test",
        identities=payload["identities"],
        views=payload["views"],
        effect=payload["effect"],
        seed=payload["seed"],
    )
    shots = probe.identities * (probe.views + 1)
    with reporter.task("render faces", shots) as advance:
        samples = probe.render(advance=advance)
    # everybody is in the gallery once in each tone: twins are compared within their own
    frame = samples.frame.rename(columns={"identity": "cluster"}).assign(
        status=OK, cohort=samples.frame["tone_level"]
    )
    views = Views(frame, samples.images, samples.landmarks, samples.skin)
    return degraded(views, frame["view"].to_numpy(dtype=np.int64), payload)


def folder_evalset(payload: Mapping[str, Any], folder: Path) -> EvalSet:
    """Read a mapped folder, find the landmarks on its clean images, and degrade it."""
    from benchmark.data.folder import read_folder
    from benchmark.judges.landmarks import locate_landmarks

    views = read_folder(folder, MappingSpec.model_validate(payload["mapping"]))
    landmarks = locate_landmarks(list(views.images))
    landmarks[(views.frame["status"] != OK).to_numpy()] = np.nan
    located = Views(views.frame, views.images, landmarks)
    numbers = views.frame.groupby("cluster").cumcount().to_numpy().astype(np.int64)
    return degraded(located, numbers, payload)


def degraded(views: Views, numbers: NDArray[np.int64], payload: Mapping[str, Any]) -> EvalSet:
    """Split clean views into gallery and probes, and put the probes in the dark.

    Args:
        views: clean views.
        numbers: ``[N]`` number of the view within its identity; counterfactual twins share it,
            and with it their exposure, so that a gap between them is caused by tone alone.
        payload: of the data stage; ``degradation`` and ``seed`` are used.
    """
    rule = Degradation.model_validate(payload["degradation"])
    in_gallery = (views.frame["role"] == GALLERY).to_numpy()
    probes = np.flatnonzero(~in_gallery)
    frame = views.frame.drop(columns="role").iloc[probes].reset_index(drop=True)
    strata = {name: LowLight(**level.model_dump()) for name, level in rule.strata.items()}
    frame[rule.axis] = assign_strata(
        frame["cluster"].tolist(),
        numbers[probes].tolist(),
        seed=payload["seed"],
        names=list(strata),
    )
    references = views.images[probes]
    inputs = degrade(
        references,
        frame.rename(columns={rule.axis: "exposure"}),
        seed=payload["seed"],
        strata=strata,
        planted=[PlantedEffect(**effect.model_dump()) for effect in rule.planted],
    )
    usable_gallery = np.flatnonzero(in_gallery & (views.frame["status"] == OK).to_numpy())
    gallery_frame = views.frame.iloc[usable_gallery].reset_index(drop=True)
    return EvalSet(
        frame=frame,
        inputs=inputs,
        references=references,
        digest="",
        landmarks=views.landmarks[probes] if views.landmarks is not None else None,
        skin=views.skin[probes] if views.skin is not None else None,
        gallery=views.images[usable_gallery],
        gallery_landmarks=None if views.landmarks is None else views.landmarks[usable_gallery],
        gallery_frame=gallery_frame,
    )
