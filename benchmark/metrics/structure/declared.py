"""The declarations of the metrics that a segmenter gives rise to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.metrics.base import MetricSpec

#: The structure that a judge is compared on as a whole: the first of these that it knows.
ORGANS = ("vessels", "lungs")
#: Structures of which each component counts, and what their metrics are called.
LESIONS: Mapping[str, str] = {"microaneurysms": "microaneurysm", "exudates": "exudate"}
#: What the judge of record knows.
STRUCTURES = ("vessels", *LESIONS)
#: How far a centreline may be off, as a share of the shorter side: 2 px of 256.
LINE_SHARE = 1 / 128
#: Area below which a found lesion is no invention, as a share of the image: 3 px of 256 x 256.
_LESION_SHARE = 3 / 256**2


def lesion_area(height: int, width: int) -> int:
    """Smallest found lesion that counts as invented, in pixels of an image of this size."""
    return max(2, round(_LESION_SHARE * height * width))


def specs_of(structures: Sequence[str]) -> tuple[MetricSpec, ...]:
    """The metrics of a judge that knows ``structures``."""
    organ = next((name for name in ORGANS if name in structures), None)
    specs: list[MetricSpec] = [] if organ is None else [*_of_organ(organ)]
    if organ == "vessels":
        specs += _of_vessels()
    kinds = [kind for kind in LESIONS if kind in structures]
    for kind in kinds:
        specs += _of_lesions(LESIONS[kind], (kind,), f"{LESIONS[kind]}s")
    if len(kinds) == len(LESIONS):
        specs += _of_lesions("lesion", kinds, "lesions of all kinds")
        specs.append(
            MetricSpec(
                "lesion_omission_share",
                "1",
                -1,
                "",
                (0, 1),
                _needs(*kinds),
                "share of the true lesions that are lost; undefined where there are none",
                ratio_scale=True,
            )
        )
    return tuple(specs)


def _needs(*masks: str) -> frozenset[str]:
    return frozenset({"reference", *(f"mask:{name}" for name in masks)})


def _of_organ(organ: str) -> tuple[MetricSpec, ...]:
    needs = _needs(organ)
    return (
        MetricSpec(
            "dice",
            "1",
            1,
            "",
            (0, 1),
            needs,
            f"Dice of {organ} found in the output and true {organ}",
            ratio_scale=True,
        ),
        MetricSpec(
            "dice_gain",
            "1",
            1,
            "",
            (-1, 1),
            needs | {"input"},
            f"Dice of {organ} in the output minus that in the input",
        ),
        MetricSpec(
            "hd95",
            "1",
            -1,
            "px",
            (0, np.inf),
            needs,
            f"95th percentile of the distance between found and true outlines of {organ}",
            ratio_scale=True,
            source="Huttenlocher et al. 1993; Maier-Hein et al. 2024",
        ),
    )


def _of_vessels() -> tuple[MetricSpec, ...]:
    needs = _needs("vessels")
    return (
        MetricSpec(
            "cldice",
            "1",
            1,
            "",
            (0, 1),
            needs,
            "centreline Dice: are vessels connected where they should be",
            ratio_scale=True,
            source="Shit et al. 2021",
        ),
        MetricSpec(
            "vessel_false",
            "1",
            -1,
            "",
            (0, np.inf),
            needs,
            "length of vessels found away from true ones (more than 1/128 of the side), over the "
            "true length",
            ratio_scale=True,
        ),
        MetricSpec(
            "vessel_missed",
            "1",
            -1,
            "",
            (0, 1),
            needs,
            "share of the true vessels' length with nothing found within 1/128 of the side",
            ratio_scale=True,
        ),
        MetricSpec(
            "betti0_error",
            "1",
            -1,
            "",
            (0, np.inf),
            needs,
            "difference of the numbers of connected pieces of vessel, found and true",
            ratio_scale=True,
        ),
    )


def _of_lesions(name: str, masks: Sequence[str], what: str) -> tuple[MetricSpec, ...]:
    return (
        MetricSpec(
            f"{name}_hallucination",
            "1",
            -1,
            "",
            (0, np.inf),
            _needs(*masks),
            f"{what} per image that are found but not true, from 1/22,000 of the area on",
            ratio_scale=True,
        ),
        MetricSpec(
            f"{name}_omission",
            "1",
            -1,
            "",
            (0, np.inf),
            _needs(*masks),
            f"{what} per image that are true but not found",
            ratio_scale=True,
        ),
    )
