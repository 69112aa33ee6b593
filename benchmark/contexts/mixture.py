"""What each context looks like: clean views from the probes, and how pictures of it are spoilt.

Hosts train on this mixture in equal counts a batch, and the context predictor learns from it. It
is the same for every task, so that a host is trained once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.data.degradations import LOW_LIGHT, MEDICAL, Acquisition
from benchmark.data.views import OK, PROBE, Views
from benchmark.progress import Reporter

#: Clean views of one context: (count, size, split, seed, reporter).
Source = Callable[[int, int, str, int, Reporter], Views]


@dataclass(frozen=True)
class Ingredient:
    """One context of the mixture.

    Attributes:
        source: gives clean views; twins share ``cluster`` and ``view``.
        strata: degradations, in equal numbers; twins of a view share one.
        axis: column with the group that recall is reported for, empty where there is none.
    """

    source: Source
    strata: Mapping[str, Acquisition]
    axis: str = ""


def generic_views(count: int, size: int, split: str, seed: int, reporter: Reporter) -> Views:
    """Dead leaves and crops of photographs, half each."""
    from benchmark.probes.deadleaves import dead_leaves
    from benchmark.probes.photographs import photograph_crops

    del reporter
    leaves = count // 2
    parts = [photograph_crops(count - leaves, size=size, split=split, seed=seed)]
    if leaves:
        parts.append(dead_leaves(leaves, size=size, split=split, seed=seed))
    names = [f"generic-{split}-{number:05d}" for number in range(count)]
    # views of one cluster, so that strata go round them in equal numbers
    frame = pd.DataFrame(
        {"sample": names, "cluster": "generic", "view": np.arange(count), "role": PROBE}
    )
    return Views(frame.assign(status=OK), np.concatenate(parts))


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


#: By context, in the order of ``CONTEXTS``.
MIXTURE: Mapping[str, Ingredient] = {
    "generic": Ingredient(generic_views, LOW_LIGHT),
    "medical": Ingredient(medical_views, MEDICAL, "pigmentation"),
    "face": Ingredient(face_views, LOW_LIGHT, "tone_level"),
    "lowlight": Ingredient(sign_views, LOW_LIGHT, "illuminant"),
}
