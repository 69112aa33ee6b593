"""Who a rendered person is: a vector of geometry and albedo traits that does not know skin tone.

A vector lives in the unit cube; each coordinate is a named trait with a range. Vectors are drawn
from a counter-based generator keyed by (split, index), so person 17 of ``test`` is the same one
whoever asks, and no index of one split can collide with an index of another. Lengths are in units
of about ten centimetres, in the head's frame: x to the viewer's right, y up, z towards the viewer,
the pupils at y = 0, the midline at x = 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def _trait(low: float, high: float) -> Any:
    return field(metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Traits:
    """Named traits of a batch of identities, each ``[N]`` float32 in its range."""

    # skull and soft shape
    head_width: Floats = _trait(0.68, 0.83)
    head_height: Floats = _trait(0.76, 0.90)
    face_width: Floats = _trait(0.50, 0.68)
    face_length: Floats = _trait(0.60, 0.80)
    jaw_corner: Floats = _trait(-0.03, 0.11)
    chin_width: Floats = _trait(0.10, 0.24)
    chin_size: Floats = _trait(0.02, 0.15)
    chin_drop: Floats = _trait(-0.06, 0.06)
    cheekbone: Floats = _trait(-0.01, 0.11)
    cheekbone_y: Floats = _trait(-0.32, -0.14)
    cheek_fill: Floats = _trait(-0.08, 0.09)
    forehead: Floats = _trait(-0.05, 0.06)
    neck_width: Floats = _trait(0.36, 0.54)
    # brow and eyes
    brow_ridge: Floats = _trait(0.00, 0.08)
    socket_depth: Floats = _trait(0.05, 0.13)
    eye_x: Floats = _trait(0.265, 0.355)
    eye_y: Floats = _trait(-0.05, 0.05)
    eye_width: Floats = _trait(0.125, 0.175)
    eye_height: Floats = _trait(0.042, 0.078)
    eye_tilt: Floats = _trait(-0.10, 0.22)
    lid_crease: Floats = _trait(0.0, 1.0)
    lash: Floats = _trait(0.2, 1.0)
    eye_bag: Floats = _trait(-0.012, 0.028)
    iris_hue: Floats = _trait(0.0, 1.0)
    brow_y: Floats = _trait(0.15, 0.26)
    brow_tilt: Floats = _trait(-0.14, 0.20)
    brow_arch: Floats = _trait(0.0, 0.9)
    brow_width: Floats = _trait(0.14, 0.21)
    brow_thickness: Floats = _trait(0.018, 0.052)
    brow_density: Floats = _trait(0.45, 1.0)
    # nose
    nose_y: Floats = _trait(-0.52, -0.34)
    nose_length: Floats = _trait(0.08, 0.26)
    nose_bridge: Floats = _trait(0.02, 0.16)
    nose_bridge_width: Floats = _trait(0.055, 0.105)
    nose_width: Floats = _trait(0.075, 0.170)
    nose_tip: Floats = _trait(0.075, 0.125)
    # mouth
    mouth_y: Floats = _trait(-0.76, -0.62)
    mouth_width: Floats = _trait(0.19, 0.315)
    upper_lip: Floats = _trait(0.022, 0.072)
    lower_lip: Floats = _trait(0.038, 0.095)
    cupid: Floats = _trait(0.0, 1.0)
    lip_colour: Floats = _trait(0.0, 1.0)
    fold: Floats = _trait(0.0, 0.030)
    # ears, hair, facial hair
    ear_size: Floats = _trait(0.20, 0.30)
    ear_out: Floats = _trait(-0.02, 0.10)
    hair_style: Floats = _trait(0.0, 1.0)
    hair_volume: Floats = _trait(0.7, 1.35)
    hairline: Floats = _trait(0.50, 0.74)
    hair_temple: Floats = _trait(0.70, 0.90)
    hair_hue: Floats = _trait(0.0, 1.0)
    hair_grey: Floats = _trait(0.0, 1.0)
    facial_hair: Floats = _trait(0.0, 1.0)
    # skin relief and pattern, tone-independent factors on the tone's albedo
    age: Floats = _trait(0.0, 1.0)
    freckles: Floats = _trait(0.0, 1.0)
    mottling: Floats = _trait(0.4, 1.2)
    blush: Floats = _trait(0.0, 1.0)
    gloss: Floats = _trait(0.6, 1.4)
    pattern_u: Floats = _trait(0.0, 1.0)
    pattern_v: Floats = _trait(0.0, 1.0)
    asymmetry: Floats = _trait(-1.0, 1.0)
    # what they wear
    cloth_hue: Floats = _trait(0.0, 1.0)
    cloth_value: Floats = _trait(0.0, 1.0)
    neckline: Floats = _trait(0.0, 1.0)

    def __len__(self) -> int:
        return len(self.head_width)

    def take(self, rows: NDArray[np.int64]) -> Traits:
        """The traits of the identities at ``rows``, repeats allowed."""
        return Traits(*(getattr(self, item.name)[rows] for item in fields(self)))


#: Names of the coordinates of an identity vector, in order.
TRAIT_NAMES = tuple(item.name for item in fields(Traits))


def split_key(split: str, seed: int) -> int:
    """64-bit key of a split's random streams."""
    digest = hashlib.sha256(f"equilux/faces/{seed}/{split}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def draw_vectors(split: str, count: int, *, seed: int = 0, first: int = 0) -> Floats:
    """Identity vectors ``[count, P]`` in the unit cube.

    Row i depends on (seed, split, first + i) alone.
    """
    key = split_key(split, seed)
    rows = [
        np.random.Generator(np.random.Philox(key=[key, index])).random(len(TRAIT_NAMES))
        for index in range(first, first + count)
    ]
    return np.array(rows, dtype=np.float32).reshape(count, len(TRAIT_NAMES))


def traits_of(vectors: Floats) -> Traits:
    """Unit-cube vectors ``[N, P]`` scaled to the traits' ranges."""
    low = np.array([item.metadata["low"] for item in fields(Traits)], dtype=np.float32)
    high = np.array([item.metadata["high"] for item in fields(Traits)], dtype=np.float32)
    return Traits(*(low + (high - low) * vectors).T)
