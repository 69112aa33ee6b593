"""Clean views of people before any degradation, whether rendered or photographed."""

from __future__ import annotations

from dataclasses import dataclass

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
        frame: one row per image: ``sample`` (unique id), ``cluster`` (identity), ``role``
            (``gallery`` for the clean reference views, ``probe`` for those to be enhanced),
            ``status`` (``ok`` or ``decode_error``) and one column of text per axis.
        images: ``[N, H, W, 3]`` uint8; zeros where the status is not ``ok``.
        landmarks: ``[N, 5, 2]`` float32 pixels, NaN where unknown; see ``imaging.alignment``.
        skin: ``[N, H, W]`` bool, or None where nobody marked it.
    """

    frame: pd.DataFrame
    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32] | None = None
    skin: NDArray[np.bool_] | None = None
