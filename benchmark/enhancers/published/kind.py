"""KinD and KinD++: decompose a picture, restore its reflectance, adjust its illumination.

Zhang et al., "Kindling the Darkness: A Practical Low-light Image Enhancer", ACM MM 2019, section 3;
Zhang et al., "Beyond Brightening Low-light Images", IJCV 2021, section 3. The layers are those of
the released TensorFlow code, whose variables give them their names
(:mod:`benchmark.enhancers.published.tensorflow`).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.enhancer import Network, pad_to_multiple
from benchmark.imaging.filters import filter_matrix, gaussian_taps, separable

#: How many times brighter the programs ask illumination to become if they have no reference.
RATIO = 5.0
_SLOPE = 0.2
_LUMA = (0.2125, 0.7154, 0.0721)
_SIGMA = 3.0
#: Batch statistics as TensorFlow keeps them.
_EPSILON, _MOMENTUM = 1e-3, 0.01


class Parts(NamedTuple):
    """What a picture decomposes into, both in [0, 1]."""

    reflectance: Tensor
    illumination: Tensor


class Decomposition(nn.Module):
    """A small U-Net for the reflectance; the illumination branches off at full size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g_conv1_1 = _conv(3, width)
        self.g_conv2_1 = _conv(width, 2 * width)
        self.g_conv3_1 = _conv(2 * width, 4 * width)
        self.g_up_1 = _enlarging(4 * width, 2 * width)
        self.g_conv8_1 = _conv(4 * width, 2 * width)
        self.g_up_2 = _enlarging(2 * width, width)
        self.g_conv9_1 = _conv(2 * width, width)
        self.g_conv10 = nn.Conv2d(width, 3, 1)
        self.l_conv1_2 = _conv(width, width)
        self.l_conv1_4 = nn.Conv2d(2 * width, 1, 1)

    def forward(self, images: Tensor) -> Parts:
        """``[B, 3, H, W]`` to reflectance ``[B, 3, H, W]`` and illumination ``[B, 1, H, W]``."""
        full = _bent(self.g_conv1_1(images))
        half = _bent(self.g_conv2_1(_pooled(full)))
        quarter = _bent(self.g_conv3_1(_pooled(half)))
        half = _bent(self.g_conv8_1(_joined(self.g_up_1(quarter), half)))
        fine = _bent(self.g_conv9_1(_joined(self.g_up_2(half), full)))
        light = torch.cat([_bent(self.l_conv1_2(full)), fine], 1)
        return Parts(self.g_conv10(fine).sigmoid(), self.l_conv1_4(light).sigmoid())


