"""Vessels without any training: the multiscale filter of Frangi et al. (1998), parameters fixed.

It has never seen an image, so it cannot share the habits of a trained segmenter, and it cannot
have learnt to prefer one pigmentation. It works on the logarithm of the green channel relative to
its surroundings: how dark a vessel is as a share of the light around it does not depend on how
bright or how pigmented the retina is, only on what the picture still shows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from benchmark.imaging.filters import filter_matrix, gaussian_taps, hessian_eigenvalues, separable
from benchmark.imaging.masks import narrowed, without_small
from benchmark.judges.base import Segmenter


@dataclass(frozen=True)
class FrangiSettings:
    """Fixed once, on 30 clean photographs of the probe's split ``calibration``, which no task uses.

    Lengths are for a short side of 256 px and grow with it.

    Attributes:
        sigmas: scales of the vessels.
        beta: how far from a line a blob may be and still respond.
        contrast: strength of the Hessian, in log units, at which the response is 39 %.
        threshold: response above which a pixel is vessel.
        surround: scale of the surroundings that a pixel is compared with.
        rim: width of the border of the field of view in which nothing is found.
        min_area: smallest component.
        black: grey value added before the logarithm, the size of read noise.
    """

    sigmas: tuple[float, ...] = (1.0, 1.5, 2.0)
    beta: float = 0.5
    contrast: float = 0.012
    threshold: float = 0.3
    surround: float = 12.0
    rim: float = 4.0
    min_area: float = 24.0
    black: float = 0.02


class FrangiSegmenter(Segmenter):
    """Dark lines on a brighter ground.

    Args:
        device: where torch runs.
        settings: nothing of a task changes them; they are part of the identity.
    """

    structures = ("vessels",)

    def __init__(
        self,
        *,
        device: str = "cpu",
        settings: FrangiSettings = FrangiSettings(),
    ) -> None:
        super().__init__(device=device)
        self.settings = settings

    def identity(self) -> dict[str, str]:
        """The version of the judge and its parameters."""
        return {"frangi": "1", **{name: repr(v) for name, v in asdict(self.settings).items()}}

    def segment(self, images: Tensor, valid: Tensor | None = None) -> Mapping[str, Tensor]:
        """See :class:`Segmenter`; NaN never arises, images of any size are accepted."""
        if valid is None:
            valid = torch.ones_like(images[:, 0], dtype=torch.bool)
        setting, scale = self.settings, min(images.shape[-2:]) / 256
        response = vesselness(
            self._contrast(images, valid, scale),
            sigmas=[sigma * scale for sigma in setting.sigmas],
            beta=setting.beta,
            contrast=setting.contrast,
        )
        found = (response[:, 0] > setting.threshold).cpu().numpy()
        rim = max(1, round(setting.rim * scale))
        # the edge of the field of view is the strongest line in the picture
        inside = narrowed(valid.cpu().numpy(), rim)
        kept = without_small(found & inside, min_area=round(setting.min_area * scale**2))
        return {"vessels": torch.from_numpy(kept).to(images.device)}

    def _contrast(self, images: Tensor, valid: Tensor, scale: float) -> Tensor:
        """Log of the green channel minus that of its surroundings, 0 outside ``valid``."""
        weight = valid[:, None].to(images.dtype)
        light = torch.log(images[:, 1:2] + self.settings.black) * weight
        taps = gaussian_taps(self.settings.surround * scale)
        rows, columns = (filter_matrix(size, taps) for size in images.shape[-2:])
        around = separable(light, rows, columns) / separable(weight, rows, columns).clamp(min=1e-6)
        return (light - around) * weight


def vesselness(gray: Tensor, *, sigmas: list[float], beta: float, contrast: float) -> Tensor:
    """Response of Frangi et al. (1998, eq. 15) to dark lines, the largest over scales.

    exp(-R^2 / 2 beta^2) (1 - exp(-S^2 / 2 c^2)) with R = l1 / l2, S^2 = l1^2 + l2^2, |l1| <= |l2|;
    0 where l2 is not positive.

    Args:
        gray: ``[B, 1, H, W]``.
        sigmas: scales in px.
        beta: sensitivity to blobs.
        contrast: c, in units of ``gray``.

    Returns:
        ``[B, 1, H, W]`` in [0, 1].
    """
    best = torch.zeros_like(gray)
    for sigma in sigmas:
        larger, smaller = hessian_eigenvalues(gray, sigma=sigma).unbind(1)
        across = torch.where(larger.abs() >= smaller.abs(), larger, smaller)
        along = torch.where(larger.abs() >= smaller.abs(), smaller, larger)
        blob = torch.exp(-((along / across) ** 2) / (2 * beta**2))
        strength = 1 - torch.exp(-(along**2 + across**2) / (2 * contrast**2))
        response = torch.where(across > 0, blob * strength, torch.zeros_like(blob))
        best = torch.maximum(best, response[:, None])
    return best
