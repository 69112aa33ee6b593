"""A tiny evaluation set made of the one face that ships with scikit-image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import skimage.data
import skimage.transform
import torch
import torchvision
from numpy.typing import NDArray

from benchmark.data.evalset import EvalSet
from benchmark.files import sha256_of_file
from benchmark.judges.landmarks import locate_landmarks
from benchmark.metrics.perceptual import lpips_model
from benchmark.weights import WEIGHTS

# corner and side of square windows of the astronaut's portrait, all with her face
_WINDOWS = ((10, 120, 220), (0, 110, 230), (20, 125, 200), (5, 130, 210))


def darken(
    images: NDArray[np.uint8], exposure: float, noise: float, seed: int
) -> NDArray[np.uint8]:
    """Less light and additive noise, enough for a metric to notice."""
    random = np.random.default_rng(seed)
    dark = images / 255 * exposure + noise * random.standard_normal(images.shape)
    return (dark.clip(0, 1) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store with a trunk for every LPIPS: right shapes, random numbers, accepted digests.

    What a metric promises does not depend on what its network has learnt.
    """
    folder = tmp_path_factory.mktemp("weights")
    catalogue = {entry.name: WEIGHTS.entry(entry.name) for entry in WEIGHTS}
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQUILUX_WEIGHTS", str(folder))
        layers = {
            "squeezenet1_1": torchvision.models.squeezenet1_1().features,
            "alexnet": torchvision.models.alexnet().features,
            "vgg16": torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"]),
        }
        for name, features in layers.items():
            weight = WEIGHTS.get(name)
            torch.save(features.state_dict(), folder / weight.file)
            accepted = replace(weight, sha256=(sha256_of_file(folder / weight.file),))
            patch.setitem(WEIGHTS._entries, name, replace(catalogue[name], target=accepted))
        lpips_model.cache_clear()
        yield
    lpips_model.cache_clear()


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
        masks={"skin": skin[probe]},
        gallery=portraits[shown],
        gallery_landmarks=landmarks[shown],
        gallery_frame=pd.DataFrame({"cluster": people[shown]}),
    )


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Small batches gain nothing from threads, and on a busy machine wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
