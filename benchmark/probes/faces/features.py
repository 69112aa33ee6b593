"""Eyes, brows and mouth, drawn on the face in the head's frontal plane."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from benchmark.probes.faces.coat import Coat, bell, edge, rgb
from benchmark.probes.faces.subject import Subject
from benchmark.probes.faces.tracing import unit

_EYEBALL = 0.125
_IRIS = 0.060
_PUPIL = 0.024


def paint_eyes(coat: Coat, points: Tensor, who: Subject, *, pixel: float) -> Coat:
    """Lids, lashes, eyeballs with iris and pupil; the gaze follows the camera part of the way.

    Args:
        coat: what is there so far, ``[B, M]``.
        points: head-frame points, ``[B, 3, M]``.
        who: the people, ``B``.
        pixel: width of a pixel in head units.
    """
    t = who.trait
    x, y, z = points.unbind(1)
    side = torch.sign(x)
    u = x.abs() - t("eye_x")
    v = y - t("eye_y") - t("eye_tilt") * u
    s = (u / t("eye_width")).clamp(-1, 1)
    wide = (
        1
        - 0.30 * who.smile.clamp(min=0)
        - 0.25 * who.frown.clamp(0)
        - 0.35 * who.frown.clamp(max=0)
    )
    height = t("eye_height") * wide
    upper = 1.12 * height * (1 - s * s * (0.5 + 0.5 * s.abs()))
    lower = -0.80 * height * (1 - s * s)
    front = edge(z - 0.35, 0.1)
    under_lid = upper - v
    inside = torch.minimum(under_lid, v - lower)
    open_ = edge(inside, pixel) * front * (s.abs() < 1)
    # folds of the lids
    crease = bell(s * 1.1, (v - upper - 0.022 - 0.012 * t("lid_crease")) / 0.012)
    coat = coat.tint(0.40 * t("lid_crease") * crease * front, rgb(x, 0.55, 0.45, 0.42))
    coat = coat.tint(0.25 * bell(u / 0.15, (v + 0.09) / 0.05) * front, rgb(x, 0.72, 0.62, 0.64))
    # the ball
    look = unit(who.to_camera)
    iris_u = u - side * look[:, 0] * _EYEBALL * 0.75
    iris_v = y - t("eye_y") - look[:, 1] * _EYEBALL * 0.75 - 0.006
    radius = (iris_u**2 + iris_v**2).clamp(min=1e-9).sqrt()
    coat = coat.cover(open_, rgb(x, 0.36, 0.335, 0.32), shine=0.4, sharpness=180.0)
    ring = edge(_IRIS - radius, pixel)
    depth = (radius / _IRIS).clamp(0, 1)
    iris = who.iris[..., None] * (1.25 - 0.9 * depth[:, None] ** 4)
    coat = coat.cover(open_ * ring, iris, shine=1.0, sharpness=180.0)
    coat = coat.cover(
        open_ * edge(_PUPIL - radius, pixel),
        rgb(x, 0.008, 0.007, 0.007),
        shine=1.0,
        sharpness=180.0,
    )
    lid_shade = (1 - under_lid / 0.04).clamp(0, 1) * open_
    coat = coat.tint(0.6 * lid_shade, rgb(x, 0.42, 0.40, 0.40))
    ball = torch.stack([side * u, v, torch.full_like(u, 0.8 * _EYEBALL)], 1)
    normal = unit(torch.lerp(coat.normal, unit(ball), open_[:, None]))
    coat = replace(coat, normal=normal)
    # lashes
    thick = 0.008 + 0.014 * t("lash")
    reach = (s.abs() < 1) * front
    line = edge(0.5 * thick - (v - upper).abs(), 1.2 * pixel) * reach
    coat = coat.cover(0.92 * line, rgb(x, 0.012, 0.010, 0.010))
    line = edge(0.006 - (v - lower).abs(), 1.5 * pixel) * reach
    return coat.tint(0.6 * line, rgb(x, 0.5, 0.38, 0.36))


def paint_brows(coat: Coat, points: Tensor, strands: Tensor, who: Subject) -> Coat:
    """Eyebrows of short hairs, thinner towards the temples."""
    t = who.trait
    x, y, z = points.unbind(1)
    u = x.abs() - t("eye_x") - 0.015
    s = u / t("brow_width")
    curve = t("eye_y") + t("brow_y") + t("brow_tilt") * u - t("brow_arch") * (u - 0.05) ** 2
    curve = curve + 0.012 * t("asymmetry") * torch.sign(x)
    frown = who.frown
    curve = curve - 0.035 * frown - 0.030 * frown * (1 - s) * (s < 1)
    thick = t("brow_thickness") * (1.0 - 0.55 * s.clamp(0, 1) ** 1.5)
    inside = torch.minimum(thick - (y - curve).abs(), 0.5 * (t("brow_width") - u.abs()))
    alpha = edge(inside, 0.018) * t("brow_density") * (0.82 + 0.18 * strands).clamp(0, 1)
    return coat.cover(alpha * edge(z - 0.25, 0.1), who.beard[..., None], shine=0.02)


def paint_mouth(coat: Coat, points: Tensor, who: Subject, *, pixel: float) -> Coat:
    """Lips, the line between them or the open mouth with teeth, and nostrils."""
    t = who.trait
    x, y, z = points.unbind(1)
    front = edge(z - 0.40, 0.1)
    width = t("mouth_width") * (1 + 0.16 * who.smile - 0.12 * who.jaw)
    s = x / width
    arch = (1 - s * s).clamp(min=0)
    middle = t("mouth_y") + 0.075 * who.smile * s * s - 0.015 * who.jaw
    middle = middle + 0.010 * t("asymmetry") * s
    parted = 0.012 * who.smile.clamp(min=0) + 0.035 * who.jaw.clamp(min=0)
    high = middle + parted * arch
    low = middle - (0.018 * who.smile.clamp(min=0) + 0.15 * who.jaw.clamp(min=0)) * arch
    bow = (
        1
        - 0.35 * t("cupid") * bell(s / 0.20, 0 * s)
        + 0.1 * t("cupid") * bell((s.abs() - 0.3) / 0.2, 0 * s)
    )
    top = high + t("upper_lip") * arch.sqrt() * (0.6 + 0.4 * arch) * bow
    bottom = low - t("lower_lip") * (0.7 * arch + 0.3 * arch.sqrt())
    lips = edge(torch.minimum(top - y, y - bottom), 1.6 * pixel) * front * (arch > 0)
    hue = t("lip_colour")[:, None]
    colour = rgb(x, 0.90, 0.66, 0.64) * (1 - hue) + rgb(x, 0.80, 0.42, 0.44) * hue
    coat = coat.tint(lips, colour)
    coat = replace(
        coat,
        skin=coat.skin * (1 - lips),
        shine=coat.shine * (1 - 0.2 * lips),
    )
    seam = bell((y - middle) / 0.014, 0.85 * s**3)
    coat = coat.tint(0.75 * seam * front * (s.abs() < 1.08), rgb(x, 0.30, 0.18, 0.18))
    gap = edge(torch.minimum(high - y, y - low), pixel) * front * (arch > 0)
    gap = gap * (high - low > 0.012)
    coat = coat.cover(gap, rgb(x, 0.030, 0.010, 0.010))
    teeth = edge(y - (high - 0.055), 2 * pixel) * gap * (1 - 0.55 * s * s)
    coat = coat.cover(0.92 * teeth, rgb(x, 0.42, 0.395, 0.35), shine=0.15, sharpness=60.0)
    nostril = bell(
        (x.abs() - 0.52 * t("nose_width") - 0.012) / 0.042, (y - t("nose_y") + 0.062) / 0.024
    )
    return coat.tint(0.85 * nostril * edge(z - 0.6, 0.1), rgb(x, 0.22, 0.14, 0.13))
