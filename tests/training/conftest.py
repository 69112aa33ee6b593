"""A small smooth training pool, and a stand-in for the face embedder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from benchmark.losses.base import Instruments
from benchmark.training import Recipe, TrainingData, TrainingPool

SIDE = 32


class TinyReader(nn.Module):
    """Two layers of a random network with the interface of the suite's sign reader."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(8)
            self.first = nn.Conv2d(3, 6, 3, stride=2, padding=1)
            self.second = nn.Conv2d(6, 8, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        first = self.first(images).relu()
        return first, self.second(first).relu()


class TinyEmbedder(nn.Module):
    """A random network with the interface of the suite's face embedder."""

    crop_size = 16
    crop_zoom = 0.9

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(8 * 7 * 7, 12)
            )

    def forward(self, crops: Tensor) -> Tensor:
        embedding: Tensor = self.layers(crops)
        return nn.functional.normalize(embedding, dim=1)


def smooth_pool(each: int, *, seed: int = 0) -> TrainingPool:
    """``each`` generic and ``each`` face samples: blobs, darkened with shot noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2 * each, SIDE, SIDE, 3))
    blobs = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
    low, high = blobs.min((1, 2, 3), keepdims=True), blobs.max((1, 2, 3), keepdims=True)
    clean = (blobs - low) / (high - low)
    dark = (rng.poisson(clean**2.2 * 0.05 * 2000) / 2000).clip(0, 1) ** (1 / 2.2)
    face = np.array([[11, 12], [20, 12], [16, 17], [12, 21], [19, 21]], dtype=np.float32)
    landmarks = np.full((2 * each, 5, 2), np.nan, dtype=np.float32)
    landmarks[each:] = face
    return TrainingPool(
        inputs=(dark * 255).round().astype(np.uint8),
        references=(clean * 255).round().astype(np.uint8),
        landmarks=landmarks,
        labels=np.repeat(np.array([0, 2]), each),
        samples=tuple(f"s{i:03d}" for i in range(2 * each)),
    )


@pytest.fixture(scope="session")
def data() -> TrainingData:
    pool = smooth_pool(12)
    contexts = 0.8 * np.eye(4)[pool.labels]
    contexts += 0.2 * np.random.default_rng(1).dirichlet(np.ones(4), len(pool))
    return TrainingData(pool, contexts)


@pytest.fixture(scope="session")
def instruments() -> Instruments:
    embedder = TinyEmbedder().eval()

    def no_trunk(name: str) -> nn.Module:
        raise AssertionError(f"nobody asked for {name}")

    return Instruments(embedder=lambda: embedder, perceptual=no_trunk, reader=TinyReader)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(steps=8, batch=4, scale_samples=12, checkpoint_every=3, share_log=2)
