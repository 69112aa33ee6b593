"""The states of light in which the suite's own instruments are examined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmark.data.degradations import LOW_LIGHT, degrade
from benchmark.imaging.colour import to_linear, to_srgb

Images = NDArray[np.uint8]


def low_light_conditions(images: Images, frame: pd.DataFrame, *, seed: int) -> dict[str, Images]:
    """Images at every stratum of exposure, as they are and with the exposure restored.

    Restoring multiplies linear light by the reciprocal of the exposure: brightness is right, noise
    is not, which is the state that an enhancer's output is in.

    Args:
        images: ``[N, H, W, 3]`` uint8 in full light.
        frame: one row per image with ``sample``.
        seed: of the noise.
    """
    conditions = {}
    for name, sensor in LOW_LIGHT.items():
        dim = degrade(images, frame.assign(exposure=name), seed=seed)
        conditions[name] = dim
        linear = to_linear(torch.arange(256) / 255) / sensor.exposure
        table = (to_srgb(linear.clamp(max=1)) * 255).round().to(torch.uint8).numpy()
        conditions[f"{name}, restored"] = table[dim]
    return conditions
