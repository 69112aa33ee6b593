"""What a surface point is made of, as far as light is concerned.

Reflectance is kept as ``factor * tone + fixed``: the part of a point that is skin multiplies the
skin tone's albedo, everything else (hair, eyes, teeth, clothing) is fixed. As light adds up
linearly, a whole image is then an affine function of the tone, and a person in another tone costs
one multiplication and one addition per pixel, with geometry that is the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Coat:
    """Optical properties at ``M`` points of ``B`` images.

    Attributes:
        factor: share of the tone's albedo, ``[B, 3, M]``.
        fixed: linear reflectance that does not depend on the tone, ``[B, 3, M]``.
        normal: shading normals, unit, ``[B, 3, M]``.
        shine: strength of the specular reflection, ``[B, M]``.
        sharpness: exponent of the specular reflection, ``[B, M]``.
        skin: how much of the point is bare skin, in [0, 1], ``[B, M]``.
    """

    factor: Tensor
    fixed: Tensor
    normal: Tensor
    shine: Tensor
    sharpness: Tensor
    skin: Tensor

    def cover(
        self,
        alpha: Tensor,
        colour: Tensor,
        *,
        shine: Tensor | float = 0.0,
        sharpness: Tensor | float = 8.0,
    ) -> Coat:
        """Lay an opaque material over the coat.

        Args:
            alpha: coverage in [0, 1], ``[B, M]``.
            colour: linear reflectance, broadcastable to ``[B, 3, M]``.
            shine: specular strength of the material.
            sharpness: specular exponent of the material.
        """
        keep = 1 - alpha
        wide, rest = alpha[:, None], keep[:, None]
        return replace(
            self,
            factor=self.factor * rest,
            fixed=self.fixed * rest + wide * colour,
            shine=self.shine * keep + alpha * shine,
            sharpness=self.sharpness * keep + alpha * sharpness,
            skin=self.skin * keep,
        )

    def tint(self, alpha: Tensor, colour: Tensor) -> Coat:
        """Multiply what is there by ``colour`` where ``alpha`` is one."""
        filter_ = 1 + alpha[:, None] * (colour - 1)
        return replace(self, factor=self.factor * filter_, fixed=self.fixed * filter_)


def edge(distance: Tensor, width: Tensor | float) -> Tensor:
    """Coverage of a pixel of ``width`` by the side on which ``distance`` is positive."""
    return (distance / width + 0.5).clamp(0, 1)


def bell(x: Tensor, y: Tensor) -> Tensor:
    """exp(-(x^2 + y^2)) by its compact stand-in, in [0, 1]."""
    return (1 - 0.25 * (x * x + y * y)).clamp(min=0).square().square()


def rgb(like: Tensor, *channels: float) -> Tensor:
    """A colour ``[3, 1]`` on the device of ``like``."""
    return torch.tensor(channels, dtype=like.dtype, device=like.device)[:, None]
