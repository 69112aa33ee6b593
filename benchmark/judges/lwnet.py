"""W-Net: vessels by a published network that was trained on patients' eyes, not on rendered ones.

Written afresh from Galdran et al. 2022, "State-of-the-art retinal vessel segmentation with
minimalistic models": two small U-Nets in a row, the second of which sees the picture beside the
logits of the first. Modules are named as in the published file (agaldran/lwnet, trained on DRIVE),
so that its keys need no translation. The picture is cut to the field of view and brought to
512 x 512; the answer is the mean over the picture and its three mirror images.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.judges.arithmetic import full_precision
from benchmark.judges.base import Segmenter
from benchmark.weights import load_tensors, mending_command, refuse_misfit, require

WEIGHTS_NAME: Final = "lwnet-drive"
#: Side of the pictures that the network was trained on, and its authors' threshold.
SIDE, THRESHOLD = 512, 0.4196
_CHANNELS = (8, 16, 32)
#: Axes that the picture is mirrored along.
_MIRRORS: Final = ((), (3,), (2,), (2, 3))


class WNet(nn.Module):
    """Two U-Nets of three scales, 68,482 trained parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.unet1, self.unet2 = _UNet(3), _UNet(4)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, 1, H, W]`` of ``[B, 3, H, W]`` sRGB in [0, 1]; sides multiples of four."""
        logits: Tensor = self.unet2(torch.cat([images, self.unet1(images)], 1))
        return logits


class _UNet(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        fine, middle, coarse = _CHANNELS
        self.first = _Residual(inputs, fine)
        self.down_path = nn.ModuleList([_Residual(fine, middle), _Residual(middle, coarse)])
        self.up_path = nn.ModuleList([_Up(coarse, middle), _Up(middle, fine)])
        self.final = nn.Conv2d(fine, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        x, kept = self.first(images), []
        for down in self.down_path:
            kept.append(x)
            x = down(functional.max_pool2d(x, 2))
        for up, skip in zip(self.up_path, reversed(kept), strict=True):
            x = up(x, skip)
        logits: Tensor = self.final(x)
        return logits


class _Residual(nn.Module):
    """Two convolutions beside one of a single pixel; normalised after the rectifier."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)
        )
        self.block = nn.Sequential(*_convolution(before, after), *_convolution(after, after))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.block(x) + self.shortcut(x)
        return result


class _Up(nn.Module):
    """Doubled by a transposed convolution, joined with what was kept on the way down."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.up_layer = nn.ModuleDict(
            {"block": nn.Sequential(nn.ConvTranspose2d(before, after, 2, stride=2))}
        )
        self.conv_layer = _Residual(2 * after, after)
        self.conv_bridge_layer = nn.ModuleDict(
            {"block": nn.Sequential(*_convolution(after, after))}
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        wide = self.up_layer["block"](x)
        bridge = self.conv_bridge_layer["block"](skip)
        result: Tensor = self.conv_layer(torch.cat([wide, bridge], 1))
        return result


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after)


class WNetSegmenter(Segmenter):
    """Judge ``lwnet``; see the module."""

    structures = ("vessels",)

    def identity(self) -> dict[str, str]:
        """The version of the judge, digest of the weights, the threshold."""
        digest = require(WEIGHTS_NAME).sha256
        return {"lwnet": "1", "weights": digest, "threshold": repr(THRESHOLD)}

    @torch.inference_mode()
    def segment(self, images: Tensor, valid: Tensor | None = None) -> Mapping[str, Tensor]:
        """See :class:`Segmenter`.

        Raises:
            WeightsError: if the weights are absent or of another network.
        """
        found = self.probabilities(images, valid) > THRESHOLD
        return {"vessels": found if valid is None else found & valid.to(found.device)}

    @torch.inference_mode()
    def probabilities(self, images: Tensor, valid: Tensor | None = None) -> Tensor:
        """``[B, H, W]`` in [0, 1], 0 outside the smallest box round the valid pixels."""
        result = torch.zeros_like(images[:, 0])
        for row, image in enumerate(images):
            box = _box(None if valid is None else valid[row], image)
            if box is not None:
                result[row, *box] = self._ask(image[:, *box])
        return result

    def _ask(self, image: Tensor) -> Tensor:
        """``[H, W]`` for one ``[3, H, W]``: a picture's answer never depends on its batch."""
        whole = _resized(image[None].to(self.device), (SIDE, SIDE))
        with full_precision():
            answers = [
                torch.sigmoid(self._network(whole.flip(axes))).flip(axes) for axes in _MIRRORS
            ]
        mean = torch.stack(answers).mean(0)
        height, width = image.shape[-2:]
        return _resized(mean, (height, width))[0, 0].to(image)

    @cached_property
    def _network(self) -> WNet:
        located = require(WEIGHTS_NAME)
        network = WNet()
        tensors, mend = load_tensors(located.path), mending_command(located.weight)
        refuse_misfit(network, tensors, where=str(located.path), mend=mend)
        network.load_state_dict(tensors)
        return network.requires_grad_(False).eval().to(self.device)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(
        images, size, mode="bilinear", align_corners=False, antialias=True
    )


def _box(valid: Tensor | None, image: Tensor) -> tuple[slice, slice] | None:
    """Rows and columns that the valid pixels span; None if there are none."""
    if valid is None:
        return slice(0, image.shape[-2]), slice(0, image.shape[-1])
    spans = []
    for axis in (1, 0):
        hit = valid.any(axis).nonzero().flatten().tolist()
        if not hit:
            return None
        spans.append(slice(hit[0], hit[-1] + 1))
    return spans[0], spans[1]
