"""Zero-DCE++ and SGZ: separable convolutions, one curve for all steps, estimated on a small copy.

Li, Guo & Loy, "Learning to Enhance Low-Light Image via Zero-Reference Deep Curve Estimation",
TPAMI 2021, section 4; Zheng & Gupta, "Semantic-Guided Zero-Shot Learning for Low-Light Image/Video
Enhancement", WACV workshops 2022, is the same network trained with a segmentation loss.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.enhancer import pad_to_multiple
from benchmark.enhancers.published.zero_dce import STEPS, CurveEstimator, bend


class SeparableConvolution(nn.Module):
    """A 3 x 3 convolution within each channel, then a 1 x 1 convolution across them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.depth_conv = nn.Conv2d(before, before, 3, padding=1, groups=before)
        self.point_conv = nn.Conv2d(before, after, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, before, H, W]`` to ``[B, after, H, W]``."""
        result: Tensor = self.point_conv(self.depth_conv(features))
        return result


class ZeroDcePlusPlus(CurveEstimator):
    """The same curve in all eight steps.

    Args:
        scale: the curve is estimated on an image this many times smaller, the authors' 12; their
            reduction is bilinear without smoothing, and sides that it does not divide are padded
            by repeating the edge.
    """

    def __init__(self, scale: int = 12) -> None:
        super().__init__(SeparableConvolution, 3)
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; outputs stay in [0, 1]."""
        height, width = images.shape[-2:]
        padded = pad_to_multiple(images, self.scale)
        curve = self.curves(self._reduced(padded))
        if self.scale > 1:
            curve = functional.interpolate(
                curve, size=padded.shape[-2:], mode="bilinear", align_corners=True
            )[..., :height, :width]
        for _ in range(STEPS):
            images = bend(images, curve)
        return images

    def _reduced(self, images: Tensor) -> Tensor:
        if self.scale == 1:
            return images
        return functional.interpolate(
            images, scale_factor=1 / self.scale, mode="bilinear", align_corners=False
        )
