"""Clean views before any degradation, whether rendered or photographed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

OK = "ok"
DECODE_ERROR = "decode_error"
GALLERY, PROBE = "gallery", "probe"


@dataclass(frozen=True)
class Views:
    """Clean images of one size with what is known about them.

    Attributes:
        frame: one row per image: ``sample`` (unique id), ``cluster`` (the independent unit:
            person, patient, scene), ``role`` (``probe`` for those to be enhanced, ``gallery`` for
            clean views that are only compared with), ``status`` (``ok`` or ``decode_error``) and
            one column of text per axis. Optionally ``view`` (number within the cluster, shared by
            counterfactual twins), ``label`` (text) and ``cohort``.
        images: ``[N, H, W, 3]`` uint8; zeros where the status is not ``ok``.
        landmarks: ``[N, 5, 2]`` float32 pixels, NaN where unknown; see ``imaging.alignment``.
        masks: ``[N, H, W]`` bool by name, only what somebody marked or rendered. Names with a
            meaning: ``skin`` (visible skin), ``valid`` (where scoring makes sense: field of view,
            annotated window, not padding), ``vessels``, ``microaneurysms``, ``exudates``,
            ``disc``, ``lungs``.
        inputs: ``[N, H, W, 3]`` uint8, degraded versions that came with the data; None where the
            task's degradation is to be applied.
    """

    frame: pd.DataFrame
    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32] | None = None
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    inputs: NDArray[np.uint8] | None = None
