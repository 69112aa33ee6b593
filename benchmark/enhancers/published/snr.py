"""SNR-LLIE-Net: short range where the picture is clean, long range where it drowns in noise.

Xu et al., "SNR-Aware Low-Light Image Enhancement", CVPR 2022, sections 3.1 to 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.borders import mirrored
from benchmark.enhancers.published.enhancer import Network

_PATCH = 4
#: The encoder's stride times the side of a patch: what must divide the sides.
_UNIT = 4 * _PATCH
_HEADS, _HEAD = 8, 64
_TRUSTED = 0.5
_WINDOW = 5
_LUMA = (0.299, 0.587, 0.114)
_SLOPE = 0.1


def noise_map(images: Tensor) -> Tensor:
    """How far signal exceeds noise, section 3.1: ``[B, 1, H, W]``, the best place of each 1.

    The signal is the grey picture averaged over 5 x 5 pixels, the noise what that takes away.

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
    """
    grey = (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    reach = _WINDOW // 2
    around = mirrored(grey, left=reach, right=reach, top=reach, bottom=reach)
    signal = functional.avg_pool2d(around, _WINDOW, stride=1)
    ratio = signal / ((grey - signal).abs() + 1e-4)
    return (ratio / (ratio.amax((2, 3), keepdim=True) + 1e-4)).clamp(0, 1)


class ResidualBlock(nn.Module):
    """Two convolutions added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        for layer in (self.conv1, self.conv2):
            # a small start keeps the residual branch near zero
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 0.1
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.conv2(self.conv1(features).relu())
        return result + features


class Attention(nn.Module):
    """Every patch looks at all that can be trusted; eight heads of 64."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _HEADS * _HEAD
        self.w_qs = nn.Linear(channels, inner, bias=False)
        self.w_ks = nn.Linear(channels, inner, bias=False)
        self.w_vs = nn.Linear(channels, inner, bias=False)
        self.fc = nn.Linear(inner, channels, bias=False)
        self.layer_norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, tokens: Tensor, ignored: Tensor) -> Tensor:
        """``[B, N, C]`` to the same shape.

        Args:
            tokens: patches.
            ignored: ``[B, N]`` bool, patches that nobody looks at; where it is all of them,
                everybody looks at all alike.
        """
        normed = self.layer_norm(tokens)
        queries, keys, values = (
            layer(normed).unflatten(2, (_HEADS, _HEAD)).transpose(1, 2)
            for layer in (self.w_qs, self.w_ks, self.w_vs)
        )
        scores = queries @ keys.mT / _HEAD**0.5
        seen = scores.masked_fill(ignored[:, None, None], -1e9).softmax(-1) @ values
        result: Tensor = self.fc(seen.transpose(1, 2).flatten(2))
        return result + tokens


class FeedForward(nn.Module):
    """Two linear layers on every patch, added to it."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(channels, inner)
        self.w_2 = nn.Linear(inner, channels)
        self.layer_norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.w_2(self.w_1(self.layer_norm(tokens)).relu())
        return result + tokens


class Layer(nn.Module):
    """Attention, then the feed-forward part."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.slf_attn = Attention(channels)
        self.pos_ffn = FeedForward(channels, inner)

    def forward(self, tokens: Tensor, ignored: Tensor) -> Tensor:
        """``[B, N, C]`` to the same shape."""
        result: Tensor = self.pos_ffn(self.slf_attn(tokens, ignored))
        return result


class Transformer(nn.Module):
    """Layers, one after the other; there is no position in them, as released."""

    def __init__(self, channels: int, inner: int, layers: int) -> None:
        super().__init__()
        self.layer_stack = nn.ModuleList(Layer(channels, inner) for _ in range(layers))

    def forward(self, tokens: Tensor, ignored: Tensor) -> Tensor:
        """``[B, N, C]`` to the same shape."""
        for layer in self.layer_stack:
            tokens = layer(tokens, ignored)
        return tokens


class SnrNet(Network):
    """The input plus a residual that both ranges make, blended by the map of the noise.

    Args:
        width: channels, 64 as published; a patch of 4 x 4 has 16 times as many.
        inner: of the feed-forward parts.
        layers: of the transformer.
    """

    def __init__(self, width: int = 64, *, inner: int = 2048, layers: int = 6) -> None:
        super().__init__()
        self.conv_first_1 = nn.Conv2d(3, width, 3, padding=1)
        self.conv_first_2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.conv_first_3 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.feature_extraction = nn.Sequential(ResidualBlock(width))
        self.recon_trunk = nn.Sequential(ResidualBlock(width))
        self.upconv1 = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        self.upconv2 = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        self.HRconv = nn.Conv2d(2 * width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)
        self.transformer = Transformer(_PATCH**2 * width, inner, layers)
        self.recon_trunk_light = nn.Sequential(*(ResidualBlock(width) for _ in range(6)))

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``.

        Sides that 16 does not divide are stretched to the next multiple and back, as the authors
        do with LOL's 600 columns.
        """
        height, width = images.shape[-2:]
        target = (height + -height % _UNIT, width + -width % _UNIT)
        trusted = noise_map(images)
        if target == (height, width):
            return self._at_whole_patches(images, trusted)
        output = self._at_whole_patches(_stretched(images, target), _stretched(trusted, target))
        return _stretched(output, (height, width))

    def _at_whole_patches(self, images: Tensor, trusted: Tensor) -> Tensor:
        full = _bent(self.conv_first_1(images))
        half = _bent(self.conv_first_2(full))
        quarter = _bent(self.conv_first_3(half))
        features = self.feature_extraction(quarter)
        near = self.recon_trunk_light(features)
        trusted = functional.interpolate(trusted, size=features.shape[-2:], mode="nearest")
        far = self._far(features, functional.avg_pool2d(trusted, _PATCH) <= _TRUSTED)
        both = self.recon_trunk(far * (1 - trusted) + near * trusted)
        decoded = _doubled(self.upconv1(torch.cat([both, quarter], 1)))
        decoded = _doubled(self.upconv2(torch.cat([decoded, half], 1)))
        decoded = _bent(self.HRconv(torch.cat([decoded, full], 1)))
        result: Tensor = self.conv_last(decoded) + images
        return result

    def _far(self, features: Tensor, ignored: Tensor) -> Tensor:
        """Long range: patches of 4 x 4 attend to those that are not ``ignored``."""
        tokens = functional.unfold(features, _PATCH, stride=_PATCH).mT
        tokens = self.transformer(tokens, ignored.flatten(1))
        return functional.fold(tokens.mT, features.shape[-2:], _PATCH, stride=_PATCH)


def _bent(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, _SLOPE)


def _doubled(features: Tensor) -> Tensor:
    return _bent(functional.pixel_shuffle(features, 2))


def _stretched(images: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
