"""The suite's own segmenter of fundus photographs: vessels, microaneurysms and exudates.

A small U-Net (Ronneberger et al. 2015) behind a local normalisation of its input. It was trained
here on rendered eyes alone and is the judge of record of the fundus probe; no loss looks through
it. A Frangi filter stands beside it as a judge that has learnt nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets import fill, load_asset
from benchmark.errors import DataError
from benchmark.judges.base import Segmenter

ASSET = "fundus-segmenter"
STRUCTURES = ("vessels", "microaneurysms", "exudates")

#: Smallest side of a picture, and side of the window of the local normalisation, pixels.
SMALLEST, _WINDOW = 32, 33
#: Spread that counts as none: two and a half steps of 8 bits.
_FLOOR = 0.01
#: Spread below which there is nothing to see: half a step of 8 bits.
_INVISIBLE = 0.5 / 255
_DOWN = 4  # what the sides must be multiples of inside the network


class FundusNet(nn.Module):
    """U-Net of three scales, 0.1 M parameters; one logit per structure and pixel.

    Each channel is first brought to zero mean and unit spread within a window round each pixel,
    over valid pixels only. So neither exposure, uneven light nor the colour of the ground as such
    reaches the network: what is left of pigmentation is the contrast of things.
    """

    thresholds: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fine = _block(3, 16)
        self.middle = nn.Sequential(_block(16, 32), _block(32, 32))
        self.coarse = nn.Sequential(_block(32, 64), _block(64, 64), _block(64, 32, kernel=1))
        self.join_middle = nn.Sequential(_block(64, 32), _block(32, 16, kernel=1))
        self.join_fine = nn.Sequential(_block(32, 16), _block(16, 16))
        self.head = nn.Conv2d(16, len(STRUCTURES), 1)
        self.register_buffer("thresholds", torch.full((len(STRUCTURES),), 0.5))

    def forward(self, images: Tensor, valid: Tensor) -> Tensor:
        """Logits ``[B, 3, H, W]`` in the order of :data:`STRUCTURES`.

        Args:
            images: ``[B, 3, H, W]`` sRGB in [0, 1], sides multiples of four.
            valid: ``[B, H, W]`` bool.
        """
        fine = self.fine(locally_normal(images, valid))
        middle = self.middle(functional.max_pool2d(fine, 2))
        coarse = self.coarse(functional.max_pool2d(middle, 2))
        middle = self.join_middle(torch.cat([middle, _doubled(coarse)], 1))
        fine = self.join_fine(torch.cat([fine, _doubled(middle)], 1))
        logits: Tensor = self.head(fine)
        return logits


def locally_normal(images: Tensor, valid: Tensor) -> Tensor:
    """Images with local mean 0 and local spread about 1; 0 where not valid.

    Args:
        images: ``[B, C, H, W]`` in [0, 1].
        valid: ``[B, H, W]`` bool; other pixels count for nothing.
    """
    away, spread = _local(images, valid)
    return away / (spread + _FLOOR)


def _local(images: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Difference from the local mean and its local root mean square, both as ``images``."""
    weight = valid[:, None].to(images)
    share = _mean(weight).clamp(min=1e-6)
    away = (images - _mean(images * weight) / share) * weight
    # spread about the local means of the neighbours too: never negative, no cancellation
    return away, (_mean(away.square()) / share).sqrt()


def _mean(images: Tensor) -> Tensor:
    half = _WINDOW // 2
    for kernel, padding in (((_WINDOW, 1), (half, 0)), ((1, _WINDOW), (0, half))):
        images = functional.avg_pool2d(images, kernel, 1, padding)
    return images


def _block(before: int, after: int, *, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def load_network(device: torch.device | str = "cpu", folder: Path | None = None) -> FundusNet:
    """The trained network, frozen, in evaluation mode.

    Args:
        device: where its weights go.
        folder: where the asset is, instead of the installed package.

    Raises:
        WeightsError: if the weights are absent, altered or of another architecture.
    """
    state, record = load_asset(ASSET, folder)
    network = FundusNet()
    fill(network, state, record)
    return network.eval().requires_grad_(False).to(device)


class FundusSegmenter(Segmenter):
    """Judge ``fundus``: thresholds were fixed on eyes that nothing else uses.

    Args:
        device: where torch runs.
        folder: where the asset is, instead of the installed package.
    """

    structures = STRUCTURES
    smallest = SMALLEST

    def __init__(self, *, device: str = "cpu", folder: Path | None = None) -> None:
        super().__init__(device=device)
        self._folder = folder
        self._network: FundusNet | None = None

    def identity(self) -> dict[str, str]:
        """Digest of the weights, which hold the thresholds."""
        from benchmark.assets import load_record

        return {"fundus-segmenter": load_record(ASSET, self._folder).sha256}

    def segment(self, images: Tensor, valid: Tensor | None = None) -> Mapping[str, Tensor]:
        """``[B, H, W]`` bool for vessels, microaneurysms and exudates.

        Args:
            images: ``[B, 3, H, W]`` float32 sRGB in [0, 1], sides of at least 32 pixels.
            valid: ``[B, H, W]`` bool, by default everything; outside nothing is found.

        Raises:
            DataError: if the pictures are too small.
        """
        found = self.probabilities(images, valid) >= self._loaded().thresholds[:, None, None]
        return dict(zip(STRUCTURES, found.unbind(1), strict=True))

    @torch.inference_mode()
    def probabilities(self, images: Tensor, valid: Tensor | None = None) -> Tensor:
        """``[B, 3, H, W]`` in [0, 1], 0 outside of ``valid``; arguments as of :meth:`segment`.

        Raises:
            DataError: for pictures that are too small for its strides.
        """
        height, width = images.shape[-2:]
        if min(height, width) < SMALLEST:
            raise DataError(
                f"the fundus segmenter needs sides of at least {SMALLEST} pixels, "
                f"not {height} x {width}"
            )
        network = self._loaded()
        seen = torch.ones_like(images[:, 0], dtype=torch.bool) if valid is None else valid
        images, seen = images.to(self.device), seen.to(self.device)
        # a picture at a time: the answer may not depend on the batch, not even in the last bit
        parts = [
            probabilities(network, images[i : i + 1], seen[i : i + 1]) for i in range(len(images))
        ]
        return torch.cat(parts) if parts else images.new_zeros(0, len(STRUCTURES), height, width)

    def _loaded(self) -> FundusNet:
        if self._network is None:
            self._network = load_network(self.device, self._folder)
        return self._network


def probabilities(network: FundusNet, images: Tensor, valid: Tensor) -> Tensor:
    """``[B, 3, H, W]`` in [0, 1] for pictures of any size.

    It is 0 outside of ``valid`` and where the surroundings of a pixel differ by less than an 8-bit
    picture can show: of a blank the network has learnt nothing.
    """
    height, width = images.shape[-2:]
    margin = (0, -width % _DOWN, 0, -height % _DOWN)
    padded = functional.pad(images, margin)
    logits = network(padded, functional.pad(valid, margin))
    visible = (_local(images, valid)[1] > _INVISIBLE).any(1) & valid
    result: Tensor = logits[..., :height, :width].sigmoid() * visible[:, None]
    return result
