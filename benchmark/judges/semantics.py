"""What is where in a picture, for methods that use it as prior knowledge (methods, section 2.1).

A knowledge bank is a frozen segmenter that gives its answer before the softmax and three maps of
features. It steers training and enhancement; it never judges a result. The suite trains a small
one on its probes (``probe-scenes``); larger ones come by name: ``hrnet-w48-pascal`` with the
authors' weights in the store, ``torchvision:NAME`` and ``transformers:FOLDER`` for segmenters that
are on this machine. Each gets the picture as its own training did, not as raw [0, 1] numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets import fill, load_asset
from benchmark.errors import UnknownNameError
from benchmark.registry import Registry

ASSET = "probe-scenes"
#: What the probes show; ``background`` is everything that nobody labelled.
CLASSES = ("background", "skin", "retina", "vessels", "disc", "lesions", "sign")


@dataclass(frozen=True)
class Semantics:
    """What a bank knows about a batch.

    Attributes:
        logits: before the softmax, at the size of the pictures, ``[B, classes, H, W]``.
        features: three maps ``[B, C, h, w]`` at strides of about 16, 8 and 4, coarsest first.
    """

    logits: Tensor
    features: tuple[Tensor, Tensor, Tensor]


class KnowledgeBank(nn.Module, ABC):
    """A frozen segmenter: it has no gradient, and training mode never reaches it.

    Attributes:
        classes: names in the order of the logits.
        widths: channels of the three feature maps.
    """

    classes: tuple[str, ...]
    widths: tuple[int, int, int]

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of the weights, 64 hexadecimal digits."""

    @abstractmethod
    def forward(self, images: Tensor) -> Semantics:
        """What is in ``[B, 3, H, W]`` sRGB in [0, 1]; values outside are clipped."""

    def train(self, mode: bool = True) -> Self:
        """It is frozen: batch statistics are never used, in training or with a batch of one."""
        del mode
        return super().train(False)


class SceneNet(nn.Module):
    """U-Net of five scales, 0.2 M parameters.

    Every picture is first brought to zero mean and unit spread: exposure says nothing about what is
    in it.

    Args:
        classes: number of outputs.
    """

    widths = (64, 48, 32)

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.surface = _block(3, 12)
        self.stem = _block(12, 16, stride=2)
        self.fine = nn.Sequential(_block(16, 32, stride=2), _block(32, 32))
        self.middle = nn.Sequential(_block(32, 48, stride=2), _block(48, 48))
        self.coarse = nn.Sequential(_block(48, 64, stride=2), _block(64, 64), _block(64, 64))
        self.join_middle = _block(48 + 64, 48)
        self.join_fine = _block(32 + 48, 32)
        self.join_stem = _block(16 + 32, 24)
        self.join_surface = _block(12 + 24, 16)
        self.head = nn.Conv2d(16, classes, 1)

    def forward(self, images: Tensor) -> Semantics:
        """Semantics of ``[B, 3, H, W]``, any size."""
        images = images.clamp(0, 1)
        mean = images.mean((1, 2, 3), keepdim=True)
        spread = images.var((1, 2, 3), keepdim=True, unbiased=False)
        surface = self.surface((images - mean) / (spread + 1e-6).sqrt())
        stem = self.stem(surface)
        fine = self.fine(stem)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.join_middle(torch.cat([middle, _sized(coarse, middle)], 1))
        fine = self.join_fine(torch.cat([fine, _sized(middle, fine)], 1))
        stem = self.join_stem(torch.cat([stem, _sized(fine, stem)], 1))
        surface = self.join_surface(torch.cat([surface, _sized(stem, surface)], 1))
        return Semantics(self.head(surface), (coarse, middle, fine))


class SceneBank(KnowledgeBank):
    """The suite's own segmenter of rendered scenes.

    Args:
        network: its weights.
        digest: SHA-256 of them.
    """

    classes = CLASSES
    widths = SceneNet.widths

    def __init__(self, network: SceneNet, digest: str) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self._digest = digest
        self.eval()

    @property
    def digest(self) -> str:
        """As recorded with the asset."""
        return self._digest

    @torch.no_grad()
    def forward(self, images: Tensor) -> Semantics:
        """What is in ``[B, 3, H, W]``."""
        found: Semantics = self.network(images)
        return found


def load_scenes(folder: Path | None = None) -> SceneBank:
    """The bank that was trained on the probes.

    Args:
        folder: where the asset is, instead of the installed package.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """
    state, record = load_asset(ASSET, folder)
    network = SceneNet()
    fill(network, state, record)
    return SceneBank(network, record.sha256)


BANKS: Registry[Callable[[], KnowledgeBank]] = Registry("knowledge bank", group="equilux.banks")
BANKS.add(
    ASSET,
    load_scenes,
    summary="small segmenter of the suite: skin, retina, vessels, disc, lesions, signs",
)
BANKS.add(
    "hrnet-w48-pascal",
    "benchmark.judges.hrnet:load_hrnet",
    summary="HRNetV2-W48 for the 59 classes of PASCAL-Context, the bank of the paper",
)


def load_bank(name: str = ASSET) -> KnowledgeBank:
    """The bank called ``name``: registered, ``torchvision:NAME`` or ``transformers:FOLDER``.

    Raises:
        UnknownNameError: for any other name.
        WeightsError: if its weights are not on this machine; nothing is ever downloaded.
    """
    publisher, _, model = name.partition(":")
    if model and publisher in {"torchvision", "transformers"}:
        from benchmark.judges.outside_segmenters import load_torchvision, load_transformers

        load = load_torchvision if publisher == "torchvision" else load_transformers
        return load(model)
    if model:
        raise UnknownNameError(
            f"there is no publisher of segmenters called {publisher!r}",
            mend="write torchvision:NAME or transformers:FOLDER",
        )
    return BANKS.get(name)()


def _block(before: int, after: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def _sized(features: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    return functional.interpolate(features, size=size, mode="bilinear", align_corners=False)
