"""A small network that names tone level, pose and expression of an aligned face.

Unlike the recognisers it must see absolute colour, so crops are not normalised. It is a judge of
record of what a face looks like, and no loss looks through it.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.assets import fill, load_asset, load_record
from benchmark.data.evalset import EvalSet
from benchmark.imaging.alignment import align
from benchmark.judges.arithmetic import full_precision, to_one_length
from benchmark.judges.base import Observer
from benchmark.probes.faces.tones import ToneLevel
from benchmark.probes.faces.views import EXPRESSIONS, POSES

ASSET = "face-attributes"

#: Side in pixels of the aligned crops, and the zoom of the five-point template: neck and hairline
#: are in the picture.
CROP_SIZE = 64
CROP_ZOOM = 0.75
FEATURES = 128

#: What each head tells apart.
HEADS: dict[str, tuple[str, ...]] = {
    "tone_level": tuple(level.value for level in ToneLevel),
    "pose": POSES,
    "expression": EXPRESSIONS,
}


class AttributeNet(nn.Module):
    """Four strided convolutions with two residual blocks between, 0.28 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(3, 32, stride=2),
            _Residual(32),
            _convolution(32, 64, stride=2),
            _Residual(64),
            _convolution(64, 96, stride=2),
            _convolution(96, FEATURES, stride=2),
        )
        # every feature counts alike in a distance
        self.scale = nn.BatchNorm1d(FEATURES, affine=False)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(FEATURES, len(levels)) for name, levels in HEADS.items()}
        )

    def features(self, crops: Tensor) -> Tensor:
        """``[B, 128]`` of crops ``[B, 3, 64, 64]`` in [0, 1]."""
        result: Tensor = self.scale(self.body(crops - 0.5).mean((2, 3)))
        return result

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """Logits of every head."""
        features = self.features(crops)
        return {name: head(features) for name, head in self.heads.items()}


def _convolution(before: int, after: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """x + BN(conv(ReLU(BN(conv x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            _convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.inner(features)
        return result


def load_attribute_net(
    device: torch.device | str = "cpu", folder: Path | None = None
) -> AttributeNet:
    """The trained network, frozen and in evaluation mode.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """
    state, record = load_asset(ASSET, folder)
    network = AttributeNet()
    fill(network, state, record)
    return network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)


class _Attributes(Observer):
    """Observers that look through the network at the crops of the reference's landmarks."""

    def identity(self) -> dict[str, str]:
        """The digest of the weights."""
        return {"judge": ASSET, "judge_version": "1", "weights": load_record(ASSET).sha256}

    @cached_property
    def network(self) -> AttributeNet:
        """Loaded when first needed."""
        return load_attribute_net(self.device)

    def answer(self, crops: Tensor) -> Tensor:
        """``[B, D]`` of aligned crops."""
        raise NotImplementedError

    @torch.inference_mode()
    def observe(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> NDArray[np.float32]:
        """See :class:`Observer`; NaN where the reference has no landmarks."""
        width = self.answer(images.new_zeros(1, 3, CROP_SIZE, CROP_SIZE).to(self.device)).shape[1]
        result = np.full((len(images), width), np.nan, np.float32)
        if evalset.landmarks is None:
            return result
        landmarks = evalset.landmarks[index]
        known = np.flatnonzero(np.isfinite(landmarks).all((1, 2)))
        if len(known):
            chosen = images[torch.from_numpy(known).to(images.device)].to(self.device)
            points = torch.as_tensor(landmarks[known], device=self.device)
            crops = align(chosen, points, CROP_SIZE, zoom=CROP_ZOOM).clamp(0, 1)
            with full_precision():
                result[known] = self.answer(crops).float().cpu().numpy()
        return result


class FaceAttributes(_Attributes):
    """Probabilities of the levels of tone that a face is seen in."""

    levels = HEADS["tone_level"]

    def answer(self, crops: Tensor) -> Tensor:
        """Softmax of the head for tone."""
        logits: Tensor = self.network(crops)["tone_level"]
        return logits.softmax(1)


class AttributeFeatures(_Attributes):
    """The 128 numbers that tone, pose and expression are read from."""

    attribute_aware = True

    def answer(self, crops: Tensor) -> Tensor:
        """The features before the heads."""
        return self.network.features(crops)

    def observe(
        self, images: Tensor, index: NDArray[np.int64], evalset: EvalSet
    ) -> NDArray[np.float32]:
        """See :class:`Observer`; brought to one length, as those of every feature network."""
        return to_one_length(super().observe(images, index, evalset))
