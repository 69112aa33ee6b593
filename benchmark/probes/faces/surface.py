"""The signed field of a head: skin, hair and clothing, and its gradient.

The field is negative inside, positive outside and close to the distance; where bumps are steep it
overestimates the distance by up to about two times, which the tracer's step factor accounts for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.probes.faces.anatomy import SOLIDS, Anatomy


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
    _, y, z = points.unbind(1)
    _, _, solids, bumps = _primitives(anatomy, points)
    return assemble(anatomy, solids.unbind(1), _relief(anatomy, bumps), y, z)


def field(anatomy: Anatomy, points: Tensor) -> Tensor:
    """Union of all materials at ``points`` ``[B, 3, M]``: ``[B, M]``."""
    return layers(anatomy, points).nearest()


def field_and_gradient(anatomy: Anatomy, points: Tensor) -> tuple[Layers, Tensor]:
    """The layers at ``points`` ``[B, 3, M]`` and the gradient of their union, ``[B, 3, M]``.

    The gradient is exact: reverse-mode differentiation through the few blends, and one matrix
    product back through all quadratic forms.
    """
    x, y, z = points.unbind(1)
    radius, slope, solids, bumps = _primitives(anatomy, points)
    with torch.enable_grad():
        inputs = (*solids.unbind(1), _relief(anatomy, bumps), y, z)
        leaves = [value.detach().requires_grad_() for value in inputs]
        *parts, relief, height, depth = leaves
        found = assemble(anatomy, parts, relief, height, depth)
        pulls = torch.autograd.grad(found.nearest().sum(), leaves, materialize_grads=True)
    *of_solids, of_relief, of_y, of_z = pulls
    pull = torch.stack(of_solids, 1)
    backward = [
        pull * (1 - 0.5 / radius) * slope.rsqrt(),
        pull * solids * (-0.5 / slope),
        4 * of_relief[:, None] * anatomy.heights.mT * bumps**3,
    ]
    xx, yy, zz, xy, xz, yz, x1, y1, z1, _ = (anatomy.forms.mT @ torch.cat(backward, 1)).unbind(1)
    side, x = torch.where(x < 0, -1.0, 1.0), x.abs()
    gradient = [
        side * (2 * x * xx + y * xy + z * xz + x1),
        2 * y * yy + x * xy + z * yz + y1 + of_y,
        2 * z * zz + x * xz + y * yz + z1 + of_z,
    ]
    detached = Layers(found.skin.detach(), found.hair.detach(), found.cloth.detach())
    return detached, torch.stack(gradient, 1)


def _primitives(anatomy: Anatomy, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalised radius, squared slope and distance of the solids; bases of the bumps."""
    x, y, z = points.unbind(1)
    x = x.abs()
    monomials = torch.stack(
        [x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, torch.ones_like(x)], 1
    )
    values = torch.bmm(anatomy.forms, monomials)
    count = len(SOLIDS)
    radius = values[:, :count].clamp(min=1e-6).sqrt()
    slope = values[:, count : 2 * count].clamp(min=1e-4)
    # first-order distance to an ellipsoid (Quilez, "ellipsoid SDF"): k0 (k0 - 1) / k1
    solids = radius * (radius - 1) * slope.rsqrt()
    return radius, slope, solids, values[:, 2 * count :].clamp(min=0)


def _relief(anatomy: Anatomy, bumps: Tensor) -> Tensor:
    """Height of all bumps together, ``[B, M]``."""
    square = bumps * bumps
    return torch.bmm(anatomy.heights, square * square).squeeze(1)


def assemble(
    anatomy: Anatomy, solids: Sequence[Tensor], relief: Tensor, y: Tensor, z: Tensor
) -> Layers:
    """How the solids are put together."""
    cranium, face, chin, neck, bridge, tip, wing, ear, torso, drape, opening, bun = solids
    skull = _blend(cranium, face, 0.30)
    skin = _blend(_blend(skull, chin, 0.20), neck, 0.16)
    nose = _blend(_blend(bridge, tip, 0.14), wing, 0.07)
    skin = _blend(_blend(skin, nose, 0.09), ear, 0.05) - relief
    start, down, back = (anatomy.cut[:, k : k + 1] for k in range(3))
    # more volume on top than at the sides
    shell = skull - anatomy.shell * (0.75 + 0.30 * y)
    short = _carve(shell, start + down * y + back * z, 0.05)
    hair = _carve(_blend(short, drape, 0.12), -opening, 0.05)
    return Layers(skin=skin, hair=torch.minimum(hair, bun), cloth=torso)


def _blend(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Smooth minimum: equal to the minimum where the two differ by more than ``width``."""
    overlap = (width - (a - b).abs()).clamp(min=0)
    return torch.addcmul(torch.minimum(a, b), overlap, overlap, value=-0.25 / width)


def _carve(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Smooth maximum, the intersection of two solids."""
    overlap = (width - (a - b).abs()).clamp(min=0)
    return torch.addcmul(torch.maximum(a, b), overlap, overlap, value=0.25 / width)
