"""The small convolutional context predictor (methods, section 1.3, P1)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets import AssetRecord, fill, load_asset
from benchmark.contexts.base import CONTEXTS, ContextPredictor

ASSET = "context-cnn"

#: Images are averaged down to this many pixels a side: noise goes, layout stays.
INPUT_SIZE = 64
_WIDTHS = (32, 64, 128, 256)
_BATCH = 256


class ContextNet(nn.Module):
    """Four stride-2 convolution blocks, global average, linear: 0.39 M parameters.

    Every image is first brought to zero mean and unit standard deviation, so that exposure alone,
    which says nothing about what is in the picture, cannot decide.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        channels = (3, *_WIDTHS)
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
        self.head = nn.Linear(_WIDTHS[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of images ``[B, 3, H, W]`` in [0, 1]."""
        small = functional.adaptive_avg_pool2d(images, INPUT_SIZE)
        mean = small.mean((1, 2, 3), keepdim=True)
        spread = small.var((1, 2, 3), keepdim=True, unbiased=False)
        features = self.blocks((small - mean) / (spread + 1e-6).sqrt())
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


class CnnPredictor(ContextPredictor):
    """The trained network with its fitted temperature.

    Args:
        folder: where the asset is, instead of the installed package.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """

    def __init__(self, folder: Path | None = None) -> None:
        state, self.record = load_asset(ASSET, folder)
        self._knows = tuple(self.record.settings["contexts"])
        self._columns = [CONTEXTS.index(name) for name in self._knows]
        self._temperature = float(self.record.settings["temperature"])
        self._network = _built(state, self.record).eval().requires_grad_(False)

    @property
    def knows(self) -> tuple[str, ...]:
        """The contexts it was trained on."""
        return self._knows

    def identity(self) -> dict[str, str]:
        """Name and digest of the weights."""
        return {"predictor": "cnn", "sha256": self.record.sha256}

    @torch.no_grad()  # not inference mode: losses multiply by these vectors and go backward
    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """softmax(z / T) over the contexts it knows, zero elsewhere."""
        self._network.to(images.device)
        vectors = images.new_zeros(len(images), len(CONTEXTS))
        for start in range(0, len(images), _BATCH):
            logits = self._network(images[start : start + _BATCH])
            known = (logits / self._temperature).softmax(1)
            vectors[start : start + _BATCH, self._columns] = known
        return vectors


def _built(state: dict[str, Tensor], record: AssetRecord) -> ContextNet:
    network = ContextNet(len(record.settings["contexts"]))
    fill(network, state, record)
    return network
