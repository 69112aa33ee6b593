"""SCI: division by an illumination that one three-channel block estimates.

Ma et al., "Toward Fast, Flexible, and Robust Low-Light Image Enhancement", CVPR 2022, section 3:
of the cascade, which shares its weights, only the first stage is left at test time; the
self-calibrated module serves training.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from benchmark.enhancers.published.enhancer import Network

_DARKEST = 1e-4


class SciEnhancer(nn.Module):
    """The illumination of an image, at least its own brightness, ``[B, 3, H, W]``."""

    def __init__(self) -> None:
        super().__init__()
        self.in_conv = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
        self.conv = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())
        self.out_conv = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """Illumination in [1e-4, 1]."""
        features = self.in_conv(images).relu()
        features = features + self.conv(features)
        result: Tensor = self.out_conv(features).sigmoid() + images
        return result.clamp(_DARKEST, 1)


class Sci(Network):
    """Input over illumination."""

    # enhance.blocks is a second name of enhance.conv in the published files
    training_only: ClassVar[tuple[str, ...]] = ("calibrate.", "enhance.blocks.")

    def __init__(self) -> None:
        super().__init__()
        self.enhance = SciEnhancer()

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; outputs stay in [0, 1]."""
        illumination: Tensor = self.enhance(images)
        return (images / illumination).clamp(0, 1)
