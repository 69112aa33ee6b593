from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from benchmark.enhancers import ENHANCERS
from benchmark.imaging.brightness import match_luminance, mean_luminance
from benchmark.imaging.colour import luminance


def pictures(n: int, top: float, seed: int) -> torch.Tensor:
    """``[n, 3, 12, 10]`` 8-bit quantised noise up to ``top``."""
    random = np.random.default_rng(seed)
    return torch.from_numpy((random.random((n, 3, 12, 10)) * top * 255).round() / 255).float()


def test_the_exponent_is_the_root_that_scipy_finds() -> None:
    images, target = pictures(5, 0.3, seed=1), torch.tensor([0.05, 0.2, 0.4, 0.6, 0.13])
    found = match_luminance(images, target)
    for image, wanted, result in zip(images.double(), target, found, strict=True):

        def excess(g: float, image: torch.Tensor = image, wanted: torch.Tensor = wanted) -> float:
            return float(luminance((image**g)[None]).mean() - wanted)

        g = scipy.optimize.brentq(excess, 1e-3, 50, xtol=1e-12)
        np.testing.assert_allclose(result.numpy(), (image**g).numpy(), atol=1e-5)
    np.testing.assert_allclose(mean_luminance(found).numpy(), target.numpy(), atol=1e-5)


def test_the_control_has_the_brightness_of_the_reference_and_nothing_else() -> None:
    control = ENHANCERS.get("brightness")()
    dark, clean = pictures(4, 0.2, seed=2), pictures(4, 1.0, seed=3)
    found = control.enhance(dark, clean)
    np.testing.assert_allclose(mean_luminance(found), mean_luminance(clean), atol=1e-5)
    order = dark[0].flatten().argsort()
    assert (found[0].flatten()[order].diff() >= 0).all()
    np.testing.assert_allclose(control.enhance(clean, clean), clean, atol=1e-5)
    with pytest.raises(ValueError, match="reference"):
        control.enhance(dark)


def test_what_cannot_be_matched_is_brought_as_near_as_it_can() -> None:
    black, white = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert match_luminance(black, torch.tensor([0.5])).max() == 0
    assert match_luminance(white, torch.tensor([0.5])).min() == 1
    half = torch.cat([black, pictures(1, 0.5, seed=4)[..., :4, :4]], dim=3)
    found = match_luminance(half, torch.tensor([0.9]))
    assert torch.isfinite(found).all()
    assert 0.4 < mean_luminance(found) < 0.5


def test_no_images_and_batches_of_one() -> None:
    images, target = pictures(3, 0.4, seed=5), torch.tensor([0.3, 0.4, 0.5])
    whole = match_luminance(images, target)
    torch.testing.assert_close(match_luminance(images[1:2], target[1:2]), whole[1:2])
    assert match_luminance(images[:0], target[:0]).shape == (0, 3, 12, 10)
