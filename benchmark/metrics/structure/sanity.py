"""Does a metric behave as its name promises, on this very dataset? (specification 5.5)

Two promises are checked on clean references x, with f oriented so that more is better:

``blur_above_deformation``: f(x, blur) > f(x, deform + blur). An enhancer that only fails to sharpen
leaves structure where it was; one that moves structure must score worse.

``falls_with_lesion``: f falls as a spot that is not there in truth is painted larger, from 1 to 8
pixels at 256, and in the end by more than one grey step of noise changes it. A metric that falls
less than that gives the same answer with and without the lesion in practice, however monotone the
tiny difference is: global SSIM is expected to fail here.

Which metrics hold is a result, shown in the card of the dataset; a failure stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.data.views import OK
from benchmark.metrics.base import MetricSpec, Scorer
from benchmark.metrics.fidelity import to_batch
from benchmark.metrics.planning import make_scorer
from benchmark.metrics.structure.distort import blurred, deformed, noisy, painted, quiet_places

Check = Literal["blur_above_deformation", "falls_with_lesion"]
#: Diameters of the painted spot in pixels of a shorter side of 256.
SIZES = (0.0, 1.0, 2.0, 4.0, 8.0)
_BATCH = 12


@dataclass(frozen=True)
class SanityCheck:
    """One promise of one metric on one dataset.

    Attributes:
        metric: name.
        check: which promise.
        holds: whether it is kept.
        values: mean of the metric under each distortion; NaN never appears.
        detail: one line for people.
    """

    metric: str
    check: Check
    holds: bool
    values: dict[str, float]
    detail: str


def run_sanity(
    evalset: EvalSet, scorers: Sequence[str], *, device: str = "cpu", limit: int = 24
) -> list[dict[str, object]]:
    """Check every metric of some scorers.

    Args:
        evalset: its references are distorted; its inputs are not looked at.
        scorers: names for :func:`benchmark.metrics.make_scorer`, all available.
        device: where torch runs.
        limit: how many samples are used, spread evenly over the set.

    Returns:
        :class:`SanityCheck` as plain data, two for every metric that is defined here; metrics whose
        best value is neither end of their range, and those of a reader or recogniser, have none.
    """
    clean = _clean_part(evalset, limit)
    if clean is None:
        return []
    checks: list[SanityCheck] = []
    distortions = _distortions(clean)
    for name in scorers:
        scorer = make_scorer(name, device)
        found = _means(scorer, clean, distortions)
        for spec in scorer.specs:
            if _promises(spec) and spec.name in found:
                checks += judge(spec, found[spec.name])
    return [asdict(check) for check in checks]


def judge(spec: MetricSpec, means: dict[str, float]) -> list[SanityCheck]:
    """The two checks of one metric.

    Args:
        spec: which way is better.
        means: of the metric under ``blur``, ``deform``, ``noise`` and each ``lesion_SIZE``.
    """
    loss = {name: -spec.direction * value for name, value in means.items()}
    order = loss["deform"] - loss["blur"]
    falls = [loss[_lesion(size)] for size in SIZES]
    total, noise = falls[-1] - falls[0], abs(loss["noise"] - falls[0])
    steady = all(b >= a - 1e-9 for a, b in pairwise(falls))
    what = "worse" if total > 0 else "no worse"
    return [
        SanityCheck(
            spec.name,
            "blur_above_deformation",
            bool(order > 0),
            {name: means[name] for name in ("blur", "deform")},
            f"blur alone {means['blur']:.4g}, deformed and blurred {means['deform']:.4g}",
        ),
        SanityCheck(
            spec.name,
            "falls_with_lesion",
            bool(steady and total > noise),
            {name: means[name] for name in (*map(_lesion, SIZES), "noise")},
            f"{'steadily ' if steady and total > 0 else ''}{what} by {abs(total):.3g} with a spot "
            f"of {SIZES[-1]:g} px; a grey step of noise changes it by {noise:.3g}",
        ),
    ]


def _distortions(clean: EvalSet) -> dict[str, NDArray[np.uint8]]:
    """Distorted references by name, ``[N, H, W, 3]`` uint8 as any output."""
    names = [str(sample) for sample in clean.frame["sample"]]
    scale = min(clean.references.shape[1:3]) / 256
    places = quiet_places(clean, np.arange(len(clean)))
    make: dict[str, Callable[[Tensor], Tensor]] = {
        "blur": blurred,
        "deform": lambda images: blurred(deformed(images, names)),
        "noise": partial(noisy, names=names),
        **{_lesion(size): partial(painted, places=places, diameter=size * scale) for size in SIZES},
    }
    images = to_batch(clean.references, torch.zeros(()))
    return {
        name: (change(images) * 255)
        .round()
        .clamp(0, 255)
        .byte()
        .permute(0, 2, 3, 1)
        .contiguous()
        .numpy()
        for name, change in make.items()
    }


def _means(
    scorer: Scorer, clean: EvalSet, distortions: dict[str, NDArray[np.uint8]]
) -> dict[str, dict[str, float]]:
    """Mean of every metric under every distortion; metrics that are not defined here are left
    out, and so are samples on which one of the answers is not."""
    like = torch.zeros((), device=scorer.device)
    columns: dict[str, dict[str, NDArray[np.float64]]] = {}
    with torch.inference_mode():
        state = scorer.prepare(clean)
        for name, images in distortions.items():
            parts: dict[str, list[NDArray[np.float64]]] = {}
            for start in range(0, len(clean), _BATCH):
                rows = np.arange(start, min(start + _BATCH, len(clean)))
                batch = to_batch(images[rows], like)
                for metric, values in scorer.score(batch, rows, clean, state).items():
                    parts.setdefault(metric, []).append(values)
            for metric, values_of in parts.items():
                columns.setdefault(metric, {})[name] = np.concatenate(values_of)
    means = {}
    for metric, by_name in columns.items():
        defined = np.isfinite(np.stack(list(by_name.values()))).all(0)
        if defined.any():
            means[metric] = {name: float(v[defined].mean()) for name, v in by_name.items()}
    return means


def _clean_part(evalset: EvalSet, limit: int) -> EvalSet | None:
    """Some samples, their own references as inputs; None if there are none."""
    usable = np.flatnonzero(evalset.frame["status"] == OK)
    if not len(usable):
        return None
    rows = usable[np.unique(np.linspace(0, len(usable) - 1, limit).round().astype(int))]
    return replace(
        evalset,
        frame=evalset.frame.iloc[rows].reset_index(drop=True),
        inputs=evalset.references[rows],
        references=evalset.references[rows],
        landmarks=None if evalset.landmarks is None else evalset.landmarks[rows],
        masks={name: mask[rows] for name, mask in evalset.masks.items()},
        digest=f"{evalset.digest}/sanity",
    )


def _promises(spec: MetricSpec) -> bool:
    """Whether the metric claims to see structure or likeness at all."""
    return spec.ideal is None and not spec.needs & {"gallery", "label", "landmarks"}


def _lesion(size: float) -> str:
    return f"lesion_{size:g}"
