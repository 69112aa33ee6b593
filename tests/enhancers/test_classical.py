"""Systems that learn nothing, against scikit-image and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import exposure

from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.base import Enhancer
from benchmark.enhancers.classical import Clahe, Gamma, Identity, Oracle

NAMES = ("input", "gamma", "clahe", "lime", "oracle")


def batch(count: int = 3, height: int = 37, width: int = 50, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 6, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    noise = 0.02 * torch.randn(count, 3, height, width, generator=generator)
    return (0.3 * smooth + noise).clamp(0, 1)


def run(name: str, images: torch.Tensor) -> torch.Tensor:
    enhancer = ENHANCERS.get(name)()
    return enhancer.enhance(images, images.flip(0) if enhancer.needs_reference else None)


def test_all_are_registered() -> None:
    assert set(NAMES) <= set(ENHANCERS.names())
    assert all(issubclass(ENHANCERS.get(name), Enhancer) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (9, 31), (64, 64)])
def test_shape_type_and_finiteness(name: str, size: tuple[int, int]) -> None:
    output = run(name, batch(1, *size))
    assert output.shape == (1, 3, *size)
    assert output.dtype == torch.float32
    assert output.isfinite().all()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "oracle"])
def test_does_not_depend_on_the_batch_and_repeats(name: str) -> None:
    images = batch(5)
    together = run(name, images)
    alone = torch.cat([run(name, image[None]) for image in images])
    # torch's vectorised power rounds the tail of an array differently in the last bit
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)
    assert torch.equal(together, run(name, images))


@pytest.mark.parametrize("name", NAMES)
def test_leaves_its_argument_alone(name: str) -> None:
    images = batch()
    before = images.clone()
    run(name, images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", NAMES)
def test_black_stays_black(name: str) -> None:
    black = torch.zeros(2, 3, 12, 17)
    assert torch.equal(run(name, black), black)


def test_input_and_oracle_are_what_they_say() -> None:
    images, references = batch(seed=1), batch(seed=2)
    assert torch.equal(Identity().enhance(images), images)
    assert torch.equal(Oracle().enhance(images, references), references)
    with pytest.raises(ValueError, match="references"):
        Oracle().enhance(images)


def test_gamma_matches_skimage() -> None:
    images = batch()
    expected = exposure.adjust_gamma(images.numpy(), 1 / 2.2)
    np.testing.assert_allclose(Gamma().enhance(images).numpy(), expected, atol=1e-6)


def test_clahe_matches_skimage_on_colour_images() -> None:
    images = batch(2, 64, 48)
    expected = np.stack(
        [exposure.equalize_adapthist(image.permute(1, 2, 0).double().numpy()) for image in images]
    )
    actual = Clahe().enhance(images).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-4)


def test_clahe_keeps_a_constant_image() -> None:
    grey = torch.full((1, 3, 20, 20), 0.25)
    assert torch.equal(Clahe().enhance(grey), grey)


def test_clahe_turns_black_pixels_grey() -> None:
    images = batch(1, 40, 40)
    images[..., 10:20, 10:20] = 0
    patch = Clahe().enhance(images)[..., 10:20, 10:20]
    assert torch.equal(patch[:, 0], patch[:, 1])
    assert torch.equal(patch[:, 0], patch[:, 2])
