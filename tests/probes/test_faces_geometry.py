"""Surface and tracing of the face probe against independent computations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.probes.faces.anatomy import SOLIDS, Anatomy, build_anatomy
from benchmark.probes.faces.hair import build_hair
from benchmark.probes.faces.identity import Traits, draw_vectors, traits_of
from benchmark.probes.faces.lighting import visibility
from benchmark.probes.faces.subject import build_subject
from benchmark.probes.faces.surface import field, field_and_gradient, layers
from benchmark.probes.faces.tracing import (
    DISTANCE,
    FRAME,
    build_camera,
    compact,
    put,
    surface_depth,
    trace,
)
from benchmark.probes.faces.views import Views, gallery_views, probe_views
from benchmark.probes.threads import one_thread_per_operation

_CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    """Small tensors are slower on many threads than on one."""
    with one_thread_per_operation(), torch.no_grad():
        yield


def _heads(count: int) -> tuple[Traits, Views, Anatomy]:
    traits = traits_of(draw_vectors("geometry", count))
    views = probe_views(np.random.default_rng(1), count)
    return traits, views, build_anatomy(traits, build_hair(traits), views.action)


def _points(count: int, each: int = 2000) -> Tensor:
    return torch.rand(count, 3, each, generator=torch.Generator().manual_seed(0)) * 2.6 - 1.3


def test_a_solid_is_an_ellipsoid_where_it_should_be() -> None:
    traits, _, anatomy = _heads(1)
    torso = torch.tensor([0, -2.06, -0.25])
    # the two ends of the torso's axes lie on its surface
    ends = torch.tensor([[1.45, 0, 0], [0, 0.74, 0], [0, 0, 0.62]]).T + torso[:, None]
    values = layers(anatomy, ends[None]).cloth
    torch.testing.assert_close(values, torch.zeros(1, 3), atol=1e-4, rtol=0)
    assert len(SOLIDS) == 12
    assert len(traits) == 1


def test_gradient_equals_automatic_differentiation() -> None:
    _, _, anatomy = _heads(5)
    points = _points(5)
    found, gradient = field_and_gradient(anatomy, points)
    with torch.enable_grad():
        leaf = points.clone().requires_grad_()
        (oracle,) = torch.autograd.grad(field(anatomy, leaf).sum(), leaf)
    error = (gradient - oracle).abs()
    assert float(error.flatten().quantile(0.999)) < 1e-4
    torch.testing.assert_close(found.nearest(), field(anatomy, points))


def test_gradient_equals_central_differences() -> None:
    _, _, anatomy = _heads(2)
    wide = Anatomy(*(getattr(anatomy, name).double() for name in Anatomy.__dataclass_fields__))
    points = _points(2, 500).double()
    _, gradient = field_and_gradient(wide, points)
    step = 1e-5
    for axis in range(3):
        shift = torch.zeros(1, 3, 1, dtype=torch.float64)
        shift[0, axis] = step
        slope = (field(wide, points + shift) - field(wide, points - shift)) / (2 * step)
        error = (slope - gradient[:, axis]).abs()
        assert float(error.flatten().quantile(0.98)) < 1e-4  # the rest straddles an edge


def test_the_field_is_symmetric() -> None:
    _, _, anatomy = _heads(2)
    points = _points(2)
    mirrored = points * torch.tensor([-1.0, 1, 1]).view(1, 3, 1)
    torch.testing.assert_close(field(anatomy, points), field(anatomy, mirrored))


def test_tracing_equals_patient_marching() -> None:
    _, views, anatomy = _heads(1)
    camera, size = build_camera(views, _CPU), 64
    rays = camera.rays(torch.arange(size * size)[None], size)
    distance = torch.full((1, size * size), DISTANCE - 1.6)
    for _ in range(500):
        step = 0.25 * field(anatomy, camera.origin + rays * distance[:, None])
        distance = (distance + step).clamp(max=DISTANCE + 3)
    truth = field(anatomy, camera.origin + rays * distance[:, None]).abs() < 1e-3
    hits = trace(anatomy, camera, size)
    found = torch.zeros_like(truth)
    found[0, hits.index[0]] = True
    # they may disagree only on the pixels along the silhouette, and not on most of those
    grid = found.view(1, 1, size, size).float()
    outline = grid - (1 - functional.max_pool2d(1 - grid, 3, 1, 1))
    wrong = (found != truth).view(1, 1, size, size)
    assert float(wrong.sum()) < 0.25 * float(outline.sum())
    assert int((wrong & (outline == 0)).sum()) <= 4
    both = truth[0, hits.index[0]]
    error = (hits.depth[0] - distance[0, hits.index[0]]).abs()[both]
    assert float(error.quantile(0.95)) < 0.25 * FRAME / size
    assert float(error.median()) < 1e-4


def test_hits_lie_on_the_surface_with_unit_normals_towards_the_camera() -> None:
    _, views, anatomy = _heads(3)
    hits = trace(anatomy, build_camera(views, _CPU), 48)
    on_surface = field(anatomy, hits.points).abs()[hits.valid]
    # all but the rays that graze a silhouette
    assert float(on_surface.quantile(0.9)) < 0.02 * FRAME / 48
    torch.testing.assert_close(
        hits.normals.norm(dim=1)[hits.valid], torch.ones(int(hits.valid.sum()))
    )
    facing = (hits.normals * hits.rays).sum(1)[hits.valid]
    assert float((facing < 0.05).float().mean()) > 0.98


def test_projection_inverts_the_rays() -> None:
    _, views, _ = _heads(4)
    camera, size = build_camera(views, _CPU), 40
    pixels = torch.arange(0, size * size, 37)[None].expand(4, -1)
    points = camera.origin + camera.rays(pixels, size) * 8.7
    expected = torch.stack([pixels % size, pixels // size], -1).float()
    torch.testing.assert_close(camera.project(points, size), expected, atol=1e-3, rtol=0)


def test_surface_depth_is_where_the_field_changes_sign() -> None:
    _, _, anatomy = _heads(3)
    xy = torch.tensor([[0.0, 0.3, -0.2], [-0.4, 0.0, -0.65]])[None].expand(3, -1, -1)
    z = surface_depth(anatomy, xy)
    for offset, sign in ((0.004, 1), (-0.004, -1)):
        value = field(anatomy, torch.cat([xy, z[:, None] + offset], 1))
        assert (value.sign() == sign).all()


def test_light_from_behind_a_wall_is_shadowed_and_hollows_are_darker() -> None:
    traits = traits_of(draw_vectors("geometry", 1))
    views = gallery_views(1, illumination=3)  # from above
    hair = build_hair(traits)
    anatomy, camera = build_anatomy(traits, hair, views.action), build_camera(views, _CPU)
    hits = trace(anatomy, camera, 96)
    who = build_subject(traits, hair, views, camera)
    shadow, openness = visibility(anatomy, hits, who, size=96)
    assert float(shadow.min()) >= 0
    assert float(shadow.max()) <= 1
    x, y, z = hits.points[0]
    under_chin = (y < -1.18) & (x.abs() < 0.15) & (z < 0.3)
    forehead = (y > 0.3) & (y < 0.45) & (x.abs() < 0.2) & (z > 0.5)
    assert float(shadow[0, under_chin].mean()) < 0.6 * float(shadow[0, forehead].mean())
    assert float(openness[0, under_chin].mean()) < float(openness[0, forehead].mean())


@pytest.mark.parametrize("rows", [1, 3])
def test_compact_and_put_are_inverse(rows: int) -> None:
    mask = torch.rand(rows, 50, generator=torch.Generator().manual_seed(rows)) < 0.3
    mask[0, 0] = False
    index, valid = compact(mask)
    values = torch.arange(rows * index.shape[1], dtype=torch.float32).view(rows, -1) + 1
    target = put(torch.zeros(rows, 50), index, values, valid)
    assert (target > 0).eq(mask).all()
    assert (target.gather(1, index)[valid] == values[valid]).all()


def test_nothing_set_compacts_to_one_padding_entry() -> None:
    index, valid = compact(torch.zeros(2, 5, dtype=torch.bool))
    assert index.shape == (2, 1)
    assert not valid.any()
