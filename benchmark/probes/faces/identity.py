"""Who a rendered person is: a vector of geometry and albedo traits that does not know skin tone.

A vector lives in the unit cube; each coordinate is a named trait with a range. Vectors are drawn
from a counter-based generator keyed by (split, index), so person 17 of ``test`` is the same one
whoever asks, and no index of one split can collide with an index of another. Lengths are in units
of about ten centimetres, in the head's frame: x to the viewer's right, y up, z towards the viewer,
the pupils at y = 0, the midline at x = 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: Intermediate results, of whatever precision the arithmetic gives.
Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Span:
    """The range of a trait."""

    low: float
    high: float


@dataclass(frozen=True)
class Traits:
    """Named traits of a batch of identities, each ``[N]`` float32 in its range."""

    # skull and soft shape
    head_width: Annotated[Floats, Span(0.68, 0.83)]
    head_height: Annotated[Floats, Span(0.76, 0.90)]
    face_width: Annotated[Floats, Span(0.50, 0.68)]
    face_length: Annotated[Floats, Span(0.60, 0.80)]
    jaw_corner: Annotated[Floats, Span(-0.02, 0.06)]
    chin_width: Annotated[Floats, Span(0.10, 0.24)]
    chin_size: Annotated[Floats, Span(0.02, 0.15)]
    chin_drop: Annotated[Floats, Span(-0.06, 0.06)]
    cheekbone: Annotated[Floats, Span(-0.01, 0.11)]
    cheekbone_y: Annotated[Floats, Span(-0.32, -0.14)]
    cheek_fill: Annotated[Floats, Span(-0.035, 0.08)]
    forehead: Annotated[Floats, Span(-0.05, 0.06)]
    neck_width: Annotated[Floats, Span(0.36, 0.54)]
    # brow and eyes
    brow_ridge: Annotated[Floats, Span(0.00, 0.08)]
    socket_depth: Annotated[Floats, Span(0.05, 0.13)]
    eye_x: Annotated[Floats, Span(0.265, 0.355)]
    eye_y: Annotated[Floats, Span(-0.05, 0.05)]
    eye_width: Annotated[Floats, Span(0.125, 0.175)]
    eye_height: Annotated[Floats, Span(0.048, 0.080)]
    eye_tilt: Annotated[Floats, Span(-0.10, 0.22)]
    lid_crease: Annotated[Floats, Span(0.0, 1.0)]
    lash: Annotated[Floats, Span(0.2, 1.0)]
    eye_bag: Annotated[Floats, Span(-0.012, 0.028)]
    iris_hue: Annotated[Floats, Span(0.0, 1.0)]
    brow_y: Annotated[Floats, Span(0.15, 0.235)]
    brow_tilt: Annotated[Floats, Span(-0.14, 0.20)]
    brow_arch: Annotated[Floats, Span(0.0, 0.9)]
    brow_width: Annotated[Floats, Span(0.14, 0.21)]
    brow_thickness: Annotated[Floats, Span(0.018, 0.052)]
    brow_density: Annotated[Floats, Span(0.45, 1.0)]
    # nose
    nose_y: Annotated[Floats, Span(-0.52, -0.34)]
    nose_length: Annotated[Floats, Span(0.08, 0.26)]
    nose_bridge: Annotated[Floats, Span(0.02, 0.16)]
    nose_bridge_width: Annotated[Floats, Span(0.055, 0.105)]
    nose_width: Annotated[Floats, Span(0.075, 0.160)]
    nose_tip: Annotated[Floats, Span(0.075, 0.125)]
    # mouth
    mouth_y: Annotated[Floats, Span(-0.76, -0.62)]
    mouth_width: Annotated[Floats, Span(0.175, 0.285)]
    upper_lip: Annotated[Floats, Span(0.03, 0.08)]
    lower_lip: Annotated[Floats, Span(0.045, 0.1)]
    cupid: Annotated[Floats, Span(0.0, 1.0)]
    lip_colour: Annotated[Floats, Span(0.0, 1.0)]
    fold: Annotated[Floats, Span(0, 0.022)]
    # ears, hair, facial hair
    ear_size: Annotated[Floats, Span(0.20, 0.30)]
    ear_out: Annotated[Floats, Span(-0.02, 0.10)]
    hair_style: Annotated[Floats, Span(0.0, 1.0)]
    hair_volume: Annotated[Floats, Span(0.7, 1.35)]
    hairline: Annotated[Floats, Span(0.60, 0.80)]
    hair_temple: Annotated[Floats, Span(0.70, 0.90)]
    hair_hue: Annotated[Floats, Span(0.0, 1.0)]
    hair_grey: Annotated[Floats, Span(0.0, 1.0)]
    facial_hair: Annotated[Floats, Span(0.0, 1.0)]
    # skin relief and pattern, tone-independent factors on the tone's albedo
    age: Annotated[Floats, Span(0.0, 1.0)]
    freckles: Annotated[Floats, Span(0.0, 1.0)]
    mottling: Annotated[Floats, Span(0.4, 1.2)]
    blush: Annotated[Floats, Span(0.0, 1.0)]
    gloss: Annotated[Floats, Span(0.6, 1.4)]
    pattern_u: Annotated[Floats, Span(0.0, 1.0)]
    pattern_v: Annotated[Floats, Span(0.0, 1.0)]
    asymmetry: Annotated[Floats, Span(-1.0, 1.0)]
    # what they wear
    cloth_hue: Annotated[Floats, Span(0.0, 1.0)]
    cloth_value: Annotated[Floats, Span(0.0, 1.0)]
    neckline: Annotated[Floats, Span(0.0, 1.0)]

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
    hints = get_type_hints(Traits, include_extras=True)
    spans: list[Span] = [hints[name].__metadata__[0] for name in TRAIT_NAMES]
    low = np.array([span.low for span in spans], dtype=np.float32)
    high = np.array([span.high for span in spans], dtype=np.float32)
    return Traits(*np.ascontiguousarray((low + (high - low) * vectors).T))
