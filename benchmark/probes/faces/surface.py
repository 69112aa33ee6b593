"""The signed field of a head: skin, hair and clothing, and its gradient.

The field is negative inside, positive outside and close to the distance; where bumps are steep it
overestimates the distance by up to about two times, which the tracer's step factor accounts for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.probes.faces.anatomy import SOLIDS, Anatomy

_SOLID = {name: index for index, name in enumerate(SOLIDS)}


@dataclass(frozen=True)
class Layers:
    """Signed values of the three materials at points, each ``[B, M]``."""

    skin: Tensor
    hair: Tensor
    cloth: Tensor

    def nearest(self) -> Tensor:
        """Union of the materials, ``[B, M]``."""
        return torch.minimum(torch.minimum(self.skin, self.hair), self.cloth)


def layers(anatomy: Anatomy, points: Tensor) -> Layers:
    """Evaluate the field of every material.

    Args:
        anatomy: ``B`` heads.
        points: ``[B, 3, M]`` in the head's frame.
    """
    x, y, z = points.unbind(1)
    x = x.abs()
    monomials = torch.stack(
        [x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, torch.ones_like(x)], 1
    )
    values = torch.bmm(anatomy.forms, monomials)
    count = len(SOLIDS)
    slope, inside = values[:, count : 2 * count], values[:, 2 * count :]
    radius = values[:, :count].clamp(min=1e-6).sqrt()
    # first-order distance to an ellipsoid (Quilez, "ellipsoid SDF"): k0 (k0 - 1) / k1
    solids = radius * (radius - 1) * slope.clamp(min=1e-4).rsqrt()
    cranium, face, chin, neck, bridge, tip, wing, ear, torso, drape, opening, bun = solids.unbind(1)
    skull = _blend(cranium, face, 0.30)
    skin = _blend(_blend(skull, chin, 0.20), neck, 0.16)
    nose = _blend(_blend(bridge, tip, 0.14), wing, 0.07)
    skin = _blend(_blend(skin, nose, 0.09), ear, 0.05)
    bumps = inside.clamp(min=0)
    bumps = bumps * bumps
    skin = skin - torch.bmm(anatomy.heights, bumps * bumps).squeeze(1)
    start, down, back = (anatomy.cut[:, k : k + 1] for k in range(3))
    # more volume on top than at the sides
    shell = skull - anatomy.shell * (0.75 + 0.30 * y)
    short = _carve(shell, start + down * y + back * z, 0.05)
    hair = _blend(short, drape, 0.12)
    hair = torch.minimum(_carve(hair, -opening, 0.05), bun)
    return Layers(skin=skin, hair=hair, cloth=torso)


def field(anatomy: Anatomy, points: Tensor) -> Tensor:
    """Union of all materials at ``points`` ``[B, 3, M]``: ``[B, M]``."""
    return layers(anatomy, points).nearest()


def field_and_gradient(anatomy: Anatomy, points: Tensor) -> tuple[Layers, Tensor]:
    """The layers at ``points`` ``[B, 3, M]`` and the gradient of their union, ``[B, 3, M]``.

    The gradient is exact (reverse-mode differentiation), at about the price of two evaluations
    instead of the four to six of finite differences.
    """
    with torch.enable_grad():
        leaf = points.detach().requires_grad_()
        value = layers(anatomy, leaf)
        (gradient,) = torch.autograd.grad(value.nearest().sum(), leaf)
    return Layers(value.skin.detach(), value.hair.detach(), value.cloth.detach()), gradient


def _blend(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Smooth minimum: equal to the minimum where the two differ by more than ``width``."""
    overlap = (width - (a - b).abs()).clamp(min=0)
    return torch.addcmul(torch.minimum(a, b), overlap, overlap, value=-0.25 / width)


def _carve(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Smooth maximum, the intersection of two solids."""
    overlap = (width - (a - b).abs()).clamp(min=0)
    return torch.addcmul(torch.maximum(a, b), overlap, overlap, value=0.25 / width)
