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
        points: ``[B, M, 3]`` in the head's frame.
    """
    x, y, z = points.unbind(-1)
    x = x.abs()
    monomials = torch.stack([x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, x * 0 + 1], -1)
    values = torch.bmm(monomials, anatomy.forms)
    count = len(SOLIDS)
    radius = values[..., :count].clamp(min=1e-6).sqrt()
    gradient = values[..., count : 2 * count].clamp(min=1e-4).sqrt()
    # first-order distance to an ellipsoid (Quilez, "ellipsoid SDF"): k0 (k0 - 1) / k1
    solids = radius * (radius - 1) / gradient
    cranium, face, chin, neck, bridge, tip, wing, ear, torso, shell, drape, opening, bun = (
        solids.unbind(-1)
    )
    skin = _blend(_blend(_blend(cranium, face, 0.30), chin, 0.20), neck, 0.16)
    nose = _blend(_blend(bridge, tip, 0.14), wing, 0.07)
    skin = _blend(_blend(skin, nose, 0.09), ear, 0.05)
    # (1 - q/4)^4 stands in for exp(-q): as smooth as needed, compact, and free of denormals
    bumps = (1 - 0.25 * values[..., 2 * count :]).clamp(min=0).square().square()
    skin = skin - torch.bmm(bumps, anatomy.heights.unsqueeze(-1)).squeeze(-1)
    start, down, back = (part.unsqueeze(1) for part in anatomy.cut.unbind(-1))
    short = _carve(shell, start + down * y + back * z, 0.05)
    hair = _blend(short, drape, 0.12)
    hair = torch.minimum(_carve(hair, -opening, 0.05), bun)
    return Layers(skin=skin, hair=hair, cloth=torso)


def field(anatomy: Anatomy, points: Tensor) -> Tensor:
    """Union of all materials at ``points`` ``[B, M, 3]``: ``[B, M]``."""
    return layers(anatomy, points).nearest()


def field_and_gradient(anatomy: Anatomy, points: Tensor) -> tuple[Layers, Tensor]:
    """The layers at ``points`` ``[B, M, 3]`` and the gradient of their union, ``[B, M, 3]``.

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
    return torch.minimum(a, b) - overlap * overlap * (0.25 / width)


def _carve(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Smooth maximum, the intersection of two solids."""
    return -_blend(-a, -b, width)
