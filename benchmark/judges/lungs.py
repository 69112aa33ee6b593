"""Lungs in frontal chest radiographs without any training: dark on bright, one on either side.

Air lets X-rays through, so a lung is darker than the heart, the spine and the belly around it. How
much darker is measured on the logarithm of the light relative to its surroundings, which neither
exposure nor a lamp off centre changes. Everything else is anatomy in shares of the window that was
exposed: where a lung can be, how large it is at least, how smooth its outline is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label
from skimage.filters import threshold_otsu
from skimage.morphology import convex_hull_image
from torch import Tensor

from benchmark.imaging.colour import luminance
from benchmark.imaging.filters import filter_matrix, gaussian_taps
from benchmark.judges.base import Segmenter

Mask = NDArray[np.bool_]
Plane = NDArray[np.float64]


@dataclass(frozen=True)
class LungSettings:
    """Fixed by anatomy; none was fitted to masks.

    Five radiographs of the mapping ``cxr`` were looked at beforehand, and their masks once, to
    learn what is outlined there as lung: the part behind the heart, too. Hence the convex hull.

    Lengths are shares of the shorter side of the window, places and areas of the window itself.

    Attributes:
        smooth: scale at which ribs and noise vanish and lungs do not.
        surround: scale of the surroundings that a pixel is compared with, the width of a lung.
        black: grey value added before the logarithm, the size of read noise.
        min_contrast: least difference of lungs and the rest, in log units; below it nothing is.
        centre: of the two ellipses in which a lung can lie: from the middle sideways, from the top.
        reach: their half axes, sideways and downwards.
        min_area: smallest lung.
        bridge: radius of what is cut off: windpipe, gaps between ribs and arm.
    """

    smooth: float = 0.015
    surround: float = 0.25
    black: float = 0.02
    min_contrast: float = 0.03
    centre: tuple[float, float] = (0.22, 0.45)
    reach: tuple[float, float] = (0.20, 0.42)
    min_area: float = 0.02
    bridge: float = 0.02


class LungSegmenter(Segmenter):
    """The darkest large region on either side of the middle of the window.

    Args:
        device: accepted for the sake of the others; everything happens on the CPU.
        settings: nothing of a task changes them; they are part of the identity.
    """

    structures = ("lungs",)

    def __init__(self, *, device: str = "cpu", settings: LungSettings = LungSettings()) -> None:
        super().__init__(device=device)
        self.settings = settings

    def identity(self) -> dict[str, str]:
        """The version of the judge and its parameters."""
        return {"lungs": "1", **{name: repr(v) for name, v in asdict(self.settings).items()}}

    def segment(self, images: Tensor, valid: Tensor | None = None) -> Mapping[str, Tensor]:
        """See :class:`Segmenter`; image by image, so that no image depends on its batch."""
        light = luminance(images)[:, 0].double().cpu().numpy()
        inside = np.ones(light.shape, bool) if valid is None else valid.cpu().numpy()
        found = np.zeros(light.shape, bool)
        for row, (plane, window) in enumerate(zip(light, inside, strict=True)):
            if window.any():
                found[row] = _lungs(plane, window, self.settings)
        return {"lungs": torch.from_numpy(found).to(images.device)}


def _lungs(light: Plane, window: Mask, setting: LungSettings) -> Mask:
    """Both lungs in one image, ``[H, W]``; the window has at least one pixel."""
    rows, columns = (np.flatnonzero(window.any(axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    side = min(height, width)
    down = (np.arange(light.shape[0]) - top + 0.5)[:, None] / height
    across = (np.arange(light.shape[1]) - left + 0.5)[None, :] / width - 0.5
    contrast = _contrast(light, window, side, setting)
    sides = [
        window
        & (across * sign > 0)
        & (
            ((across - sign * setting.centre[0]) / setting.reach[0]) ** 2
            + ((down - setting.centre[1]) / setting.reach[1]) ** 2
            < 1
        )
        for sign in (-1, 1)
    ]
    found = np.zeros_like(window)
    thorax = contrast[sides[0] | sides[1]]
    if thorax.size < 2 or np.ptp(thorax) < setting.min_contrast:
        return found
    threshold = float(threshold_otsu(thorax))  # type: ignore[no-untyped-call]
    dark = thorax <= threshold
    if thorax[~dark].mean() - thorax[dark].mean() < setting.min_contrast:
        return found
    radius, least = setting.bridge * side, setting.min_area * window.sum()
    for half in sides:
        found |= _largest(half & (contrast <= threshold), radius=radius, least=least) & half
    return found


def _contrast(light: Plane, window: Mask, side: int, setting: LungSettings) -> Plane:
    """Log of the smoothed light minus that of its surroundings, 0 outside the window."""
    weight = window.astype(np.float64)
    log = np.log(light + setting.black) * weight
    near, far = (
        _smoothed(log, scale * side) / np.maximum(_smoothed(weight, scale * side), 1e-6)
        for scale in (setting.smooth, setting.surround)
    )
    contrast: Plane = (near - far) * weight
    return contrast


def _smoothed(plane: Plane, sigma: float) -> Plane:
    """A Gaussian with zeros beyond the border, as matrices: at this width that is far faster."""
    taps = gaussian_taps(sigma, truncate=3)
    rows, columns = (filter_matrix(size, taps, border="zero") for size in plane.shape)
    smooth: Plane = rows @ plane @ columns.T
    return smooth


def _largest(dark: Mask, *, radius: float, least: float) -> Mask:
    """The convex hull of the largest piece without thin bridges.

    Ribs and vessels cut notches into what is dark; the heart hides a part of a lung, which those
    who outline lungs include.
    """
    pieces, _ = label(_opened(dark, radius))
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    if areas.max() < max(1, least):
        return np.zeros_like(dark)
    hull: Mask = convex_hull_image(pieces == areas.argmax())  # type: ignore[no-untyped-call]
    return hull


def _opened(mask: Mask, radius: float) -> Mask:
    """Opening by a disc: all that a disc of this radius covers while it stays in the mask."""
    if radius < 1:
        return mask
    core = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > radius
    if not core.any():
        return np.zeros_like(mask)
    opened: Mask = distance_transform_edt(~core) <= radius
    return opened
