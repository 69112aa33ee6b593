"""Materials: skin with its relief and pattern, hair, facial hair, clothing."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from benchmark.probes.faces.coat import Coat, bell, edge, rgb
from benchmark.probes.faces.features import paint_brows, paint_eyes, paint_mouth
from benchmark.probes.faces.subject import Subject
from benchmark.probes.faces.surface import Layers
from benchmark.probes.faces.textures import CHANNELS, sample
from benchmark.probes.faces.tracing import unit

_CHANNEL = {name: index for index, name in enumerate(CHANNELS)}


def paint(points: Tensor, normals: Tensor, found: Layers, who: Subject, *, pixel: float) -> Coat:
    """The coat of surface points.

    Args:
        points: head-frame points on the surface, ``[B, 3, M]``.
        normals: geometric normals, ``[B, 3, M]``.
        found: field of each material at the points.
        who: the people, ``B``.
        pixel: width of a (supersampled) pixel in head units.
    """
    coat, strands = _skin(points, normals, who)
    coat = paint_mouth(coat, points, who, pixel=pixel)
    coat = _facial_hair(coat, points, strands, who)
    coat = paint_eyes(coat, points, who, pixel=pixel)
    coat = paint_brows(coat, points, strands, who)
    coat = _hair(coat, points, normals, found, who)
    return _cloth(coat, points, found, who, pixel=pixel)


def _skin(points: Tensor, normals: Tensor, who: Subject) -> tuple[Coat, Tensor]:
    """Bare skin: mottling, freckles, flush, wrinkles; also the strand noise for hairs on it."""
    t = who.trait
    x, y, z = points.unbind(1)
    around = 0.8 * torch.atan2(x, z + 0.35)
    noise = sample(around + 2.4 * t("pattern_u"), y + 2.4 * t("pattern_v"))
    mottling = noise[_CHANNEL["mottling"]] * t("mottling")
    grain = noise[_CHANNEL["grain"]]
    cheeks = bell((x.abs() - 0.36) / 0.20, (y - t("cheekbone_y")) / 0.15)
    nose = bell(x / 0.13, (y - t("nose_y") - 0.03) / 0.12) * edge(z - 0.5, 0.2)
    flush = (t("blush") * (0.8 * cheeks + 0.6 * nose))[:, None]
    freckled = t("freckles").square() * (cheeks + nose + 0.25).clamp(max=1)
    spots = 0.42 * freckled * noise[_CHANNEL["spots"]]
    pattern = 1 + 0.035 * mottling[:, None] * rgb(x, 0.8, 1.1, 1.2) + 0.012 * grain[:, None]
    factor = pattern * (1 - flush * rgb(x, 0.0, 0.14, 0.12)) * (1 - spots[:, None])
    # wrinkles and pores tilt the normal
    worn = (t("age") - 0.35).clamp(min=0)
    lines = torch.sin(70 * (y + 0.05 * x * x) + 1.5 * mottling) * worn
    brow = bell(x / 0.42, (y - 0.42) / 0.16) * (1 - 0.4 * who.frown)
    feet = bell((x.abs() - t("eye_x") - 0.22) / 0.07, (y - t("eye_y")) / 0.08)
    crow = torch.sin(90 * (y - 0.6 * (y - t("eye_y")) * x.abs())) * worn * (0.6 + who.smile)
    tilt = 0.18 * lines * brow + 0.15 * crow * feet + 0.02 * noise[_CHANNEL["slope_v"]]
    lean = 0.02 * noise[_CHANNEL["slope_u"]]
    relief = torch.stack([lean, tilt, torch.zeros_like(x)], 1)
    normal = unit(normals + relief)
    brow_bone = bell(x / 0.35, (y - 0.45) / 0.25)
    shine = 0.185 * t("gloss") * (1 + 0.6 * nose + 0.25 * brow_bone)
    coat = Coat(
        factor=factor,
        fixed=torch.zeros_like(factor),
        normal=normal,
        shine=shine,
        sharpness=torch.full_like(x, 3.3),
        skin=torch.ones_like(x),
    )
    # short hairs on skin are finer than those on the head
    hairs = sample(2.6 * around + t("pattern_v"), 1.7 * y + t("pattern_u"))
    return coat, hairs[_CHANNEL["strands"]]


def _facial_hair(coat: Coat, points: Tensor, strands: Tensor, who: Subject) -> Coat:
    """Moustache, beard and stubble."""
    t = who.trait
    x, y, z = points.unbind(1)
    across = x.abs()
    mouth = t("mouth_y") - 0.03 * who.jaw
    moustache, beard, stubble = (who.facial[:, k : k + 1] for k in range(3))
    line = t("nose_y") - 0.085
    # it hangs down past the corners of the mouth
    hang = 0.9 * (across - 0.6 * t("mouth_width")).clamp(min=0)
    lip = edge(line - 0.15 * across - y, 0.03)
    lip = lip * edge(y - mouth - 0.25 * t("upper_lip") + hang, 0.03)
    lip = lip * edge(t("mouth_width") * 1.3 - across, 0.04)
    # from the sideburns down along the cheek and around the mouth
    cheek = -0.66 + 0.55 * (across - 0.22).clamp(min=0)
    jaw = edge(cheek - y + 0.10 * edge(across - t("mouth_width") - 0.02, 0.04), 0.05)
    jaw = jaw * edge(y + 1.17 + 0.12 * who.jaw, 0.06) * edge(z + 0.1, 0.1)
    jaw = jaw * (1 - bell(x / (t("mouth_width") * 0.9), (y - mouth) / 0.09))
    hairy = (0.80 + 0.20 * strands).clamp(0, 1)
    front = edge(z - 0.3, 0.1)
    full = torch.maximum(moustache * lip * front, beard * jaw) * hairy
    shade = stubble * torch.maximum(lip * front, jaw) * (0.20 + 0.12 * strands).clamp(0, 0.5)
    colour = who.beard[..., None] * (1 + 0.35 * strands[:, None])
    coat = coat.cover(shade, colour)
    return coat.cover(0.94 * full, colour.clamp(min=0.004), shine=0.03)


def _hair(coat: Coat, points: Tensor, normals: Tensor, found: Layers, who: Subject) -> Coat:
    """Head hair: strands that run down from the crown, with a soft hairline."""
    t = who.trait
    x, y, z = points.unbind(1)
    azimuth = torch.atan2(x, z + 0.15)
    noise = sample(
        (0.9 + 0.4 * who.curl) * azimuth + 2.4 * t("pattern_v"),
        (0.5 + 0.9 * who.curl) * y + 0.35 * x.abs() + 2.4 * t("pattern_u"),
    )
    strands, locks = noise[_CHANNEL["strands"]], noise[_CHANNEL["locks"]]
    curls = noise[_CHANNEL["grain"]] * who.curl
    # on skin the field of hair is the distance to it: the hairline thins out over that distance
    ragged = (0.012 * strands + 0.008 * locks).clamp(-0.014, 0.03)
    alpha = edge(found.skin - found.hair + 0.012 + ragged, 0.030)
    value = (1 + 0.22 * strands + 0.20 * locks + 0.15 * curls).clamp(0.25, 2.0)
    colour = who.hair[..., None] * value[:, None]
    side = unit(torch.stack([z + 0.15, torch.zeros_like(x), -x], 1))
    lean = (0.16 * strands + 0.28 * locks)[:, None] * side
    lean[:, 1] += 0.25 * curls
    normal = unit(normals + lean)
    coat = replace(coat, normal=unit(torch.lerp(coat.normal, normal, alpha[:, None])))
    return coat.cover(alpha, colour, shine=0.05 * value, sharpness=14.0)


def _cloth(coat: Coat, points: Tensor, found: Layers, who: Subject, *, pixel: float) -> Coat:
    """A crew neck, a V neck or a collar that reaches up the neck."""
    t = who.trait
    x, y, _ = points.unbind(1)
    body = edge(torch.minimum(found.skin, found.hair) - found.cloth, pixel)
    vee = (t("neckline") > 0.45) & (t("neckline") < 0.75)
    bare = edge(0.42 * (y + 1.62) - (x.abs() - 0.14), 2 * pixel) * vee
    collar = edge(-1.24 - 0.12 * x.abs() - y, 2 * pixel) * (t("neckline") >= 0.75)
    neck = edge(found.hair - found.skin, pixel) * collar
    weave = 1 + 0.04 * torch.sin(90 * x) * torch.sin(90 * y)
    alpha = torch.maximum(body * (1 - bare), neck)
    return coat.cover(alpha, who.cloth[..., None] * weave[:, None], shine=0.01)
