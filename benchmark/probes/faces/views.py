"""How a person is seen: pose, expression, light, framing and background, drawn and categorised."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmark.probes.faces.identity import Floats, Numbers

POSES = ("frontal", "left", "right", "up", "down")
EXPRESSIONS = ("neutral", "smile", "open", "frown")
ILLUMINATIONS = ("even", "left", "right", "above", "hard")
BACKGROUNDS = ("wall", "room", "outdoors", "studio")

# degrees: mean yaw and pitch of each pose category; a view scatters around them
_POSE_CENTRES = np.array([[0, 0], [-15, 0], [15, 0], [0, 8], [0, -7]], dtype=np.float32)
_POSE_SCATTER = np.array([[5, 3], [5, 3], [5, 3], [6, 2.5], [6, 2.5]], dtype=np.float32)
# smile, jaw opening, brow lowering in [0, 1]
_EXPRESSION_CENTRES = np.array(
    [[0.05, 0.0, 0.0], [0.85, 0.12, 0.0], [0.15, 0.6, -0.3], [-0.35, 0.0, 0.42]], dtype=np.float32
)
# direction of the key light (before normalising) and its share of the light; the rest is ambient
_LIGHT_DIRECTIONS = np.array(
    [[0.0, 0.25, 1.0], [-0.85, 0.45, 0.7], [0.85, 0.45, 0.7], [0.1, 1.0, 0.65], [0.55, 0.6, 0.8]],
    dtype=np.float32,
)
_KEY_SHARE = np.array([0.45, 0.56, 0.56, 0.56, 0.72], dtype=np.float32)
_SOFTNESS = np.array([6.0, 7.0, 7.0, 7.0, 22.0], dtype=np.float32)


@dataclass(frozen=True)
class Views:
    """A batch of views; every field has the batch as its first axis.

    Attributes:
        pose, expression, illumination, background: indices into the category tuples, ``[N]``.
        angles: yaw, pitch, roll in radians, ``[N, 3]``; positive yaw looks to the viewer's right.
        action: smile, jaw opening, brow lowering, ``[N, 3]``, 0 is neutral.
        light: unit direction towards the key light in the camera's frame, ``[N, 3]``.
        key_share: share of a facing patch's light that the key gives, the rest is ambient, ``[N]``.
        softness: penumbra hardness of the key light, larger is harder, ``[N]``.
        framing: shift right, shift up (head units) and scale, ``[N, 3]``.
        pattern: three numbers in [0, 1] that choose the background's colours, ``[N, 3]``.
    """

    pose: NDArray[np.int64]
    expression: NDArray[np.int64]
    illumination: NDArray[np.int64]
    background: NDArray[np.int64]
    angles: Floats
    action: Floats
    light: Floats
    key_share: Floats
    softness: Floats
    framing: Floats
    pattern: Floats

    def __len__(self) -> int:
        return len(self.pose)

    def take(self, rows: NDArray[np.int64]) -> Views:
        """The views at ``rows``, repeats allowed."""
        return Views(*(getattr(self, item.name)[rows] for item in fields(self)))


def gallery_views(count: int, *, illumination: int = 0) -> Views:
    """``count`` reference views: frontal, neutral, plain background, by default in even light."""
    zeros = np.zeros(count, dtype=np.int64)
    return Views(
        pose=zeros,
        expression=zeros,
        illumination=zeros + illumination,
        background=zeros,
        angles=np.zeros((count, 3), np.float32),
        action=np.zeros((count, 3), np.float32),
        light=_unit(_LIGHT_DIRECTIONS[zeros + illumination]),
        key_share=_KEY_SHARE[zeros + illumination],
        softness=_SOFTNESS[zeros + illumination],
        framing=np.repeat(np.array([[0, 0, 1]], np.float32), count, 0),
        pattern=np.full((count, 3), 0.5, np.float32),
    )


def probe_views(rng: np.random.Generator, count: int) -> Views:
    """``count`` varied views of one identity; categories are balanced before they are shuffled.

    Args:
        rng: keyed by the identity, so that its views do not depend on who else is rendered.
        count: number of views.
    """
    pose, expression, illumination, background = (
        _balanced(rng, count, len(names))
        for names in (POSES, EXPRESSIONS, ILLUMINATIONS, BACKGROUNDS)
    )
    normal = rng.standard_normal((count, 8)).astype(np.float32).clip(-2, 2)
    uniform = rng.random((count, 4), dtype=np.float32)
    degrees = np.concatenate(
        [_POSE_CENTRES[pose] + _POSE_SCATTER[pose] * 0.5 * normal[:, :2], 2.0 * normal[:, 2:3]], 1
    )
    strength = 0.75 + 0.25 * uniform[:, :1]
    return Views(
        pose=pose,
        expression=expression,
        illumination=illumination,
        background=background,
        angles=np.deg2rad(degrees).astype(np.float32),
        action=_EXPRESSION_CENTRES[expression] * strength,
        light=_unit(_LIGHT_DIRECTIONS[illumination] + 0.08 * normal[:, 3:6]),
        key_share=_KEY_SHARE[illumination],
        softness=_SOFTNESS[illumination],
        framing=np.stack(
            [0.04 * normal[:, 6], 0.04 * normal[:, 7], 0.96 + 0.08 * uniform[:, 0]], 1
        ).astype(np.float32),
        pattern=uniform[:, 1:],
    )


def join(parts: list[Views]) -> Views:
    """Several batches of views as one."""
    return Views(
        *(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Views))
    )


def _balanced(rng: np.random.Generator, count: int, levels: int) -> NDArray[np.int64]:
    """Each level equally often, up to the remainder, in random order."""
    rounds = max(-(-count // levels), 1)
    return np.concatenate([rng.permutation(levels) for _ in range(rounds)])[:count].astype(np.int64)


def _unit(vectors: Numbers) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)
