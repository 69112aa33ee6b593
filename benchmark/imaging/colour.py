"""sRGB, linear light, CIE Lab and the individual typology angle, on batches of images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_D65 = (0.95047, 1.0, 1.08883)


def to_linear(srgb: Tensor) -> Tensor:
    """sRGB-encoded values in [0, 1] to linear light in [0, 1] (IEC 61966-2-1)."""
    low = srgb / 12.92
    high = ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, low, high)


def to_srgb(linear: Tensor) -> Tensor:
    """Linear light in [0, 1] to sRGB-encoded values in [0, 1] (IEC 61966-2-1)."""
    low = linear * 12.92
    high = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, low, high)


def luminance(images: Tensor) -> Tensor:
    """Rec. 709 weighted sum of the encoded channels, ``[B, 1, H, W]``."""
    weights = images.new_tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def to_lab(images: Tensor) -> Tensor:
    """sRGB to CIE 1976 L*a*b* under D65: L* in [0, 100], a* and b* in about [-128, 128].

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
    """
    matrix = images.new_tensor(_RGB_TO_XYZ) / images.new_tensor(_D65).view(3, 1)
    xyz = torch.einsum("ij,bjhw->bihw", matrix, to_linear(images))
    delta = 6 / 29
    # the clamp keeps the gradient of the unused branch finite
    cube_root = xyz.clamp(min=delta**3) ** (1 / 3)
    f = torch.where(xyz > delta**3, cube_root, xyz / (3 * delta**2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def typology_angle(lab: Tensor, mask: Tensor) -> Tensor:
    """Individual typology angle of the mean colour inside a mask, degrees, ``[B]``.

    ITA = atan2(L* - 50, b*) x 180 / pi (Chardon et al. 1991): above 55 very light, below -30 dark.

    Args:
        lab: ``[B, 3, H, W]``.
        mask: ``[B, H, W]``, boolean; an empty mask gives NaN.
    """
    weight = mask.to(lab.dtype)
    count = weight.sum((1, 2))
    mean = (lab * weight.unsqueeze(1)).sum((2, 3)) / count.clamp(min=1).unsqueeze(1)
    angle = torch.atan2(mean[:, 0] - 50, mean[:, 2]) * (180 / math.pi)
    return torch.where(count > 0, angle, torch.full_like(angle, math.nan))
