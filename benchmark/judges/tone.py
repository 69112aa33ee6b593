"""The colour that skin is rendered in, as one of three levels of tone.

A measurement of a picture, not a statement about a person: the median colour of the pixels that the
clean reference marks as skin is held against what the ten Monk Skin Tones look like on the faces of
the probe, lit and shaded as there. No network: an enhancer that lightens skin moves its colour, and
this instrument says so and nothing else.

Each tone is a normal distribution in CIELAB. Its centre is the mean over rendered training faces
(shading takes some ten units of L* from light skin and scattered light adds some to dark skin, so
the published colours themselves would be off). Lightness scatters by the light and the pose, 4.7
units within a tone; chroma hardly scatters in rendered faces (0.5), and is given the tolerance of
one just noticeable difference, 2.3 units (Mahy et al. 1994), lest a slight cast decides.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.imaging.colour import to_lab
from benchmark.judges.base import Observer
from benchmark.probes.faces.tones import LEVEL_TONES, ToneLevel

#: Mean CIELAB of the median skin pixel of Monk 1 to 10 on rendered faces: 40 people of the split
#: ``train`` in four views, 96 px (see ``tests/judges/test_tone.py``).
APPEARANCE = (
    (81.0, 2.2, 5.4),
    (79.5, 2.7, 6.9),
    (80.1, 1.2, 12.6),
    (75.6, 1.4, 15.3),
    (67.8, 3.8, 19.3),
    (50.0, 6.7, 20.0),
    (40.9, 9.3, 14.2),
    (33.4, 7.6, 8.3),
    (28.3, 1.7, 3.8),
    (25.6, 1.0, 2.5),
)
#: Standard deviations of L*, a* and b* within a tone.
SCATTER = (4.7, 2.3, 2.3)


class SkinTone(Observer):
    """Level of tone of the visible skin: probabilities of light, medium and dark.

    Levels are equally likely beforehand, and so are the tones within one. A face without marked
    skin has none.
    """

    levels = tuple(level.value for level in ToneLevel)

    def identity(self) -> dict[str, str]:
        """Nothing but its version: the constants are part of it."""
        return {"judge": "skin-tone", "judge_version": "1"}

    @torch.inference_mode()
    def observe(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> NDArray[np.float32]:
        """See :class:`Observer`; ``[B, 3]``."""
        if "skin" not in evalset.masks:
            return np.full((len(images), len(self.levels)), np.nan, np.float32)
        mask = torch.tensor(evalset.masks["skin"][index], device=images.device)
        colours = skin_colour(images, mask).cpu().numpy().astype(np.float64)
        return level_probabilities(colours).astype(np.float32)


def skin_colour(images: Tensor, mask: Tensor) -> Tensor:
    """CIELAB of the median skin pixel, ``[B, 3]``, channel by channel; NaN for an empty mask.

    Args:
        images: ``[B, 3, H, W]`` sRGB in [0, 1].
        mask: ``[B, H, W]`` bool.
    """
    skin = torch.where(mask[:, None], images, torch.nan).flatten(2)
    median = skin.nanmedian(dim=2).values
    return to_lab(median[:, :, None, None])[:, :, 0, 0]


def level_probabilities(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities ``[N, 3]`` of the levels for CIELAB colours ``[N, 3]``; NaN stays NaN."""
    away = (colours[:, None] - np.array(APPEARANCE)) / np.array(SCATTER)
    squared = (away**2).sum(axis=2)
    likelihood = np.exp((squared.min(axis=1, keepdims=True) - squared) / 2)
    each = [likelihood[:, list(LEVEL_TONES[level])].mean(axis=1) for level in ToneLevel]
    joint = np.stack(each, axis=1)
    result: NDArray[np.float64] = joint / joint.sum(axis=1, keepdims=True)
    return result
