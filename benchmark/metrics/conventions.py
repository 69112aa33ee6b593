"""PSNR and SSIM as papers on low light print them, so that their columns can stand beside ours.

Never mixed with ``psnr`` and ``ssim``: another convention is another column.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.data.evalset import EvalSet
from benchmark.metrics.base import Column, MetricSpec, Scorer, State
from benchmark.metrics.fidelity import column, inside, to_batch, valid_pixels

_CEILING = 100.0
_WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2


class Conventions(Scorer):
    """PSNR after matching the reference's mean, and SSIM with a uniform window."""

    specs = (
        MetricSpec(
            "psnr_gtmean",
            "1",
            1,
            "dB",
            (0, _CEILING),
            frozenset({"reference"}),
            "PSNR on RGB after scaling to the reference's mean, which no method may know",
            source="as LLFlow is tested (Wang et al. 2022); here by the mean of all channels",
        ),
        MetricSpec(
            "ssim_uniform",
            "1",
            1,
            "",
            (-1, 1),
            frozenset({"reference"}),
            "structural similarity on RGB, uniform window of 7 px, as scikit-image's default",
            source="Wang et al. 2004; skimage.metrics.structural_similarity",
        ),
    )

    def identity(self) -> dict[str, str]:
        """The versions of the metrics."""
        return {"metrics": " ".join(f"{spec.name}={spec.version}" for spec in self.specs)}

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        """See :class:`Scorer`; SSIM is NaN where no window of 7 pixels fits."""
        references = to_batch(evalset.references[index], outputs)
        valid = valid_pixels(evalset, index, outputs)
        return {
            "psnr_gtmean": column(psnr_at_equal_mean(outputs, references, valid=valid)),
            "ssim_uniform": column(ssim_uniform(outputs, references, valid=valid)),
        }


def psnr_at_equal_mean(
    outputs: Tensor, references: Tensor, *, valid: Tensor | None = None
) -> Tensor:
    """PSNR in dB, at most 100, of ``outputs`` scaled to the mean of ``references`` and clipped.

    Args:
        outputs: ``[B, 3, H, W]`` in [0, 1]; a black one cannot be scaled and stays black.
        references: the same shape.
        valid: ``[B, H, W]`` bool, the pixels that count; None: all.

    Returns:
        ``[B]`` float64.
    """
    weight = torch.ones_like(outputs[:, 0]) if valid is None else valid.to(outputs.dtype)
    weight = weight.double()[:, None].expand_as(outputs)
    count = weight.sum((1, 2, 3))
    mean, wanted = (((x.double() * weight).sum((1, 2, 3)) / count) for x in (outputs, references))
    gain = torch.where(mean > 0, wanted / mean.clamp_min(1e-12), torch.ones_like(mean))
    scaled = (outputs.double() * gain[:, None, None, None]).clamp(0, 1)
    error = ((scaled - references.double()).square() * weight).sum((1, 2, 3)) / count
    return (-10 * error.clamp_min(1e-12).log10()).clamp_max(_CEILING)


def ssim_uniform(outputs: Tensor, references: Tensor, *, valid: Tensor | None = None) -> Tensor:
    """SSIM over windows of 7 x 7 with the sample covariance, the mean of the channels.

    Args:
        outputs: ``[B, 3, H, W]`` in [0, 1].
        references: the same shape.
        valid: ``[B, H, W]`` bool; windows that reach beyond it do not count. None: all do.

    Returns:
        ``[B]`` float64, NaN where no window fits.
    """
    if min(outputs.shape[-2:]) < _WINDOW:
        return torch.full((len(outputs),), torch.nan, dtype=torch.float64)
    x, y = inside(outputs, references, valid).double(), references.double()
    ux, uy, uxx, uyy, uxy = (_local_mean(image) for image in (x, y, x * x, y * y, x * y))
    sample = _WINDOW**2 / (_WINDOW**2 - 1)
    vx, vy, vxy = sample * (uxx - ux * ux), sample * (uyy - uy * uy), sample * (uxy - ux * uy)
    similar = (2 * ux * uy + _C1) * (2 * vxy + _C2)
    similar = (similar / ((ux * ux + uy * uy + _C1) * (vx + vy + _C2))).mean(1)
    if valid is None:
        return similar.mean((1, 2))
    whole = -functional.max_pool2d(-valid[:, None].double(), _WINDOW, stride=1)[:, 0]
    return (similar * whole).sum((1, 2)) / whole.sum((1, 2))  # 0 / 0 is NaN


def _local_mean(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, _WINDOW, stride=1)
