"""The null test: how much structure does a system make of a picture that has none?

A phantom is flat, noisy or smooth; whatever a judge finds in its enhanced version was invented.
What the judge already sees in the clean phantom is its own mistake, not the system's: a component
that overlaps one seen there (intersection over union of 0.1 and more, as for lesions) is not
counted. The judge's own count in the clean phantom, its floor, is that of :func:`count_seen`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from benchmark.imaging.masks import Masks, count_components
from benchmark.judges.base import Segmenter, make_judge
from benchmark.metrics.base import Column
from benchmark.metrics.fidelity import inside
from benchmark.metrics.structure.components import match
from benchmark.metrics.structure.declared import LESIONS, lesion_area

#: Area from which an invented piece of vessel counts, as a share of the image: 20 px of 256 x 256.
_VESSEL_SHARE = 20 / 256**2


def count_invented(
    outputs: Tensor,
    references: Tensor,
    *,
    device: str,
    judges: Sequence[str] = ("fundus", "frangi"),
    valid: Tensor | None = None,
) -> dict[str, Column]:
    """Invented components per image, for every structure of every judge.

    Args:
        outputs: ``[B, 3, H, W]`` in [0, 1], enhanced phantoms.
        references: the same shape, the phantoms before anything happened to them.
        device: where torch runs.
        judges: names of segmenters.
        valid: ``[B, H, W]`` bool, the field of view; nothing outside it matters.

    Returns:
        ``STRUCTURE:JUDGE`` mapped to ``[B]`` counts.
    """
    counts: dict[str, Column] = {}
    for judge in judges:
        shown = inside(outputs, references, valid)
        found, seen = (_masks(judge, device, images, valid) for images in (shown, references))
        for name in _counted(found):
            area = min_area(name, *outputs.shape[-2:])
            counts[f"{name}:{judge}"] = match(found[name], seen[name], min_area=area).invented
    return counts


def count_seen(
    images: Tensor,
    *,
    device: str,
    judges: Sequence[str] = ("fundus", "frangi"),
    valid: Tensor | None = None,
) -> dict[str, Column]:
    """All components that the judges find, counted as in :func:`count_invented`: the floor."""
    counts: dict[str, Column] = {}
    for judge in judges:
        found = _masks(judge, device, images, valid)
        for name in _counted(found):
            area = min_area(name, *images.shape[-2:])
            counts[f"{name}:{judge}"] = count_components(found[name], min_area=area)
    return counts


def min_area(structure: str, height: int, width: int) -> int:
    """Smallest component that counts, in pixels of an image of this size."""
    if structure in LESIONS:
        return lesion_area(height, width)
    return max(2, round(_VESSEL_SHARE * height * width))


def _counted(found: Mapping[str, Masks]) -> Iterable[str]:
    return (name for name in ("vessels", *LESIONS) if name in found)


def _masks(judge: str, device: str, images: Tensor, valid: Tensor | None) -> dict[str, Masks]:
    with torch.inference_mode():
        found = _segmenter(judge, device).segment(images, valid)
    return {name: mask.cpu().numpy() for name, mask in found.items()}


@lru_cache(maxsize=8)
def _segmenter(name: str, device: str) -> Segmenter:
    judge = make_judge(name, "segmenter", device=device)
    assert isinstance(judge, Segmenter)
    return judge
