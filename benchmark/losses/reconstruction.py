"""SDAG's reconstruction network: it can redraw what a recogniser's first layers know, and no more.

Zheng et al., "Learning Semantic Degradation-Aware Guidance for Recognition-Driven Unsupervised
Low-Light Image Enhancement", AAAI 2023. The first features of a recogniser (VGG16 up to conv1_2,
before its ReLU) pass through three invertible-style couplings and one 1 x 1 convolution back to an
image. It learns to redraw clear pictures well and spoilt ones badly, so that the distance between
an image and its own reconstruction says how spoilt it is, without a reference. Written afresh from
the description; modules are named as in the published file, which loads strictly.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.weights import WeightStore, load_tensors

#: Name of the authors' file in the weights catalogue.
PUBLISHED = "sdag-reconstruction"
#: Name of the network that the suite trains itself, and its width.
ASSET = "reconstruction"
OWN_CHANNELS = 16

_SLOPE = 0.2
#: Largest logarithm of the factor that a coupling applies.
_RANGE = 0.8
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class HalfNormBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 one; half of the channels are instance-normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.identity = nn.Conv2d(channels, channels, 1)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.InstanceNorm2d(channels // 2, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to the same shape."""
        normed, plain = self.conv_1(features).chunk(2, 1)
        hidden = torch.cat([self.norm(normed), plain], 1)
        hidden = self.conv_2(functional.leaky_relu(hidden, _SLOPE))
        result: Tensor = functional.leaky_relu(hidden, _SLOPE) + self.identity(features)
        return result


class Coupling(nn.Module):
    """Each half of the channels changes the other: a' = a + F(b), b' = b exp(s(a')) + G(a')."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.F = HalfNormBlock(channels // 2)
        self.G = HalfNormBlock(channels // 2)
        self.H = HalfNormBlock(channels // 2)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to the same shape; a factor lies in [exp(-0.8), exp(0.8)]."""
        first, second = features.chunk(2, 1)
        first = first + self.F(second)
        scale = _RANGE * (2 * torch.sigmoid(self.H(first)) - 1)
        second = second * scale.exp() + self.G(first)
        return torch.cat([first, second], 1)


class _Extractor(nn.Module):
    """conv1_1, ReLU, conv1_2 of VGG16 (64 channels), at full size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.slice1 = nn.Sequential(
            OrderedDict(
                {
                    "0": nn.Conv2d(3, channels, 3, padding=1),
                    "1": nn.ReLU(),
                    "2": nn.Conv2d(channels, channels, 3, padding=1),
                }
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.slice1(images)
        return features


class Reconstruction(nn.Module):
    """R(z): the picture that is left of z after a recogniser has looked at it.

    215,171 numbers, of which the 38,720 of the extractor are frozen in the authors' training.

    Args:
        channels: width, a multiple of 4; the authors' is 64.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.vgg_extractor = _Extractor(channels)
        self.process1 = Coupling(channels)
        self.process2 = Coupling(channels)
        self.process3 = Coupling(channels)
        self.ConvOut = nn.Conv2d(channels, 3, 1)
        for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Redraw sRGB images.

        Args:
            images: ``[B, 3, H, W]``, in [0, 1] where they are pictures; not clipped.

        Returns:
            ``[B, 3, H, W]``, not clipped. Images are standardised on the way in and back on the
            way out: without it, as the release's example calls it, the network redraws nothing.
        """
        features = self.vgg_extractor((images - self.mean) / self.deviation)
        features = self.process3(self.process2(self.process1(features)))
        result: Tensor = self.ConvOut(features) * self.deviation + self.mean
        return result


def similarity(reconstructed: Tensor, images: Tensor) -> Tensor:
    """Cosine of every image with its reconstruction, ``[B]`` in [-1, 1].

    The release takes it over the batch for every pixel, which gives an image another loss in other
    company, and +-1 when it is alone; here it is over the image.
    """
    return functional.cosine_similarity(reconstructed.flatten(1), images.flatten(1), dim=1)


def load_published(store: WeightStore | None = None) -> Reconstruction:
    """The network with the authors' weights (the averaged ones), frozen.

    Args:
        store: where the weights are; the default store if None.

    Raises:
        WeightsError: if they are absent, or of another architecture (the message names the keys).
    """
    from benchmark.enhancers.published.enhancer import fill

    found = (store or WeightStore()).require(PUBLISHED)
    network = Reconstruction()
    fill(network, load_tensors(found.path), where=str(found.path))
    return network.eval().requires_grad_(False)


def load_own(folder: Path | None = None) -> Reconstruction:
    """The network that the suite trained itself, frozen.

    Args:
        folder: where to look instead of the installed package.

    Raises:
        WeightsError: if it is absent or damaged, with the command that trains it.
    """
    from benchmark.assets import fill, load_asset

    state, record = load_asset(ASSET, folder)
    network = Reconstruction(OWN_CHANNELS)
    fill(network, state, record)
    return network.eval().requires_grad_(False)
