"""White light on coated surfaces: a soft key light with shadows, and an occluded ambient.

The light is calibrated: a matt patch that faces the key light unshadowed reflects exactly its
albedo, whatever the share of the key.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.probes.faces.anatomy import Anatomy
from benchmark.probes.faces.coat import Coat, rgb
from benchmark.probes.faces.subject import Subject
from benchmark.probes.faces.surface import field
from benchmark.probes.faces.tracing import Hits, compact, take, unit

_SHADOW_STEPS = 8
# light from above and from below differ by this much in the ambient
_HEMISPHERE = 0.25


def irradiance(normal: Tensor, who: Subject, *, shadow: Tensor, openness: Tensor) -> Tensor:
    """White light arriving at points, per channel, ``[B, 3, M]``; 1 on a patch facing the key.

    The channels differ only in how far light bleeds past the terminator, which is what scattering
    under the skin does to red light most.

    Args:
        normal: unit normals, ``[B, 3, M]``.
        who: supplies the light, ``B``.
        shadow: 1 where the key is visible, 0 where not, ``[B, M]``.
        openness: share of the ambient that reaches the point, ``[B, M]``.
    """
    facing = (normal * who.light[..., None]).sum(1, keepdim=True)
    wrap = rgb(normal, 0.22, 0.13, 0.10)
    direct = ((facing + wrap) / (1 + wrap)).clamp(min=0)
    sky = 1 + _HEMISPHERE * (normal * who.up[..., None]).sum(1, keepdim=True)
    sky_facing = 1 + _HEMISPHERE * (who.light * who.up).sum(-1)[:, None, None]
    key = who.key_share[..., None]
    return key * direct * shadow[:, None] + (1 - key) * openness[:, None] * sky / sky_facing


def gloss(coat: Coat, rays: Tensor, who: Subject, *, shadow: Tensor, openness: Tensor) -> Tensor:
    """Specular radiance, white, ``[B, M]``.

    Args:
        coat: supplies normals, strength and exponent.
        rays: unit directions from the camera to the points, ``[B, 3, M]``.
        who: supplies the light.
        shadow: visibility of the key, ``[B, M]``.
        openness: share of the ambient that reaches the point, ``[B, M]``.
    """
    half = unit(who.light[..., None] - rays)
    lobe = (coat.normal * half).sum(1).clamp(min=1e-3) ** coat.sharpness
    grazing = (1 + (coat.normal * rays).sum(1)).clamp(0, 1)
    rim = 0.25 * (1 - who.key_share) * openness**2 * grazing**4
    return coat.shine * (who.key_share * lobe * shadow * (1 + coat.sharpness * 0.04) + rim)


def visibility(anatomy: Anatomy, hits: Hits, who: Subject, *, size: int) -> tuple[Tensor, Tensor]:
    """Soft shadow of the key and openness to the ambient at the hits, both ``[B, M]`` in [0, 1].

    Both vary slowly, so they are evaluated at every second pixel of every second row and
    interpolated among hits.
    """
    row, column = hits.index // size, hits.index % size
    pick, used = compact((row % 2 == 0) & (column % 2 == 0) & hits.valid)
    points, normals = take(hits.points, pick), take(hits.normals, pick)
    shadow, openness = _shadow(anatomy, points, normals, who), _openness(anatomy, points, normals)
    half = size // 2
    cell = ((row // 2) * half + column // 2).gather(1, pick)
    spare = half * half
    cell = torch.where(used, cell, spare)[:, None].expand(-1, 3, -1)
    values = torch.stack([shadow, openness, torch.ones_like(shadow)], 1)
    coarse = values.new_zeros(len(anatomy), 3, spare + 1).scatter_(2, cell, values)[..., :spare]
    # the sample of a cell sits on its first pixel: the next cell's is two pixels on
    fine = functional.interpolate(
        coarse.reshape(-1, 3, half, half),
        size=(2 * half - 1, 2 * half - 1),
        mode="bilinear",
        align_corners=True,
    )
    fine = functional.pad(fine, (0, 1, 0, 1), mode="replicate").flatten(2)
    found = take(fine, hits.index)
    weight = found[:, 2]
    blank = weight < 1e-3
    mean = found[:, :2] / weight.clamp(min=1e-3)[:, None]
    mean = torch.where(blank[:, None], torch.ones_like(mean), mean)
    return mean[:, 0], mean[:, 1]


def _shadow(anatomy: Anatomy, points: Tensor, normals: Tensor, who: Subject) -> Tensor:
    """Visibility of the key along shadow rays (penumbra after Quilez, "soft shadows")."""
    start = points + 0.03 * normals
    direction = who.light[..., None]
    along = torch.full_like(points[:, 0], 0.03)
    seen = torch.ones_like(along)
    for _ in range(_SHADOW_STEPS):
        gap = field(anatomy, torch.addcmul(start, direction, along[:, None]))
        seen = torch.minimum(seen, who.softness * gap / along)
        along = along + gap.clamp(0.04, 0.25)
    facing = (normals * direction).sum(1)
    seen = seen.clamp(0, 1)
    seen = seen * seen * (3 - 2 * seen)
    # at the terminator the cosine has already removed the light: do not shade it twice
    return torch.where(facing > -0.1, seen, torch.ones_like(seen))


def _openness(anatomy: Anatomy, points: Tensor, normals: Tensor) -> Tensor:
    """Ambient occlusion from how much slower than free space the field grows outwards."""
    closed = torch.zeros_like(points[:, 0])
    for reach, weight in ((0.07, 0.5), (0.25, 0.6)):
        gap = field(anatomy, points + reach * normals)
        closed = closed + weight * (1 - gap / reach).clamp(0, 1)
    return (1 - closed).clamp(0.15, 1)
