"""The face embedder inside the identity loss: small, fast, trained here on rendered faces.

It is never the judge of record: a network that training has looked through is no evidence about
what training achieved. The judge of record is deepface's dlib network.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmark.assets import fill, load_asset

ASSET = "face-embedder"

#: Side in pixels of the aligned crops that it wants (``imaging.alignment.align``).
CROP_SIZE = 64
#: Zoom of the five-point template for those crops.
CROP_ZOOM = 0.9
EMBEDDING_SIZE = 128


class FaceEmbedder(nn.Module):
    """Residual network with a learned spatial pooling, 0.9 M parameters, 128 numbers out.

    The crop is brought to zero mean and unit spread first, so neither exposure nor overall skin
    tone reaches the network as such. The last feature map is pooled with one learned weight per
    place and channel, as in MobileFaceNet (Chen et al. 2018): places on an aligned face differ.

    Attributes:
        crop_size: side of the crops it wants, pixels.
        crop_zoom: zoom of the alignment template it was trained with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.crop_size = CROP_SIZE
        self.crop_zoom = CROP_ZOOM
        self.body = nn.Sequential(
            _convolution(3, 32, stride=2),
            _Residual(32),
            _convolution(32, 64, stride=2),
            _Residual(64),
            _convolution(64, 128, stride=2),
            _Residual(128),
            _convolution(128, 192, stride=2),
        )
        self.pool = nn.Conv2d(192, 192, CROP_SIZE // 16, groups=192, bias=False)
        self.head = nn.Sequential(
            nn.BatchNorm2d(192),
            nn.Flatten(),
            nn.Linear(192, EMBEDDING_SIZE, bias=False),
            nn.BatchNorm1d(EMBEDDING_SIZE),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings of unit length.

        Args:
            crops: ``[B, 3, 64, 64]`` sRGB in [0, 1], aligned with :data:`CROP_ZOOM`; values a
                little outside the range, as a network's raw output has them, are fine.

        Returns:
            ``[B, 128]``; the cosine of two embeddings is their scalar product.
        """
        mean = crops.mean((1, 2, 3), keepdim=True)
        spread = crops.var((1, 2, 3), keepdim=True, unbiased=False)
        features = self.body((crops - mean) / (spread + 1e-5).sqrt())
        embedding: Tensor = self.head(self.pool(features))
        return functional.normalize(embedding, dim=1)


def _convolution(before: int, after: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.PReLU(after),
    )


class _Residual(nn.Module):
    """x + BN(conv(PReLU(BN(conv x))))."""

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


def load_embedder(device: torch.device | str = "cpu", folder: Path | None = None) -> FaceEmbedder:
    """The trained embedder: frozen, in evaluation mode, gradients flow to the crops only.

    Args:
        device: where its weights go.
        folder: where the asset is, instead of the installed package.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """
    state, record = load_asset(ASSET, folder)
    network = FaceEmbedder()
    fill(network, state, record)
    fold_normalisation(network.eval())
    return network.requires_grad_(False).to(device).to(memory_format=torch.channels_last)


def fold_normalisation(network: nn.Module) -> None:
    """Let convolutions absorb the batch normalisation behind them: same function, a third faster.

    Args:
        network: in evaluation mode, changed in place.
    """
    for block in [part for part in network.modules() if isinstance(part, nn.Sequential)]:
        for place, (first, second) in enumerate(pairwise(list(block))):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                block[place] = fuse_conv_bn_eval(first, second)
                block[place + 1] = nn.Identity()
