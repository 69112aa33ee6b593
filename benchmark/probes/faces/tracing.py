"""Finding the surface that each pixel sees: perspective rays, cone marching, compaction.

One cone per block of pixels is marched until the surface enters it; its children start where it
stopped, so that empty space is crossed once per block and not once per pixel. At the finest level
only rays that are not yet resolved are marched on, and rays that left the scene are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
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
# no silhouette lies behind this, not even that of a shoulder turned away
_FAR = DISTANCE + 0.9
_NEAR = DISTANCE - 1.35
# the field overestimates distance near steep bumps
_STEP = 0.75
# a ray is resolved when the field is below this share of a pixel: Newton's step does the rest
_TOLERANCE = 0.12
_ROUNDS = 10


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
        """Camera centre in the head's frame, ``[B, 3, 1]``."""
        ahead = torch.zeros_like(self.rotation[:, :1])
        ahead[:, 0, :2] = self.shift
        ahead[:, 0, 2] = DISTANCE
        return self.to_head(ahead.mT)

    def to_head(self, vectors: Tensor) -> Tensor:
        """Directions ``[B, 3, M]`` from the camera's frame to the head's."""
        return torch.bmm(self.rotation.mT, vectors)

    def rays(self, pixels: Tensor, size: int) -> Tensor:
        """Unit directions through the centres of pixels of a ``size`` pixel frame.

        Args:
            pixels: numbers of the pixels, row by row, ``[B, M]``.
            size: pixels per side.
        """
        extent = (FRAME / self.scale)[:, None]
        right = ((pixels % size + 0.5) / size - 0.5) * extent
        up = (0.5 - (pixels // size + 0.5) / size) * extent
        ahead = torch.full_like(right, -(DISTANCE - _FACE_DEPTH))
        length = (right * right + up * up + (DISTANCE - _FACE_DEPTH) ** 2).rsqrt()
        return self.to_head(torch.stack([right * length, up * length, ahead * length], 1))

    def project(self, points: Tensor, size: int) -> Tensor:
        """Head-frame points ``[B, 3, P]`` to pixels (x, y), ``[B, P, 2]``."""
        seen = torch.bmm(self.rotation, points)
        depth = (DISTANCE - seen[:, 2:]) / (DISTANCE - _FACE_DEPTH)
        plane = (seen[:, :2] - self.shift[..., None]) / depth
        right, up = (plane * (self.scale / FRAME).view(-1, 1, 1)).unbind(1)
        return torch.stack([right + 0.5, 0.5 - up], -1) * size - 0.5


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
        index: pixel of each hit, row by row, ``[B, M]``.
        valid: False for padding, ``[B, M]``.
        points: head-frame surface points, ``[B, 3, M]``.
        rays: unit directions from the camera, ``[B, 3, M]``.
        normals: outward unit normals, ``[B, 3, M]``.
        depth: distance along the ray, ``[B, M]``.
        layers: field of each material at the points.
    """

    index: Tensor
    valid: Tensor
    points: Tensor
    rays: Tensor
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
    origin = camera.origin
    start = torch.full((len(anatomy), (size // 8) ** 2), _NEAR, device=origin.device)
    for block, steps in ((8, 9), (4, 3), (2, 2)):
        start = _march_cones(anatomy, camera, start, size // block, steps)
        start = _split(start, size // block)
    pixel = FRAME / size
    index, valid = compact(start < _FAR)
    distance = start.gather(1, index)
    rays = camera.rays(index, size)
    distance, value = _approach(anatomy, origin, rays, distance)
    for _ in range(_ROUNDS):
        unresolved = valid & (value.abs() > _TOLERANCE * pixel) & (distance < _FAR)
        if not bool(unresolved.any()):
            break
        part, used = compact(unresolved)
        along, measured = _approach(anatomy, origin, take(rays, part), distance.gather(1, part))
        distance, value = put(distance, part, along, used), put(value, part, measured, used)
    # the few rays that creep along a silhouette to the end are taken to touch it
    keep, valid = compact(valid & (distance < _FAR))
    rays, distance, index = take(rays, keep), distance.gather(1, keep), index.gather(1, keep)
    found, gradient = field_and_gradient(anatomy, torch.addcmul(origin, rays, distance[:, None]))
    # one Newton step along the ray removes what is left of the error, except at grazing incidence
    slope = (gradient * rays).sum(1).clamp(max=-0.2)
    distance = distance - (found.nearest() / slope).clamp(-pixel, pixel)
    return Hits(
        index=index,
        valid=valid,
        points=torch.addcmul(origin, rays, distance[:, None]),
        rays=rays,
        normals=unit(gradient),
        depth=distance,
        layers=found,
    )


def _approach(
    anatomy: Anatomy, origin: Tensor, rays: Tensor, distance: Tensor
) -> tuple[Tensor, Tensor]:
    """Three steps along rays: the new distances and the field just before the last step.

    The first step is a cautious sphere step; the others are secant steps, which a ray that grazes
    the surface needs: its field shrinks much more slowly than it walks.
    """
    value = field(anatomy, torch.addcmul(origin, rays, distance[:, None]))
    step = _STEP * value
    for _ in range(2):
        distance = distance + step
        before, value = value, field(anatomy, torch.addcmul(origin, rays, distance[:, None]))
        # closing speed of the field; a ray that moves away has none and takes a longer step
        speed = (before - value) / torch.where(step.abs() < 1e-7, 1e-7, step)
        factor = torch.where(speed > 0.05, (0.98 / speed.clamp(min=0.05)).clamp(_STEP, 4.0), 1.2)
        step = factor * value
    return distance + step, value


def surface_depth(anatomy: Anatomy, xy: Tensor) -> Tensor:
    """Front-most z of the surface over head-frame points ``[B, 2, P]``: ``[B, P]``.

    The first change of sign along the line, found on a coarse grid, then on a fine one inside it.
    """
    batch, _, count = xy.shape
    high = torch.full((batch, count), 1.5, device=xy.device)
    step = 1.6 / 64
    for samples, length in ((64, step), (33, step / 32), (9, step / 256)):
        offsets = length * torch.arange(samples, device=xy.device)
        z = high[..., None] - offsets
        line = xy[..., None].expand(-1, -1, -1, samples)
        points = torch.cat([line, z[:, None]], 1).flatten(2)
        inside = field(anatomy, points).view(batch, count, samples) <= 0
        crossing = inside.to(torch.uint8).argmax(-1)
        high = high - length * (crossing - 1).clamp(min=0)
    return high


def _march_cones(anatomy: Anatomy, camera: Camera, start: Tensor, size: int, steps: int) -> Tensor:
    """Distance at which the cone around each block's central ray meets the surface."""
    index, valid = compact(start < _FAR)
    rays, distance = camera.rays(index, size), start.gather(1, index)
    origin = camera.origin
    # half the diagonal of a block, at the depth of the face, with some margin for the field's error
    radius = 0.5 * 2**0.5 * 1.3 * FRAME / size
    for _ in range(steps):
        gap = field(anatomy, torch.addcmul(origin, rays, distance[:, None])) - radius
        distance = distance + _STEP * gap.clamp(min=0)
    return put(start, index, distance, valid)


def _split(values: Tensor, size: int) -> Tensor:
    """Every block's value to its four children."""
    grid = values.view(-1, size, size)
    return grid.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)


def compact(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of the set entries of each row, padded to a common length of at least one.

    Returns:
        ``[B, M]`` indices (padding is 0) and ``[B, M]`` flags that are False on padding.
    """
    rows, columns = mask.nonzero(as_tuple=True)
    if len(mask) == 1 and len(columns):
        return columns[None], torch.ones_like(columns, dtype=torch.bool)[None]
    counts = mask.sum(1)
    length = max(int(counts.max()), 1)
    index = torch.zeros(len(mask), length, dtype=torch.long, device=mask.device)
    first = counts.cumsum(0) - counts
    index[rows, torch.arange(len(rows), device=mask.device) - first[rows]] = columns
    return index, torch.arange(length, device=mask.device) < counts[:, None]


def take(values: Tensor, index: Tensor) -> Tensor:
    """Entries of ``[B, C, M]`` at ``[B, K]``: ``[B, C, K]``."""
    return values.gather(2, index[:, None].expand(-1, values.shape[1], -1))


def put(target: Tensor, index: Tensor, values: Tensor, valid: Tensor) -> Tensor:
    """``target`` ``[B, M]`` with ``values`` ``[B, K]`` written at ``index`` where ``valid``."""
    spare = target.shape[1]
    wide = torch.cat([target, target[:, :1]], 1)
    return wide.scatter_(1, torch.where(valid, index, spare), values)[:, :spare]


def unit(vectors: Tensor) -> Tensor:
    """Vectors ``[B, 3, M]`` scaled to length one."""
    return vectors * (vectors * vectors).sum(1, keepdim=True).clamp(min=1e-12).rsqrt()


def _axis_rotation(angle: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Rotation matrices ``[B, 3, 3]`` about a coordinate axis, right-handed."""
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, first, first] = matrix[:, second, second] = cos
    matrix[:, first, second], matrix[:, second, first] = -sin, sin
    return matrix
