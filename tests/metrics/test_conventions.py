"""The papers' conventions against scikit-image, and over valid pixels in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmark.data.evalset import EvalSet
from benchmark.metrics import make_scorer
from benchmark.metrics.conventions import psnr_at_equal_mean, ssim_uniform


def pictures(seed: int, size: tuple[int, int] = (23, 31), count: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *size, 3), dtype=np.uint8)


def batch(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_they_are_scikit_image_s() -> None:
    references = pictures(0)
    outputs = (references * 0.4 + pictures(1) * 0.1).astype(np.uint8)
    frame = pd.DataFrame({"sample": list("abc"), "cluster": "c", "status": "ok"})
    evalset = EvalSet(frame=frame, inputs=outputs, references=references, digest="d")
    found = make_scorer("conventions").score(batch(outputs), np.arange(3), evalset, {})
    for row, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        scaled = np.clip(output * (reference.mean() / output.mean()), 0, 255) / 255
        psnr = peak_signal_noise_ratio(reference / 255, scaled, data_range=1)
        ssim = structural_similarity(reference, output, channel_axis=2)
        assert found["psnr_gtmean"][row] == pytest.approx(psnr, abs=1e-4)
        assert found["ssim_uniform"][row] == pytest.approx(ssim, abs=1e-5)


def test_identical_black_and_tiny_pictures() -> None:
    images = batch(pictures(0))
    assert psnr_at_equal_mean(images, images).tolist() == [100.0] * 3
    torch.testing.assert_close(ssim_uniform(images, images), torch.ones(3, dtype=torch.float64))
    # exactly half as bright is forgiven, unless it is clipped
    torch.testing.assert_close(
        psnr_at_equal_mean(images / 2, images), torch.full((3,), 100.0, dtype=torch.float64)
    )
    black = psnr_at_equal_mean(torch.zeros_like(images), images)
    mse = images.double().square().mean((1, 2, 3))
    torch.testing.assert_close(black, -10 * mse.log10())
    assert torch.isnan(ssim_uniform(images[..., :6], images[..., :6])).all()


def test_nothing_outside_the_valid_pixels_matters() -> None:
    references, outputs = batch(pictures(0)), batch(pictures(1))
    valid = torch.zeros(3, 23, 31, dtype=torch.bool)
    valid[:, 2:20, 3:28] = True
    spoilt = torch.where(valid[:, None], outputs, 1 - outputs)
    for measure in (psnr_at_equal_mean, ssim_uniform):
        found = measure(outputs, references, valid=valid)
        assert torch.equal(found, measure(spoilt, references, valid=valid))
        inner = measure(outputs[..., 2:20, 3:28], references[..., 2:20, 3:28])
        torch.testing.assert_close(found, inner)
    nothing = torch.zeros_like(valid)
    assert torch.isnan(ssim_uniform(outputs, references, valid=nothing)).all()
