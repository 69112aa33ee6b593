"""Random views: switched off they are the image, switched on they have the stated statistics."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmark.imaging.augmentation import Augmentation, augment
from benchmark.imaging.colour import to_linear, to_srgb

OFF = Augmentation(
    rotation=0.0,
    scale=0.0,
    shift=0.0,
    darkest=1.0,
    dark_share=0.0,
    full_well=1e12,
    read_noise=0.0,
    blur=0.0,
    tint=0.0,
    gamma=1.0,
)


def images(count: int = 6, side: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def view(batch: torch.Tensor, ranges: Augmentation, seed: int = 0) -> torch.Tensor:
    return augment(batch, torch.Generator().manual_seed(seed), ranges)


def test_switched_off_every_view_is_the_image_or_its_mirror() -> None:
    batch = images()
    seen = view(batch, OFF)
    straight = (seen - batch).abs().amax((1, 2, 3))
    mirrored = (seen - batch.flip(3)).abs().amax((1, 2, 3))
    assert (torch.minimum(straight, mirrored) < 1e-4).all()
    assert (straight < 1e-4).any()
    assert (mirrored < 1e-4).any()


def test_a_seed_fixes_the_views_and_another_changes_them() -> None:
    batch = images()
    assert torch.equal(view(batch, Augmentation()), view(batch, Augmentation()))
    assert not torch.equal(view(batch, Augmentation()), view(batch, Augmentation(), seed=1))


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_views_stay_in_range(level: float) -> None:
    seen = view(torch.full((8, 3, 9, 13), level), Augmentation())
    assert seen.shape == (8, 3, 9, 13)
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_shot_noise_has_the_variance_of_counting() -> None:
    full_well, level = 500.0, 0.4
    grey = to_srgb(torch.full((40, 3, 32, 32), level))
    seen = to_linear(view(grey, replace(OFF, full_well=full_well)))
    assert float(seen.mean()) == pytest.approx(level, rel=0.01)
    assert float(seen.var()) == pytest.approx(level / full_well, rel=0.05)


def test_exposures_are_log_uniform_and_kept_without_gain() -> None:
    grey = to_srgb(torch.full((4000, 3, 2, 2), 0.5))
    ranges = replace(OFF, darkest=0.01, dark_share=1.0, gain_left=0.0)
    exposure = to_linear(view(grey, ranges)).mean((1, 2, 3)) / 0.5
    # gain_left 0: all the lost light is given back
    torch.testing.assert_close(exposure, torch.ones(4000), atol=1e-3, rtol=0)
    ranges = replace(ranges, gain_left=1.0)
    kept = to_linear(view(grey, ranges)).mean((1, 2, 3)) / 0.5
    # log exposure U(-a, 0) times share U(0, 1): mean a/4
    assert float(-kept.log().mean()) == pytest.approx(
        float(torch.tensor(100.0).log()) / 4, rel=0.05
    )


def test_blur_softens_and_keeps_the_mean() -> None:
    batch = images(50)
    seen = view(batch, replace(OFF, blur=1.0))
    assert seen.diff(dim=3).abs().mean() < 0.8 * batch.diff(dim=3).abs().mean()
    torch.testing.assert_close(seen.mean(), batch.mean(), atol=2e-3, rtol=0)
