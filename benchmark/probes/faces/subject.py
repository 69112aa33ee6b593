"""The numbers that painting and lighting need about the people in a batch, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmark.probes.faces.hair import Hair
from benchmark.probes.faces.identity import Floats, Traits
from benchmark.probes.faces.tracing import Camera
from benchmark.probes.faces.views import Views

# linear reflectance, from dark brown over hazel and green to blue
_IRISES = np.array(
    [[0.020, 0.010, 0.006], [0.055, 0.026, 0.013], [0.10, 0.065, 0.025], [0.075, 0.10, 0.055],
     [0.085, 0.14, 0.20]],
    dtype=np.float32,
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """``B`` people in one view each.

    Attributes:
        traits: the people.
        smile, jaw, frown: expression, ``[B, 1]``.
        to_camera: direction from the head to the camera in the head's frame, ``[B, 3, 1]``.
        light: direction to the key light in the head's frame, ``[B, 3]``.
        up: the world's vertical in the head's frame, ``[B, 3]``.
        key_share, softness: of the light, ``[B, 1]``.
        hair, beard, iris, cloth: linear reflectances, ``[B, 3]``.
        facial: moustache, beard and stubble, ``[B, 3]``.
        curl: coarseness of the hair, ``[B, 1]``.
    """

    traits: Traits
    smile: Tensor
    jaw: Tensor
    frown: Tensor
    to_camera: Tensor
    light: Tensor
    up: Tensor
    key_share: Tensor
    softness: Tensor
    hair: Tensor
    beard: Tensor
    iris: Tensor
    cloth: Tensor
    facial: Tensor
    curl: Tensor

    def trait(self, name: str) -> Tensor:
        """A trait as a column ``[B, 1]`` that broadcasts over points."""
        values: Floats = getattr(self.traits, name)
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.light.device)[:, None]


def build_subject(traits: Traits, hair: Hair, views: Views, camera: Camera) -> Subject:
    """Collect what painting and lighting need; ``B`` entries of each."""
    device = camera.scale.device

    def column(values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)

    smile, jaw, frown = (column(views.action[:, k : k + 1]) for k in range(3))
    light = camera.to_head(column(views.light)[..., None])[..., 0]
    up = camera.to_head(column(np.repeat([[0.0, 1.0, 0.0]], len(views), 0))[..., None])[..., 0]
    return Subject(
        traits=traits,
        smile=smile,
        jaw=jaw,
        frown=frown,
        to_camera=camera.origin,
        light=light,
        up=up,
        key_share=column(views.key_share)[:, None],
        softness=column(views.softness)[:, None],
        hair=column(hair.colour),
        beard=column(hair.beard),
        iris=column(_ramp(_IRISES, traits.iris_hue)),
        cloth=column(_cloth(traits)),
        facial=column(hair.facial),
        curl=column(hair.curl)[:, None],
    )


def _ramp(colours: Floats, unit: Floats) -> Floats:
    """Colours between those given, at positions in [0, 1]."""
    position = unit * (len(colours) - 1)
    low = np.floor(position).astype(int).clip(0, len(colours) - 2)
    part = (position - low)[:, None]
    return np.asarray((1 - part) * colours[low] + part * colours[low + 1], np.float32)


def _cloth(traits: Traits) -> Floats:
    """Muted dyes: a hue circle mixed with grey."""
    phase = 2 * np.pi * (traits.cloth_hue[:, None] + np.array([0.0, 1 / 3, 2 / 3]))
    dye = 0.5 + 0.5 * np.cos(phase)
    value = 0.03 + 0.45 * traits.cloth_value[:, None] ** 1.5
    return np.asarray(value * (0.55 + 0.75 * dye), np.float32)
