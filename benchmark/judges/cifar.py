"""Published residual networks for CIFAR-10, written afresh from He et al. (2016, section 4.2).

Modules are named as in the published files (akamaster/pytorch_resnet_cifar10), so that their keys
need no translation.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.judges.base import Reader, Reading
from benchmark.weights import load_tensors, mending_command, refuse_misfit, require

#: In the order of the networks' outputs: the alphabetical one of the data set.
CLASSES: tuple[str, ...] = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
#: Side of the data set's pictures.
SIDE = 32
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class CifarResNet(nn.Module):
    """Three stages of residual blocks with 16, 32 and 64 channels, 6 n + 2 layers.

    Args:
        blocks: n, per stage: 3 for ResNet-20, 9 for ResNet-56.
    """

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks)
        self.layer2 = _stage(16, 32, blocks)
        self.layer3 = _stage(32, 64, blocks)
        self.linear = nn.Linear(64, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, 10]`` of ``[B, 3, H, W]`` sRGB in [0, 1]; trained on 32 x 32."""
        mean, spread = (images.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _SPREAD))
        x = functional.relu(self.bn1(self.conv1((images - mean) / spread)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


class _Block(nn.Module):
    """Two convolutions beside a shortcut without parameters."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.stride, self.extra = (1, 0) if before == after else (2, (after - before) // 2)
        self.conv1 = nn.Conv2d(before, after, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """Every second pixel and empty channels on both sides where the stage begins."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        inner = self.bn2(self.conv2(inner))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, self.extra, self.extra))
        return functional.relu(inner + shortcut)


def _stage(before: int, after: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(_Block(before, after), *(_Block(after, after) for _ in range(blocks - 1)))


#: Blocks a stage of the published networks, by their name among weights and judges.
BLOCKS = {"cifar10-resnet20": 3, "cifar10-resnet56": 9}


def load_network(name: str) -> CifarResNet:
    """A published network: frozen, in evaluation mode, on the CPU.

    Args:
        name: a key of :data:`BLOCKS`.

    Raises:
        WeightsError: if the weights are not at hand or of another architecture.
    """
    located = require(name)
    network = CifarResNet(BLOCKS[name])
    tensors = load_tensors(located.path)
    refuse_misfit(network, tensors, where=str(located.path), mend=mending_command(located.weight))
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def read_with(network: CifarResNet, images: Tensor) -> Reading:
    """Read ``[B, 3, H, W]`` in [0, 1]; confidence is the largest softmax output."""
    with torch.inference_mode():
        confidence, answer = network(fitted(images)).softmax(1).max(1)
    labels = np.array(CLASSES)[answer.cpu().numpy()]
    return Reading(labels, confidence.cpu().numpy().astype(np.float64))


def fitted(images: Tensor) -> Tensor:
    """Pictures of another size than 32 x 32 resized (bilinear, anti-aliased)."""
    if images.shape[2:] == (SIDE, SIDE):
        return images
    return functional.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)


class CifarReader(Reader):
    """Names the one of ten things that a picture shows."""

    #: Name among weights and judges.
    name: ClassVar[str]

    def identity(self) -> dict[str, str]:
        """The digest of the weights."""
        return {"judge": self.name, "weights": require(self.name).sha256}

    def read(self, images: Tensor) -> Reading:
        """See :class:`Reader`.

        Raises:
            WeightsError: if the weights are not at hand or of another architecture.
        """
        return read_with(self._network, images)

    @cached_property
    def _network(self) -> CifarResNet:
        return load_network(self.name).to(self.device)


class ResNet20(CifarReader):
    """0.27 million parameters; the publisher reports 8.27 % error."""

    name = "cifar10-resnet20"


class ResNet56(CifarReader):
    """0.85 million parameters; the publisher reports 6.61 % error."""

    name = "cifar10-resnet56"
