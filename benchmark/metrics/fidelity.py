"""How near the output is to the clean reference, by pyiqa and by our own SSIM."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.imaging.colour import to_lab, typology_angle
from benchmark.imaging.difference import ciede2000
from benchmark.imaging.ssim import ssim
from benchmark.metrics.base import Column, MetricSpec, Scorer, State


class _Paired(Scorer):
    """Scorers that compare an output with its reference and need nothing else."""

    def identity(self) -> dict[str, str]:
        """The versions of metrics and torch's arithmetic."""
        return {"metrics": " ".join(f"{spec.name}={spec.version}" for spec in self.specs)}

    @staticmethod
    def references(evalset: EvalSet, index: NDArray[np.int64], like: Tensor) -> Tensor:
        """The clean references of a batch, ``[B, 3, H, W]`` in [0, 1], on its device."""
        return to_batch(evalset.references[index], like)


class StructuralSimilarity(_Paired):
    """SSIM on RGB."""

    specs = (
        MetricSpec(
            "ssim",
            "2",
            1,
            "",
            (-1, 1),
            frozenset({"reference"}),
            "structural similarity on RGB, Gaussian window of 11 px (11 px and more)",
            source="Wang et al. 2004",
        ),
    )

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`."""
        references = self.references(evalset, index, outputs)
        valid = valid_pixels(evalset, index, outputs)
        return {"ssim": column(ssim(inside(outputs, references, valid), references, valid=valid))}


class SkinTone(_Paired):
    """Shift of the skin's individual typology angle; negative means darker than in truth."""

    specs = (
        MetricSpec(
            "ita_shift",
            "1",
            1,
            "deg",
            (-180, 180),
            frozenset({"reference", "mask:skin"}),
            "typology angle of the skin, output minus reference; positive is lighter",
            source="Chardon et al. 1991",
            ideal=0.0,
        ),
        MetricSpec(
            "ita_shift_abs",
            "1",
            -1,
            "deg",
            (0, 180),
            frozenset({"reference", "mask:skin"}),
            "how far the skin's typology angle is from that of the reference",
            ratio_scale=True,
            source="Chardon et al. 1991",
        ),
    )

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`; NaN without a mask or where it is empty."""
        if "skin" not in evalset.masks:
            unknown = np.full(len(index), np.nan)
            return {"ita_shift": unknown, "ita_shift_abs": unknown}
        mask = torch.from_numpy(evalset.masks["skin"][index]).to(outputs.device)
        valid = valid_pixels(evalset, index, outputs)
        mask = mask if valid is None else mask & valid
        now, truth = (
            column(typology_angle(to_lab(images), mask))
            for images in (outputs, self.references(evalset, index, outputs))
        )
        shift = np.remainder(now - truth + 180, 360) - 180
        return {"ita_shift": shift, "ita_shift_abs": np.abs(shift)}


class ColourDifference(_Paired):
    """Mean visible colour difference."""

    specs = (
        MetricSpec(
            "delta_e",
            "2",
            -1,
            "",
            (0, 150),
            frozenset({"reference"}),
            "mean colour difference CIEDE2000 to the reference",
            ratio_scale=True,
            source="Sharma, Wu & Dalal 2005",
        ),
    )

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`."""
        truth = to_lab(self.references(evalset, index, outputs))
        difference = ciede2000(to_lab(outputs), truth)
        valid = valid_pixels(evalset, index, outputs)
        if valid is None:
            return {"delta_e": column(difference.mean((1, 2)))}
        return {"delta_e": column((difference * valid).sum((1, 2)) / valid.sum((1, 2)))}


def to_batch(images: NDArray[np.uint8], like: Tensor) -> Tensor:
    """``[B, H, W, 3]`` uint8 as ``[B, 3, H, W]`` in [0, 1], with the device of ``like``."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(like.device)
    return pixels.permute(0, 3, 1, 2).to(like.dtype) / 255


def valid_pixels(evalset: EvalSet, index: NDArray[np.int64], like: Tensor) -> Tensor | None:
    """Where scoring makes sense, ``[B, H, W]`` bool on the device of ``like``; None: everywhere."""
    valid = evalset.masks.get("valid")
    return None if valid is None else torch.from_numpy(valid[index]).to(like.device)


def inside(images: Tensor, references: Tensor, valid: Tensor | None) -> Tensor:
    """``images`` where valid and ``references`` elsewhere, so that nothing outside can matter."""
    return images if valid is None else torch.where(valid[:, None], images, references)


def column(values: Tensor) -> Column:
    """``[B]`` float64 on the CPU."""
    result: Column = values.double().cpu().numpy()
    return result
