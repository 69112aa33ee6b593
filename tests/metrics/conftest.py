"""A tiny evaluation set made of the one face that ships with scikit-image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skimage.data
import skimage.transform
from numpy.typing import NDArray

from benchmark.data.evalset import EvalSet
from benchmark.judges.landmarks import locate_landmarks

# corner and side of square windows of the astronaut's portrait, all with her face
_WINDOWS = ((10, 120, 220), (0, 110, 230), (20, 125, 200), (5, 130, 210))


def darken(
    images: NDArray[np.uint8], exposure: float, noise: float, seed: int
) -> NDArray[np.uint8]:
    """Less light and additive noise, enough for a metric to notice."""
    random = np.random.default_rng(seed)
    dark = images / 255 * exposure + noise * random.standard_normal(images.shape)
    return (dark.clip(0, 1) * 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def portraits() -> NDArray[np.uint8]:
    """Eight views, ``[8, 128, 128, 3]``: four windows, and the same squeezed to another face."""
    image = skimage.data.astronaut()
    views = []
    for squeeze in (1.0, 0.72):
        for top, left, side in _WINDOWS:
            window = image[top : top + side, left : left + side]
            height = round(side * squeeze)
            offset = (side - height) // 2
            window = window[offset : offset + height]
            views.append(skimage.transform.resize(window, (128, 128), anti_aliasing=True))
    return (np.stack(views) * 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def evalset(portraits: NDArray[np.uint8]) -> EvalSet:
    """Six samples of two "people"; the first view of each is its gallery."""
    landmarks = locate_landmarks(portraits)
    assert np.isfinite(landmarks).all()
    shown, probe = np.array([0, 4]), np.array([1, 2, 3, 5, 6, 7])
    people = np.repeat(["ann", "bea"], 4)
    skin = np.zeros((len(portraits), 128, 128), dtype=bool)
    skin[:, 55:75, 45:80] = True
    frame = pd.DataFrame(
        {"sample": [f"s{i}" for i in probe], "cluster": people[probe], "status": "ok"}
    )
    return EvalSet(
        frame=frame,
        inputs=darken(portraits[probe], 0.15, 0.03, seed=1),
        references=portraits[probe],
        digest="astronaut",
        landmarks=landmarks[probe],
        skin=skin[probe],
        gallery=portraits[shown],
        gallery_landmarks=landmarks[shown],
        gallery_frame=pd.DataFrame({"cluster": people[shown]}),
    )
