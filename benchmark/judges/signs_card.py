"""How well a reader reads: by light, exposure and kind, and how much two readers agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmark.judges.base import Reading
from benchmark.judges.conditions import Images, low_light_conditions
from benchmark.judges.signs import read_with
from benchmark.judges.signs_net import SignNetwork
from benchmark.probes.signs import SignSamples

_BINS = 15


def read_images(network: SignNetwork, images: Images) -> Reading:
    """Read ``[N, H, W, 3]`` uint8."""
    return read_with(network, torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)


def reading_card(network: SignNetwork, samples: SignSamples, *, seed: int) -> list[dict[str, Any]]:
    """Accuracy and calibration in normal light, low light, and low light with exact gain.

    Args:
        network: trained and calibrated.
        samples: scenes that it has not seen, under every lamp, in full light.
        seed: of the noise.

    Returns:
        Rows ``condition, illuminant, kind, n, accuracy`` and mean ``confidence``, and with ``kind``
        "all" also ``ece``.
    """
    conditions = {"normal": samples.images}
    conditions |= low_light_conditions(samples.images, samples.frame, seed=seed)
    rows: list[dict[str, Any]] = []
    for condition, images in conditions.items():
        seen = read_images(network, images)
        table = samples.frame[["illuminant", "kind"]].assign(
            right=seen.labels == samples.frame["label"].to_numpy(), sure=seen.confidence
        )
        for lamp, mine in table.groupby("illuminant", sort=False):
            for kind, part in [*mine.groupby("kind", sort=True), ("all", mine)]:
                row = {
                    "condition": condition,
                    "illuminant": str(lamp),
                    "kind": str(kind),
                    "n": len(part),
                    "accuracy": round(float(part["right"].mean()), 4),
                    "confidence": round(float(part["sure"].mean()), 4),
                }
                if kind == "all":
                    row["ece"] = round(calibration_error(part["right"], part["sure"]), 4)
                rows.append(row)
    return rows


def calibration_error(right: pd.Series, sure: pd.Series) -> float:
    """Expected calibration error over 15 bins of equal mass, not de-biased.

    Args:
        right: whether each answer is right.
        sure: its confidence.
    """
    order = np.argsort(sure.to_numpy(), kind="stable")
    gap = (right.to_numpy(dtype=float) - sure.to_numpy())[order]
    bins = np.array_split(gap, min(_BINS, len(gap)))
    return float(sum(abs(part.sum()) for part in bins) / len(gap))


def agreement(
    one: NDArray[np.str_], other: NDArray[np.str_], truth: NDArray[Any]
) -> dict[str, float]:
    """How alike two readers are, and how alike their errors.

    Returns:
        ``same``: share of equal answers; ``both_wrong``: share of pictures that both get wrong;
        ``independent``: that share if their errors had nothing to do with each other.
    """
    wrong, also = one != truth, other != truth
    return {
        "same": round(float((one == other).mean()), 4),
        "both_wrong": round(float((wrong & also).mean()), 4),
        "independent": round(float(wrong.mean() * also.mean()), 4),
    }