class Restoration(nn.Module):
    """KinD's: a U-Net of five levels over reflectance and illumination."""

    def __init__(self, width: int) -> None:
        super().__init__()
        before = 4
        for level in range(1, 6):
            self._pair(level, before, width << (level - 1))
            before = width << (level - 1)
        for level in range(6, 10):
            self.add_module(f"up_{level}", _enlarging(before, before // 2))
            self._pair(level, before, before // 2)
            before //= 2
        self.de_conv10 = _conv(before, 3)

    def forward(self, parts: Parts) -> Tensor:
        """A clean reflectance, ``[B, 3, H, W]``."""
        features, skips = self._twice(1, torch.cat(parts, 1)), []
        for level in range(2, 6):
            skips.append(features)
            features = self._twice(level, _pooled(features))
        for level in range(6, 10):
            larger = self.get_submodule(f"up_{level}")(features)
            features = self._twice(level, _joined(larger, skips.pop()))
        result: Tensor = self.de_conv10(features).sigmoid()
        return result

    def _pair(self, level: int, before: int, after: int) -> None:
        self.add_module(f"de_conv{level}_1", _conv(before, after))
        self.add_module(f"de_conv{level}_2", _conv(after, after))

    def _twice(self, level: int, features: Tensor) -> Tensor:
        for number in (1, 2):
            features = _bent(self.get_submodule(f"de_conv{level}_{number}")(features))
        return features


class Scale(nn.Module):
    """One scale of KinD++'s attention: pool, convolve, normalise, and enlarge again."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        kernel = 1 if steps == 2 else 3
        self.pu_conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.batch_normalization = nn.BatchNorm2d(channels, eps=_EPSILON, momentum=_MOMENTUM)
        for name in ("conv_up_1", "conv_up")[2 - steps :]:
            self.add_module(name, nn.ConvTranspose2d(channels, channels, 2, stride=2))

    def forward(self, features: Tensor) -> Tensor:
        """Same shape; ``2 ** steps`` divides the sides."""
        if self.steps:
            features = functional.max_pool2d(features, 1 << self.steps)
        # slim gives every convolution a ReLU unless it is told not to
        features = self.batch_normalization(self.pu_conv(features).relu()).relu()
        for name in ("conv_up_1", "conv_up")[2 - self.steps :]:
            features = self.get_submodule(name)(features).relu()
        return features


class RestorationPlusPlus(nn.Module):
    """KinD++'s: no U-Net but a stack of pairs, four of which end in an illumination attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        plan = [(1, 1, 2), (2, 4, 8), (3, 16, 8), (4, 4, 2)]
        before = 3
        for stage, inner, after in plan:
            self.add_module(f"de_conv{stage}_1", _conv(before, inner * width))
            self.add_module(f"de_conv{stage}_2", _conv(inner * width, after * width))
            before = after * width
            name = f"de_conv{stage}"
            gate = nn.Conv2d(1, 1, 3, padding=1, bias=False)
            self.add_module(name, nn.ModuleDict({"conv": gate}))
            for steps in range(3):
                self.add_module(f"{name}pu{1 << steps}", Scale(before, steps))
            self.add_module(f"{name}multi_scale_feature", nn.Conv2d(4 * before, before, 1))
        self.stages = len(plan)
        self.de_conv5_1 = _conv(before, width)
        self.de_conv10 = _conv(width, 3)

    def forward(self, parts: Parts) -> Tensor:
        """A clean reflectance, ``[B, 3, H, W]``; 4 divides the sides."""
        features = parts.reflectance
        for stage in range(1, self.stages + 1):
            for number in (1, 2):
                features = _bent(self.get_submodule(f"de_conv{stage}_{number}")(features))
            features = self._attended(f"de_conv{stage}", features, parts.illumination)
        result: Tensor = self.de_conv10(_bent(self.de_conv5_1(features))).sigmoid()
        return result

    def _attended(self, name: str, features: Tensor, illumination: Tensor) -> Tensor:
        lit = features * self.get_submodule(f"{name}.conv")(illumination).sigmoid()
        scales = [self.get_submodule(f"{name}pu{1 << steps}")(lit) for steps in range(3)]
        mixed = self.get_submodule(f"{name}multi_scale_feature")(torch.cat([lit, *scales], 1))
        result: Tensor = mixed.relu()
        return result


class Adjustment(nn.Module):
    """A new illumination for a wanted ratio."""

    def __init__(self, width: int, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        for number, (before, after) in enumerate(
            ((2, width), (width, width), (width, width), (width, 1)), start=1
        ):
            self.add_module(f"{prefix}conv_{number}", _conv(before, after))

    def forward(self, illumination: Tensor, ratio: Tensor) -> Tensor:
        """``[B, 1, H, W]`` that is ``ratio``, ``[B]``, times as bright, in [0, 1]."""
        features = torch.cat([illumination, ratio.view(-1, 1, 1, 1).expand_as(illumination)], 1)
        for number in range(1, 5):
            features = _bent(self.get_submodule(f"{self.prefix}conv_{number}")(features))
        return features.sigmoid()


class Retinex(Network):
    """Decomposition, restoration and adjustment, as the two released programs put them together.

    The programs for LOL choose the ratio by the reference's illumination. That is never done here:
    what is done is what the programs for pictures without a reference do.
    """

    #: Names of the three networks, as released.
    parts: ClassVar[tuple[str, str, str]]
    #: Ratio of the illumination; None leaves the reflectance unlit.
    ratio: float | None = RATIO
    #: What must divide the sides.
    unit: ClassVar[int] = 1

    def decompose(self, images: Tensor) -> Parts:
        """Reflectance and illumination of ``[B, 3, H, W]``."""
        result: Parts = self.get_submodule(self.parts[0])(images)
        return result

    def restore(self, parts: Parts) -> Tensor:
        """A clean reflectance, ``[B, 3, H, W]``."""
        result: Tensor = self.get_submodule(self.parts[1])(parts)
        return result

    def adjust(self, illumination: Tensor, ratio: Tensor) -> Tensor:
        """An illumination ``ratio``, ``[B]``, times as bright, ``[B, 1, H, W]`` in [0, 1]."""
        result: Tensor = self.get_submodule(self.parts[2])(illumination, ratio)
        return result

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``.

        The programs stretch every picture to the whole range first. Where the reflectance is dark
        it is trusted less, and where the illumination is bright the input shows through.
        """
        height, width = images.shape[-2:]
        images = pad_to_multiple(stretched(images), self.unit)
        parts = self.decompose(images)
        trust = (2 * _blurred(_grey(parts.reflectance))).clamp(min=0).sqrt().clamp(max=1)
        enhanced = self.restore(parts) * trust
        if self.ratio is not None:
            ratio = images.new_full((len(images),), self.ratio)
            enhanced = enhanced * self.adjust(parts.illumination, ratio)
        light = parts.illumination
        return (light * images + (1 - light) * enhanced)[..., :height, :width]


class Kind(Retinex):
    """KinD.

    Args:
        width: channels of the first layers; 32 as published.
    """

    parts = ("DecomNet", "Restoration_net", "Illumination_adjust_net")

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.DecomNet = Decomposition(width)
        self.Restoration_net = Restoration(width)
        self.Illumination_adjust_net = Adjustment(width, "en_")


class KindPlusPlus(Retinex):
    """KinD++.

    Args:
        width: channels of the first layers; 32 as published.
        ratio: of the illumination; its program adjusts it only if it is asked to.
    """

    parts = ("DecomNet", "Denoise_Net", "I_enhance_Net")
    unit = 4

    def __init__(self, width: int = 32, *, ratio: float | None = None) -> None:
        super().__init__()
        self.ratio = ratio
        self.DecomNet = Decomposition(width)
        self.Denoise_Net = RestorationPlusPlus(width)
        self.I_enhance_Net = Adjustment(width, "")


def stretched(images: Tensor) -> Tensor:
    """Every picture over the whole of [0, 1], as both programs read their files."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return (images - low) / (high - low).clamp(min=1e-3)


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1)


def _enlarging(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 2, stride=2, bias=False)


def _bent(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, _SLOPE)


def _pooled(features: Tensor) -> Tensor:
    return functional.max_pool2d(features, 2, ceil_mode=True)


def _joined(larger: Tensor, skip: Tensor) -> Tensor:
    """Both, the enlarged one cut to the other's size where that is odd."""
    return torch.cat([larger[..., : skip.shape[-2], : skip.shape[-1]], skip], 1)


def _grey(images: Tensor) -> Tensor:
    return (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _blurred(images: Tensor) -> Tensor:
    """Gaussian of three pixels, the edge repeated, as scikit-image has it."""
    taps = gaussian_taps(_SIGMA)
    height, width = images.shape[-2:]
    return separable(
        images,
        filter_matrix(height, taps, border="replicate"),
        filter_matrix(width, taps, border="replicate"),
    )
