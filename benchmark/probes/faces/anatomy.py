"""From traits and an expression to the solid primitives of a head.

A head is a handful of ellipsoids, blended smoothly, under a few dozen Gaussian bumps and hollows
that displace the skin: brow ridge, sockets, cheekbones, folds, lips, chin. Both kinds are functions
of a quadratic form in (|x|, y, z), so all of them are evaluated at once by one matrix product of
the monomials with a table of coefficients (:class:`Anatomy`); see ``surface.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.probes.faces.hair import Hair, hair_solids
from benchmark.probes.faces.identity import Floats, Numbers, Traits

#: Order of the ellipsoids along the primitive axis.
SOLIDS = (
    "cranium",
    "face",
    "chin",
    "neck",
    "bridge",
    "tip",
    "wing",
    "ear",
    "torso",
    "hair_drape",
    "hair_opening",
    "hair_bun",
)

#: Monomials of a point that the quadratic forms are written in.
MONOMIALS = ("xx", "yy", "zz", "xy", "xz", "yz", "x", "y", "z", "1")

Primitive = tuple[Numbers | float, ...]


@dataclass(frozen=True)
class Anatomy:
    """Primitives of ``B`` heads in one expression each.

    Attributes:
        forms: quadratic forms, ``[B, 2 S + G, 10]``: for S solids first the squared normalised
            radius q, then the squared norm of half its gradient; then 1 - q/4 of G bumps, whose
            fourth power where positive is the bump.
        heights: heights of the bumps, ``[B, 1, G]``.
        shell: thickness of the hair over the skull, ``[B, 1]``.
        cut: plane under which short hair ends, ``(a, b, c)`` of a + b y + c z, ``[B, 3]``.
        anchors: (x, y) of the right eye, the tip of the nose and the right corner of the mouth
            in the head's frame, ``[B, 3, 2]``; the left ones are their mirror images.
    """

    forms: Tensor
    heights: Tensor
    shell: Tensor
    cut: Tensor
    anchors: Tensor

    def __len__(self) -> int:
        return len(self.forms)

    def to(self, device: torch.device) -> Anatomy:
        """The same primitives on another device."""
        return Anatomy(*(getattr(self, item.name).to(device) for item in fields(self)))

    def take(self, rows: slice) -> Anatomy:
        """A part of the batch."""
        return Anatomy(*(getattr(self, item.name)[rows] for item in fields(self)))


def build_anatomy(traits: Traits, hair: Hair, action: Floats) -> Anatomy:
    """Primitives of a batch of heads.

    Args:
        traits: ``B`` identities, one per image.
        hair: their hair, ``B``.
        action: smile, jaw opening and brow lowering, ``[B, 3]``.
    """
    count = len(traits)
    solids = {**_head_solids(traits, action), **hair_solids(traits, hair)}
    radius, gradient = _forms(_table([solids[name] for name in SOLIDS], count))
    bumps = _table(_bumps(traits, action), count)
    # (1 - q/4)^4 stands in for exp(-q): as smooth as needed, compact, and free of denormals
    inside = -0.25 * _forms(bumps)[0]
    inside[..., -1] += 1
    smile, opening = action[:, 0], action[:, 1]
    mouth_x = (traits.mouth_width * (1 + 0.16 * smile - 0.12 * opening)) * 0.96
    mouth_y = traits.mouth_y + 0.045 * smile - 0.02 * opening
    anchors = np.stack(
        [traits.eye_x, traits.eye_y, 0 * smile, traits.nose_y + 0.01, mouth_x, mouth_y], 1
    )
    return Anatomy(
        forms=torch.from_numpy(np.concatenate([radius, gradient, inside], 1)),
        heights=torch.from_numpy(np.ascontiguousarray(bumps[:, None, :, 7])),
        shell=torch.from_numpy(hair.shell[:, None]),
        cut=torch.from_numpy(hair.cut),
        anchors=torch.from_numpy(anchors.reshape(count, 3, 2).astype(np.float32)),
    )


def _head_solids(t: Traits, action: Floats) -> dict[str, Primitive]:
    """Centre x, y, z, radii x, y, z and rotation in the x-y plane of each solid."""
    jaw = action[:, 1]
    bridge_y = (t.nose_y + t.eye_y) / 2 + 0.02
    face_y = -0.42 - 0.035 * jaw
    chin_y = -0.42 - t.face_length * 0.86 + t.chin_drop - 0.13 * jaw
    return {
        "cranium": (0, 0.30, -0.12, t.head_width, t.head_height, 0.94, 0),
        "face": (0, face_y, 0.17, t.face_width, t.face_length + 0.05 * jaw, 0.60, 0),
        "chin": (0, chin_y, 0.50, t.chin_width, 0.12, 0.14, 0),
        "neck": (0, -1.45, -0.22, t.neck_width, 1.2, t.neck_width * 0.98, 0),
        "bridge": (0, bridge_y, 0.70, t.nose_bridge_width, 0.30, 0.09 + t.nose_bridge, 0),
        "tip": (0, t.nose_y + 0.02, 0.76 + t.nose_length * 0.55, t.nose_tip, 0.085, 0.14, 0),
        "wing": (t.nose_width * 0.78, t.nose_y - 0.015, 0.76, 0.062, 0.062, 0.11, 0),
        "ear": (t.head_width + t.ear_out * 0.6, -0.10, -0.06, 0.075, t.ear_size, 0.15, 0.15),
        "torso": (0, -2.06, -0.25, 1.45, 0.74, 0.62, 0),
    }


def _bumps(t: Traits, action: Floats) -> list[Primitive]:
    """Centre, radii, rotation and height of each Gaussian displacement of the skin."""
    smile, jaw, frown = action.T
    eye_x, eye_y, nose_y = t.eye_x, t.eye_y, t.nose_y
    mouth_y = t.mouth_y - 0.03 * jaw
    width = t.mouth_width * (1 + 0.16 * smile - 0.12 * jaw)
    drop = 0.11 * jaw.clip(0)
    brow_y = eye_y + t.brow_y - 0.03 - 0.04 * frown
    lift = 0.05 * smile.clip(0)
    return [
        (eye_x, brow_y, 0.75, 0.22, 0.075, 0.30, t.brow_tilt, t.brow_ridge + 0.015 * frown),
        (eye_x + 0.01, eye_y, 0.78, 0.185, 0.12, 0.35, 0, -t.socket_depth),
        (eye_x - 0.14, eye_y - 0.02, 0.80, 0.06, 0.10, 0.30, 0, -0.35 * t.socket_depth),
        (eye_x, eye_y + 0.005, 0.72, 0.125, 0.085, 0.30, 0, 0.060),
        (eye_x, eye_y - 0.13, 0.74, 0.13, 0.040, 0.30, 0, t.eye_bag + 0.02 * smile),
        (0.05, brow_y, 0.82, 0.025, 0.07, 0.30, 0, -0.022 * frown.clip(0)),
        (0, eye_y + 0.18, 0.80, 0.12, 0.12, 0.30, 0, 0.4 * t.brow_ridge),
        (0, 0.52, 0.70, 0.40, 0.18, 0.40, 0, t.forehead),
        (0.62, 0.20, 0.42, 0.14, 0.22, 0.30, 0, -0.035),
        (0.43, t.cheekbone_y + lift, 0.50, 0.19, 0.13, 0.32, 0.3, t.cheekbone + 0.5 * lift),
        (0.30, t.cheekbone_y - 0.08 + lift, 0.62, 0.13, 0.12, 0.30, 0, 0.02 + 0.8 * lift),
        (0.43, -0.58, 0.40, 0.17, 0.20, 0.35, 0, t.cheek_fill),
        (0.50, -0.76, 0.08, 0.16, 0.20, 0.35, 0, t.jaw_corner),
        (0, t.chin_drop - 1.0 - drop, 0.62, 0.15, 0.13, 0.30, 0, t.chin_size),
        (0.255, (nose_y + mouth_y) / 2, 0.68, 0.045, 0.14, 0.25, -0.55, -t.fold - 0.020 * smile),
        (0, mouth_y, 0.74, 0.26, 0.16, 0.30, 0, 0.045),
        (0, nose_y - 0.095, 0.84, 0.028, 0.055, 0.25, 0, -0.020),
        (0.075, nose_y - 0.055, 0.86, 0.035, 0.020, 0.12, 0.3, -0.045),
        (0.05, mouth_y + 0.5 * t.upper_lip, 0.80, width * 0.55, t.upper_lip * 0.75, 0.3, 0, 0.026),
        (0, mouth_y - 0.5 * t.lower_lip - drop, 0.80, width * 0.6, t.lower_lip * 0.7, 0.3, 0, 0.04),
        (0, mouth_y - 0.5 * drop, 0.80, width, 0.012 + 0.45 * drop, 0.3, 0, -0.022 - 0.5 * drop),
        (width, mouth_y + 0.04 * smile, 0.68, 0.035, 0.040, 0.25, 0, -0.018 - 0.010 * smile),
        (0, mouth_y - t.lower_lip - 0.085 - drop, 0.75, 0.15, 0.035, 0.3, 0, -0.028),
        (t.head_width + 0.05, -0.08, 0.08, 0.06, t.ear_size * 0.55, 0.07, 0.1, -0.05),
        (0.13, -1.24, 0.22, 0.05, 0.30, 0.20, -0.5, 0.020),
    ]


def _table(rows: list[Primitive], count: int) -> Floats:
    """Stack primitives to ``[B, K, 7 or 8]``."""
    full = [
        np.stack([np.broadcast_to(np.float32(value), (count,)) for value in row], -1)
        for row in rows
    ]
    return np.stack(full, 1).astype(np.float32)


def _forms(table: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coefficients over :data:`MONOMIALS` of q(p) = |D R (p - c)|^2 and of |grad q / 2|^2.

    D scales by the inverse radii and R turns in the x-y plane. Computed in float64: narrow bumps
    far from the origin cancel several digits. Returns two arrays ``[B, K, 10]``.
    """
    wide = table.astype(np.float64)
    centre, radius, angle = wide[..., :3], wide[..., 3:6], wide[..., 6]
    cos, sin, zero, one = np.cos(angle), np.sin(angle), 0 * angle, 0 * angle + 1
    turn = np.stack([cos, sin, zero, -sin, cos, zero, zero, zero, one], -1)
    turn = turn.reshape(*angle.shape, 3, 3)
    matrix = np.einsum("...ki,...k,...kj->...ij", turn, radius**-2, turn)
    return _expand(matrix, centre), _expand(matrix @ matrix, centre)


def _expand(matrix: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float32]:
    """(p - c)^T M (p - c) written out in monomials, ``[B, K, 10]``."""
    linear = -2 * np.einsum("...ij,...j->...i", matrix, centre)
    constant = np.einsum("...i,...ij,...j->...", centre, matrix, centre)
    columns = [
        matrix[..., 0, 0],
        matrix[..., 1, 1],
        matrix[..., 2, 2],
        2 * matrix[..., 0, 1],
        2 * matrix[..., 0, 2],
        2 * matrix[..., 1, 2],
        linear[..., 0],
        linear[..., 1],
        linear[..., 2],
        constant,
    ]
    return np.stack(columns, 2).astype(np.float32)
