"""RUAS: unrolled Retinex steps whose cells were found by architecture search.

Liu et al., "Retinex-Inspired Unrolling with Cooperative Prior Architecture Search for Low-Light
Image Enhancement", CVPR 2021, section 3. Three illumination steps on three channels; the model for
LOL also removes noise by three cells on six channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.enhancer import Network

_SLOPE = 0.05
_DARKEST = 1e-3
_STEP = 0.5
_STEPS = 3
_DENOISER_WIDTH = 6
_EDGES = ("c1_d", "c1_r", "c2_d", "c2_r", "c3_d", "c3_r", "c4")


class Operation(nn.Module):
    """A convolution, with or without the identity added to it.

    Args:
        channels: in and out.
        kernel: side in pixels.
        dilation: spacing of its taps.
        residual: adds the input.
    """

    def __init__(
        self, channels: int, *, kernel: int, dilation: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.op = nn.Conv2d(channels, channels, kernel, padding=padding, dilation=dilation)
        self.residual = residual

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.op(features)
        return result + features if self.residual else result


class Cell(nn.Module):
    """Three levels of distillation, the searched operation on every edge.

    Args:
        channels: in and out.
        operations: of the seven edges, in the order of the published names.
    """

    def __init__(self, channels: int, operations: Sequence[nn.Module]) -> None:
        super().__init__()
        for name, operation in zip(_EDGES, operations, strict=True):
            self.add_module(name, operation)
        self.c5 = nn.Conv2d(4 * channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        distilled = []
        for level in (1, 2, 3):
            distilled.append(_leaky(self.get_submodule(f"c{level}_d")(features)))
            features = _leaky(self.get_submodule(f"c{level}_r")(features) + features)
        distilled.append(_leaky(self.get_submodule("c4")(features)))
        result: Tensor = self.c5(torch.cat(distilled, 1))
        return result


class IlluminationStep(nn.Module):
    """From a warm start to an illumination in [0.001, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell(
            3,
            (
                nn.Identity(),
                Operation(3, kernel=1, residual=True),
                Operation(3, kernel=3, dilation=2, residual=True),
                Operation(3, kernel=3),
                Operation(3, kernel=3),
                nn.Identity(),
                Operation(3, kernel=3),
            ),
        )

    def forward(self, start: Tensor) -> Tensor:
        """``[B, 3, H, W]`` to the same shape."""
        result: Tensor = self.cell(start).sigmoid()
        return result.clamp(_DARKEST, 1)


class Illumination(nn.Module):
    """The unrolled steps."""

    def __init__(self) -> None:
        super().__init__()
        self.iems = nn.ModuleList(IlluminationStep() for _ in range(_STEPS))

    def forward(self, images: Tensor) -> Tensor:
        """``images`` over the illumination of the last step, in [0, 1]."""
        enhanced = images
        for number, step in enumerate(self.iems):
            start = _brightest(enhanced)
            if number:
                start = start - _STEP * (enhanced - images)
            enhanced = (images / step(start)).clamp(0, 1)
        return enhanced


class Denoiser(nn.Module):
    """The noise in an image, ``[B, 3, H, W]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _DENOISER_WIDTH, 3, padding=1)
        self.nrms = nn.ModuleList(_denoising_cell() for _ in range(_STEPS))
        self.activate = nn.Sequential(nn.Conv2d(_DENOISER_WIDTH, 3, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """Same shape."""
        features = self.stem(images)
        for cell in self.nrms:
            features = cell(features)
        result: Tensor = self.activate(features)
        return result


class Ruas(Network):
    """Illumination steps alone, as the authors run the models ``upe`` and ``dark``."""

    training_only: ClassVar[tuple[str, ...]] = ("denoise_net.",)

    def __init__(self) -> None:
        super().__init__()
        self.enhance_net = Illumination()

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; outputs stay in [0, 1]."""
        result: Tensor = self.enhance_net(images)
        return result


class RuasDenoising(Ruas):
    """Illumination steps and then the denoiser, as the authors run the model ``lol``."""

    training_only: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.denoise_net = Denoiser()

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``."""
        enhanced = super().forward(images)
        result: Tensor = enhanced - self.denoise_net(enhanced)
        return result


def _denoising_cell() -> Cell:
    width = _DENOISER_WIDTH
    return Cell(
        width,
        (
            Operation(width, kernel=1, residual=True),
            Operation(width, kernel=1, residual=True),
            Operation(width, kernel=3, dilation=2, residual=True),
            nn.Identity(),
            Operation(width, kernel=1, residual=True),
            Operation(width, kernel=1, residual=True),
            nn.Identity(),
        ),
    )


def _leaky(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, _SLOPE)


def _brightest(images: Tensor) -> Tensor:
    """The largest of a pixel and its right, lower and diagonal neighbours; zero beyond."""
    return functional.max_pool2d(functional.pad(images, (0, 1, 0, 1)), 2, stride=1)
