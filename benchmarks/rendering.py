"""How fast faces are rendered, against the naive method on the same field, in one process.

    python benchmarks/rendering.py

The naive method is what one writes first: every pixel marched for a fixed number of steps over the
whole frame, normals by six differences, shadows at full resolution, one image per skin tone, and
the field evaluated shape by shape. It renders the same heads and paints them with the same code;
only the method differs. A second baseline marches as naively but evaluates all shapes by one matrix
product, as we do, which shows what the tracing alone is worth. All run on one thread and are timed
in processor seconds. Printed: images per second and ratios, for one, three and ten tones of a view.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from benchmark.imaging.colour import to_srgb
from benchmark.probes.faces.anatomy import SOLIDS, Anatomy, build_anatomy
from benchmark.probes.faces.hair import build_hair
from benchmark.probes.faces.identity import Traits, draw_vectors, traits_of
from benchmark.probes.faces.lighting import gloss, irradiance
from benchmark.probes.faces.paint import paint
from benchmark.probes.faces.render import shoot
from benchmark.probes.faces.subject import build_subject
from benchmark.probes.faces.surface import assemble, field, layers
from benchmark.probes.faces.tones import monk_albedo
from benchmark.probes.faces.tracing import DISTANCE, FRAME, build_camera
from benchmark.probes.faces.views import Views, probe_views
from benchmark.probes.threads import one_thread_per_operation

_DEVICE = torch.device("cpu")
_STEPS, _SHADOW_STEPS = 60, 16


Field = Callable[[Anatomy, torch.Tensor], torch.Tensor]


def field_by_shape(anatomy: Anatomy, points: torch.Tensor) -> torch.Tensor:
    """The same field, each shape computed on its own: centre, rotate, scale, measure."""
    folded = torch.stack([points[:, 0].abs(), points[:, 1], points[:, 2]], 1)
    values = []
    for shape in range(anatomy.forms.shape[1]):
        xx, yy, zz, xy, xz, yz, x, y, z, one = anatomy.forms[0, shape]
        matrix = torch.stack([xx, xy / 2, xz / 2, xy / 2, yy, yz / 2, xz / 2, yz / 2, zz])
        turned = matrix.view(3, 3) @ folded
        linear = torch.stack([x, y, z])[None, :, None]
        values.append((folded * (turned + linear)).sum(1) + one)
    count = len(SOLIDS)
    solids, relief = [], torch.zeros_like(points[:, 0])
    for radius, slope in zip(values[:count], values[count : 2 * count], strict=True):
        length = radius.clamp(min=1e-6).sqrt()
        solids.append(length * (length - 1) / slope.clamp(min=1e-4).sqrt())
    for height, bump in zip(anatomy.heights[0, 0], values[2 * count :], strict=True):
        relief = relief + height * bump.clamp(min=0) ** 4
    return assemble(anatomy, solids, relief, points[:, 1], points[:, 2]).nearest()


@torch.no_grad()
def naive(
    traits: Traits, views: Views, tone: torch.Tensor, size: int, field: Field
) -> torch.Tensor:
    """One image by full-frame marching with a fixed number of steps, ``[size, size, 3]`` uint8."""
    hair = build_hair(traits)
    anatomy, camera = build_anatomy(traits, hair, views.action), build_camera(views, _DEVICE)
    rays = camera.rays(torch.arange(size * size)[None], size)
    distance = torch.full((1, size * size), DISTANCE - 1.35)
    for _ in range(_STEPS):
        points = camera.origin + rays * distance[:, None]
        distance = distance + 0.75 * field(anatomy, points)
    points = camera.origin + rays * distance[:, None]
    found = layers(anatomy, points)
    hit = found.nearest().abs() < 0.02
    step = 1e-3
    shifts = step * torch.eye(3)[:, None, :, None]
    normal = torch.cat(
        [field(anatomy, points + shift) - field(anatomy, points - shift) for shift in shifts]
    )[None]
    normal = functional.normalize(normal, dim=1)
    who = build_subject(traits, hair, views, camera)
    light = who.light[..., None]
    along, shadow = torch.full_like(distance, 0.03), torch.ones_like(distance)
    for _ in range(_SHADOW_STEPS):
        gap = field(anatomy, points + 0.03 * normal + light * along[:, None])
        shadow = torch.minimum(shadow, (who.softness * gap / along).clamp(0, 1))
        along = along + gap.clamp(0.03, 0.2)
    openness = torch.ones_like(shadow)
    coat = paint(points, normal, found, who, pixel=FRAME / size)
    arriving = irradiance(coat.normal, who, shadow=shadow, openness=openness)
    shine = gloss(coat, rays, who, shadow=shadow, openness=openness)
    radiance = (coat.factor * tone[None, :, None] + coat.fixed) * arriving + shine[:, None]
    image = torch.where(hit[:, None], radiance, torch.full_like(radiance, 0.3))
    image = to_srgb(image.clamp(0, 1)) * 255
    return image.round().to(torch.uint8)[0].T.reshape(size, size, 3)


def seconds(work: Callable[[int], object], people: int, repeats: int) -> float:
    """Median over repeats of the processor seconds per call of ``work``."""
    work(0)
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        for person in range(people):
            work(person)
        spent.append((time.process_time() - start) / people)
    return float(np.median(spent))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    size, people = options.size, options.people
    traits = traits_of(draw_vectors("speed", people))
    views = probe_views(np.random.default_rng(0), people)
    albedo = torch.from_numpy(monk_albedo())

    def one(person: int) -> tuple[Traits, Views]:
        row = np.array([person])
        return traits.take(row), views.take(row)

    def ours(tones: int, supersample: int) -> Callable[[int], object]:
        def work(person: int) -> torch.Tensor:
            shots = shoot(*one(person), size=size, supersample=supersample, device=_DEVICE)
            return shots.develop(albedo[:tones], torch.zeros(tones, dtype=torch.long))

        return work

    def baseline(how: Field) -> Callable[[int], object]:
        return lambda person: naive(*one(person), albedo[5], size, how)

    with one_thread_per_operation():
        points = torch.rand(1, 3, 1000) * 2 - 1
        anatomy = build_anatomy(traits.take(np.array([0])), build_hair(traits.take(np.array([0]))),
                                views.action[:1])  # fmt: skip
        difference = (field(anatomy, points) - field_by_shape(anatomy, points)).abs().max()
        print(f"largest difference between the two ways to evaluate the field: {difference:.1e}")
        by_shape = seconds(baseline(field_by_shape), people, options.repeats)
        by_product = seconds(baseline(field), people, options.repeats)
        print(f"naive,                            1 ray  a pixel: {1 / by_shape:6.1f} images/s")
        print(f"naive, shapes by one product,     1 ray  a pixel: {1 / by_product:6.1f} images/s")
        for supersample in (1, 2):
            for tones in (1, 3, 10):
                spent = seconds(ours(tones, supersample), people, options.repeats) / tones
                print(
                    f"ours, {tones:2d} tones of a view,  {supersample**2:8d} rays a pixel:"
                    f" {1 / spent:6.1f} images/s, {by_shape / spent:6.1f}x the naive method,"
                    f" {by_product / spent:5.1f}x with its field by one product"
                )


if __name__ == "__main__":
    main()
