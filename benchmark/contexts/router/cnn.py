"""The small convolutional classifier: the default where nothing else is on the machine."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.assets import fill, load_asset
from benchmark.contexts.router.base import CLASSES, DegradationClassifier

ASSET = "degradation-cnn"

_WIDTHS = (16, 32, 64, 128, 256)
#: Pixels that go through the network at once.
_PIXELS = 1 << 21


class DegradationNet(nn.Module):
    """Five stride-2 convolution blocks at full resolution, mean and spread of each feature.

    A degradation lives in the finest pixels, so nothing is averaged down first. The network sees
    the picture, because exposure counts, and beside it the picture at zero mean and unit spread,
    because blur in the dark is blur. 0.4 M parameters.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        channels = (6, *_WIDTHS)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(inplace=True),
                )
                for before, after in pairwise(channels)
            )
        )
        self.head = nn.Linear(2 * _WIDTHS[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of images ``[B, 3, H, W]`` in [0, 1]."""
        mean = images.mean((1, 2, 3), keepdim=True)
        spread = images.var((1, 2, 3), keepdim=True, unbiased=False)
        both = torch.cat([images * 2 - 1, (images - mean) / (spread + 1e-4).sqrt()], 1)
        logits: Tensor = self.head(moments(self.blocks(both), epsilon=1e-6))
        return logits


class CnnClassifier(DegradationClassifier):
    """The trained network with its fitted temperature.

    Args:
        folder: where the asset is, instead of the installed package.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        state, self.record = load_asset(ASSET, Path(folder) if folder else None)
        self._temperature = float(self.record.settings["temperature"])
        self._network = DegradationNet()
        fill(self._network, state, self.record)
        self._network.eval().requires_grad_(False)

    def identity(self) -> dict[str, str]:
        """Name and digest of the weights."""
        return {"classifier": "cnn", "sha256": self.record.sha256}

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Tensor:
        """softmax(z / T)."""
        network = self._network.to(images.device)
        return (in_pieces(network, images) / self._temperature).softmax(1)


def in_pieces(network: nn.Module, images: Tensor) -> Tensor:
    """A network's outputs for batches of any length, a bounded number of pixels at a time."""
    each = max(_PIXELS // (images.shape[-2] * images.shape[-1]), 1)
    return torch.cat([network(piece) for piece in torch.split(images, each)] or [network(images)])


def moments(maps: Tensor, *, epsilon: float = 1e-8) -> Tensor:
    """Mean and spread over the pixels of ``[B, C, H, W]``: ``[B, 2 C]``."""
    variance, mean = torch.var_mean(maps, (2, 3), unbiased=False)
    return torch.cat([mean, (variance + epsilon).sqrt()], 1)
