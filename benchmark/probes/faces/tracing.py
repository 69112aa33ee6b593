"""Finding the surface that each pixel sees: perspective rays, cone marching, compaction.

One cone per block of pixels is marched until the surface enters it; its children start where it
stopped, so that empty space is crossed once per block and not once per pixel. At the finest level
only rays that are not yet resolved are marched on, and rays that left the scene are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmark.probes.faces.anatomy import Anatomy
from benchmark.probes.faces.surface import Layers, field, field_and_gradient
from benchmark.probes.faces.views import Views

#: Distance of the camera from the head's origin, about 90 cm.
DISTANCE = 9.0
#: Height of the frame at the depth of the face, head units; a head is about 2.2 high.
FRAME = 2.95
_FACE_DEPTH = 0.5
_CENTRE_Y = -0.10
_FAR = DISTANCE + 1.6
_NEAR = DISTANCE - 1.6
# the field overestimates distance near steep bumps
_STEP = 0.75


@dataclass(frozen=True)
class Camera:
    """Perspective cameras looking at ``B`` heads, in the heads' frames.

    Attributes:
        rotation: head to camera, ``[B, 3, 3]``.
        shift: where the optical axis meets the plane of the face, ``[B, 2]``.
        scale: magnification, ``[B]``.
    """

    rotation: Tensor
    shift: Tensor
    scale: Tensor

    @property
    def origin(self) -> Tensor:
        """Camera centre in the head's frame, ``[B, 3]``."""
        ahead = torch.zeros_like(self.rotation[:, 0])
        ahead[:, :2] = self.shift
        ahead[:, 2] = DISTANCE
        return torch.einsum("bji,bj->bi", self.rotation, ahead)

    def to_head(self, vectors: Tensor) -> Tensor:
        """Directions ``[B, ..., 3]`` from the camera's frame to the head's."""
        return torch.einsum("bji,b...j->b...i", self.rotation, vectors)

    def rays(self, size: int) -> Tensor:
        """Unit directions through the pixel centres, row by row, ``[B, size * size, 3]``."""
        steps = (torch.arange(size, device=self.scale.device) + 0.5) / size - 0.5
        y, x = torch.meshgrid(-steps, steps, indexing="ij")
        plane = torch.stack([x, y], -1).view(1, -1, 2) * (FRAME / self.scale).view(-1, 1, 1)
        ahead = plane.new_full((*plane.shape[:2], 1), -(DISTANCE - _FACE_DEPTH))
        rays = torch.cat([plane, ahead], -1)
        return self.to_head(rays / rays.norm(dim=-1, keepdim=True))

    def project(self, points: Tensor, size: int) -> Tensor:
        """Head-frame points ``[B, P, 3]`` to pixels (x, y) of a ``size`` pixel frame."""
        seen = torch.einsum("bij,bpj->bpi", self.rotation, points)
        depth = (DISTANCE - seen[..., 2]) / (DISTANCE - _FACE_DEPTH)
        plane = (seen[..., :2] - self.shift[:, None]) / depth[..., None]
        plane = plane * (self.scale / FRAME).view(-1, 1, 1)
        return torch.stack([plane[..., 0] + 0.5, 0.5 - plane[..., 1]], -1) * size - 0.5


def build_camera(views: Views, device: torch.device) -> Camera:
    """Cameras of a batch of views."""
    yaw, pitch, roll = (views.angles[:, axis].astype(np.float64) for axis in range(3))
    turn = _axis_rotation(roll, 2) @ _axis_rotation(-pitch, 0) @ _axis_rotation(yaw, 1)
    shift = -views.framing[:, :2] + np.array([0, _CENTRE_Y], np.float32)
    return Camera(
        rotation=torch.from_numpy(turn.astype(np.float32)).to(device),
        shift=torch.from_numpy(shift.astype(np.float32)).to(device),
        scale=torch.from_numpy(views.framing[:, 2].copy()).to(device),
    )


@dataclass(frozen=True)
class Hits:
    """What the rays of ``B`` images hit, compacted: only hitting rays, padded to a common M.

    Attributes:
        index: pixel of each hit, row by row, ``[B, M]``; padding repeats valid pixels.
        valid: False for padding, ``[B, M]``.
        points: head-frame surface points, ``[B, M, 3]``.
        normals: outward unit normals, ``[B, M, 3]``.
        depth: distance along the ray, ``[B, M]``.
        layers: field of each material at the points.
    """

    index: Tensor
    valid: Tensor
    points: Tensor
    normals: Tensor
    depth: Tensor
    layers: Layers


