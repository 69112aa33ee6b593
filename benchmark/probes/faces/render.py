"""From people and views to images: trace once, then any skin tone for the price of a sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.imaging.colour import to_srgb
from benchmark.probes.faces.anatomy import Anatomy, build_anatomy
from benchmark.probes.faces.background import backgrounds
from benchmark.probes.faces.coat import rgb
from benchmark.probes.faces.hair import build_hair
from benchmark.probes.faces.identity import Traits
from benchmark.probes.faces.lighting import gloss, irradiance, visibility
from benchmark.probes.faces.paint import paint
from benchmark.probes.faces.subject import build_subject
from benchmark.probes.faces.tracing import FRAME, Camera, build_camera, surface_depth, trace
from benchmark.probes.faces.views import Views

# reflections are white at the surface; what scatters just below it on the way is a little warmer
_SHEEN = (1.0, 0.94, 0.88)


@dataclass(frozen=True)
class Shots:
    """Lit views of ``B`` people that do not yet have a skin tone.

    The linear image in tone a (``[3]`` albedo) is ``slope * a + base``.

    Attributes:
        slope: ``[B, 3, S, S]``.
        base: ``[B, 3, S, S]``.
        skin: share of each pixel that is visible bare skin, ``[B, S, S]``.
        landmarks: ``[B, 5, 2]`` pixels, the order of ``imaging.alignment``.
        depth: distance of the surface from the camera in head units, infinite where there is
            only background, at the supersampled resolution, ``[B, S * s, S * s]``.
    """

    slope: Tensor
    base: Tensor
    skin: Tensor
    landmarks: Tensor
    depth: Tensor

    def develop(self, albedo: Tensor, rows: Tensor | None = None) -> Tensor:
        """uint8 sRGB images ``[N, S, S, 3]`` of the shots in given tones.

        Args:
            albedo: linear skin reflectance of each image, ``[N, 3]``.
            rows: which shot each image shows, ``[N]``; by default one image per shot.
        """
        slope, base = self.slope, self.base
        if rows is not None:
            slope, base = slope[rows], base[rows]
        linear = torch.addcmul(base, slope, albedo.to(slope)[:, :, None, None])
        coded = to_srgb(linear.clamp(0, 1)) * 255
        return coded.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def shoot(
    traits: Traits, views: Views, *, size: int, supersample: int = 2, device: torch.device
) -> Shots:
    """Render a batch of people, one view each, up to the choice of skin tone.

    Args:
        traits: ``B`` people.
        views: ``B`` views.
        size: pixels per side of the images.
        supersample: rays per pixel and axis; ``size * supersample`` must be a multiple of 8.
        device: where to compute.
    """
    hair = build_hair(traits)
    anatomy = build_anatomy(traits, hair, views.action).to(device)
    camera = build_camera(views, device)
    fine = size * supersample
    pixel = FRAME / fine
    hits = trace(anatomy, camera, fine)
    who = build_subject(traits, hair, views, camera)
    coat = paint(hits.points, hits.normals, hits.layers, who, pixel=pixel)
    shadow, openness = visibility(anatomy, hits, who, size=fine)
    light = irradiance(coat.normal, who, shadow=shadow, openness=openness)
    shine = gloss(coat, hits.rays, who, shadow=shadow, openness=openness)
    radiance = torch.cat(
        [
            coat.factor * light,
            coat.fixed * light + shine[:, None] * rgb(shine, *_SHEEN),
            coat.skin[:, None],
            torch.ones_like(shine)[:, None],
        ],
        1,
    )
    count, channels, _ = radiance.shape
    # padding goes to a spare pixel
    place = torch.where(hits.valid, hits.index, fine * fine)
    image = radiance.new_zeros(count, channels, fine * fine + 1)
    image.scatter_(2, place[:, None].expand(-1, channels, -1), radiance)
    image = image[..., :-1].reshape(count, channels, fine, fine)
    image = functional.avg_pool2d(image, supersample)
    depth = radiance.new_full((count, fine * fine + 1), torch.inf)
    depth = depth.scatter_(1, place, hits.depth)[:, :-1]
    behind = backgrounds(views, size, device) * (1 - image[:, 7:8])
    return Shots(
        slope=image[:, :3].contiguous(),
        base=image[:, 3:6] + behind,
        skin=image[:, 6],
        landmarks=_landmarks(anatomy, camera, size),
        depth=depth.view(count, fine, fine),
    )


def _landmarks(anatomy: Anatomy, camera: Camera, size: int) -> Tensor:
    """Projections of the anchors on the surface, ``[B, 5, 2]``."""
    eye, nose, mouth = anatomy.anchors.unbind(1)
    mirror = eye.new_tensor([-1.0, 1.0])
    xy = torch.stack([eye * mirror, eye, nose, mouth * mirror, mouth], 2)
    depth = surface_depth(anatomy, xy)
    return camera.project(torch.cat([xy, depth[:, None]], 1), size)
