"""Histogram equalisation against OpenCV, level for level."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from benchmark.imaging.histogram import equalised


def pictures(kind: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    if kind == "noise":
        return rng.integers(0, 256, (3, 2, 41, 57), dtype=np.uint8)
    if kind == "dark":
        return (rng.gamma(1.0, 9.0, (3, 2, 41, 57)) + 3).clip(0, 255).astype(np.uint8)
    if kind == "two levels":
        return np.where(rng.random((3, 2, 8, 9)) < 0.2, 17, 18).astype(np.uint8)
    return np.full((2, 2, 5, 4), 77, dtype=np.uint8)


@pytest.mark.parametrize("kind", ["noise", "dark", "two levels", "flat"])
def test_every_level_is_opencvs(kind: str) -> None:
    images = pictures(kind)
    ours = (equalised(torch.from_numpy(images) / 255) * 255).round().numpy()
    for row, channels in zip(ours, images, strict=True):
        for plane, levels in zip(row, channels, strict=True):
            np.testing.assert_array_equal(plane, cv2.equalizeHist(levels))


def test_values_between_levels_are_rounded_and_carry_no_gradient() -> None:
    images = torch.rand(1, 3, 9, 9, requires_grad=True)
    rounded = (images.detach() * 255).round() / 255
    assert torch.equal(equalised(images), equalised(rounded))
    assert not equalised(images).requires_grad
    assert equalised(images.double()).dtype == torch.float64