def trace(anatomy: Anatomy, camera: Camera, size: int) -> Hits:
    """Surface points seen by the pixels of ``size`` pixel frames.

    Args:
        anatomy: ``B`` heads.
        camera: ``B`` cameras.
        size: pixels per side, a multiple of 8.
    """
    origin = camera.origin[:, None]
    start = torch.full((len(anatomy), (size // 8) ** 2), _NEAR, device=origin.device)
    for block, steps in ((8, 14), (4, 4), (2, 3)):
        start = _march_cones(anatomy, camera, start, size // block, steps)
        start = _split(start, size // block)
    rays = camera.rays(size)
    pixel = FRAME / size
    index, valid = _compact(start < _FAR)
    direction, distance = _gather(rays, index), start.gather(1, index)
    value = torch.full_like(distance, 1.0)
    for _ in range(12):
        open_ = valid & (value.abs() > 0.05 * pixel) & (distance < _FAR)
        if not bool(open_.any()):
            break
        part, used = _compact(open_)
        along = distance.gather(1, part)
        for _ in range(2):
            points = origin + along[..., None] * _gather(direction, part)
            measured = field(anatomy, points)
            along = along + _STEP * measured
        distance = _scatter(distance, part, along, used)
        value = _scatter(value, part, measured * (1 - _STEP), used)
    hit = valid & (distance < _FAR) & (value.abs() < 0.7 * pixel)
    keep, valid = _compact(hit)
    direction, distance = _gather(direction, keep), distance.gather(1, keep)
    index = index.gather(1, keep)
    points = origin + distance[..., None] * direction
    found, gradient = field_and_gradient(anatomy, points)
    # one Newton step along the ray removes what is left of the error, except at grazing incidence
    slope = (gradient * direction).sum(-1)
    correction = (-found.nearest() / slope.clamp(max=-0.2)).clamp(-pixel, pixel)
    distance = distance + correction
    return Hits(
        index=index,
        valid=valid,
        points=origin + distance[..., None] * direction,
        normals=torch.nn.functional.normalize(gradient, dim=-1),
        depth=distance,
        layers=found,
    )


def surface_depth(anatomy: Anatomy, xy: Tensor) -> Tensor:
    """Front-most z of the surface over head-frame points ``[B, P, 2]``: ``[B, P]``."""
    z = torch.full(xy.shape[:2], 1.4, device=xy.device)
    for _ in range(40):
        z = z - 0.7 * field(anatomy, torch.cat([xy, z[..., None]], -1))
    return z


def _march_cones(anatomy: Anatomy, camera: Camera, start: Tensor, size: int, steps: int) -> Tensor:
    """Distance at which the cone around each block's central ray meets the surface."""
    index, valid = _compact(start < _FAR)
    direction, distance = _gather(camera.rays(size), index), start.gather(1, index)
    origin = camera.origin[:, None]
    # half the diagonal of a block, at the depth of the face, with some margin for the field's error
    radius = 0.5 * 2**0.5 * 1.3 * FRAME / size
    for _ in range(steps):
        gap = field(anatomy, origin + distance[..., None] * direction) - radius
        distance = distance + _STEP * gap.clamp(min=0)
    return _scatter(start, index, distance, valid)


def _split(values: Tensor, size: int) -> Tensor:
    """Every block's value to its four children."""
    grid = values.view(-1, size, size)
    return grid.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)


def _compact(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of the set entries of each row, padded to a common length of at least one.

    Returns:
        ``[B, M]`` indices (padding is 0) and ``[B, M]`` flags that are False on padding.
    """
    slot = mask.cumsum(1) - 1
    counts = slot[:, -1] + 1
    length = max(int(counts.max()), 1)
    index = torch.zeros(len(mask), length, dtype=torch.long, device=mask.device)
    rows, columns = mask.nonzero(as_tuple=True)
    index[rows, slot[rows, columns]] = columns
    return index, torch.arange(length, device=mask.device) < counts[:, None]


def _gather(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _scatter(target: Tensor, index: Tensor, values: Tensor, valid: Tensor) -> Tensor:
    """``target`` with ``values`` written at ``index`` where ``valid``."""
    rows = torch.arange(len(target), device=target.device)[:, None].expand_as(index)
    result = target.clone()
    result[rows[valid], index[valid]] = values[valid]
    return result


def _axis_rotation(angle: np.ndarray, axis: int) -> np.ndarray:
    """Rotation matrices ``[B, 3, 3]`` about a coordinate axis, right-handed."""
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, first, first] = matrix[:, second, second] = cos
    matrix[:, first, second], matrix[:, second, first] = -sin, sin
    return matrix
