"""The curve host: published size, range, any image size, and a hand-written gradient."""

from __future__ import annotations

import pytest
import torch

from benchmark.enhancers.curve import HOST, CurveNetwork, _Curves
from benchmark.enhancers.hosts import HOSTS, TrainedHost


def test_has_the_published_number_of_parameters() -> None:
    network = HOST.factory(0)
    assert sum(p.numel() for p in network.parameters()) == HOST.parameters == 79_416
    assert HOSTS.get("curve") is HOST


def test_initial_weights_are_the_seeds_and_nobody_elses_random_state() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (HOST.factory(seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("size", [(128, 128), (300, 200), (17, 90), (1, 1), (33, 32)])
def test_any_size_stays_in_range(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    output = TrainedHost(HOST, HOST.factory(1).state_dict()).enhance(images)
    assert output.shape == images.shape
    assert output.min() >= 0
    assert output.max() <= 1


def test_curves_are_the_recurrence_and_their_gradient_is_autograds() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    maps = torch.rand(2, 24, 4, 5, generator=generator, dtype=torch.float64) * 2 - 1
    maps.requires_grad_()
    plain = images
    for step in torch.split(maps, 3, 1):
        plain = plain + step * (plain**2 - plain)
    ours = _Curves.apply(images, maps)
    torch.testing.assert_close(ours, plain)
    expected = torch.autograd.grad(plain.sin().sum(), (images, maps))
    actual = torch.autograd.grad(ours.sin().sum(), (images, maps))
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert torch.autograd.gradcheck(_Curves.apply, (images, maps))


def test_the_field_of_view_is_the_same_share_of_a_picture_at_any_size() -> None:
    """An enlarged image gets the curve of the small one, up to interpolation."""
    network = CurveNetwork(0).eval()
    with torch.no_grad():
        network.layers[-1].weight.mul_(10)
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    small, large = (
        torch.nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
        for size in (32, 256)
    )
    with torch.no_grad():
        of_small = network(small)
        of_large = torch.nn.functional.avg_pool2d(network(large), 8)
    assert (of_small - of_large).abs().mean() < 0.2 * (of_small - small).abs().mean()


def test_an_image_does_not_depend_on_its_batch() -> None:
    network = HOST.factory(2)
    images = torch.rand(4, 3, 40, 40)
    with torch.no_grad():
        whole = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(whole, alone, rtol=1e-5, atol=1e-6)
