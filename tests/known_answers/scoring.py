"""The protocol of the known answers, by libraries that the suite does not score with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from .pictures import Pixels


def psnr_ssim(outputs: Pixels, references: Pixels) -> NDArray[np.float64]:
    """``[N, 2]``: PSNR in dB and SSIM (RGB, uniform window of 7 pixels) of ``[N, H, W, 3]``."""
    return np.array(
        [
            (
                peak_signal_noise_ratio(reference, output),
                structural_similarity(reference, output, channel_axis=2),
            )
            for output, reference in zip(outputs, references, strict=True)
        ]
    )


def gt_mean_psnr(outputs: Pixels, references: Pixels) -> NDArray[np.float64]:
    """PSNR after scaling every output to its reference's mean, which no method may know."""
    scores = []
    for output, reference in zip(outputs, references, strict=True):
        scaled = np.clip(output * (reference.mean() / output.mean()), 0, 255) / 255
        scores.append(peak_signal_noise_ratio(reference / 255, scaled, data_range=1))
    return np.array(scores)
