"""Small images, landmarks and a stand-in for the face embedder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmark.losses.base import Instruments


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
                nn.Conv2d(3, 8, 3, stride=2),
                nn.BatchNorm2d(8),
                nn.Tanh(),
                nn.Flatten(),
                nn.Linear(8 * 7 * 7, 12),
            )

    def forward(self, crops: Tensor) -> Tensor:
        embedding: Tensor = self.layers(crops)
        return nn.functional.normalize(embedding, dim=1)


@pytest.fixture(scope="session")
def embedder() -> nn.Module:
    return TinyEmbedder().eval()


@pytest.fixture(scope="session")
def instruments(embedder: nn.Module) -> Instruments:
    def no_trunk(name: str) -> nn.Module:
        raise AssertionError(f"nobody asked for {name}")

    return Instruments(embedder=lambda: embedder, perceptual=no_trunk, reader=TinyReader)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 40, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def others() -> Tensor:
    return torch.rand(3, 3, 40, 48, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def landmarks() -> Tensor:
    """Two faces, the second turned a little, and a sample that is no face."""
    face = torch.tensor([[17.0, 14], [31, 14], [24, 22], [18, 29], [30, 29]])
    turned = face + torch.tensor([[0.0, 1], [0, -1], [1, 0], [2, 0], [2, -1]])
    return torch.stack([face, turned, torch.full((5, 2), torch.nan)])
