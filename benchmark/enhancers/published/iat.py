"""IAT: a convolutional branch per pixel, and ten attention queries for colour matrix and gamma.

Cui et al., "You Only Need 90K Parameters to Adapt Light: A Light Weight Transformer for Image
Enhancement and Exposure Correction", BMVC 2022, section 3.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.published.enhancer import Network

_LOCAL, _GLOBAL = 16, 64
_BLOCKS = 3
_QUERIES, _HEADS = 10, 4
_EXPAND = 4
_SMALLEST = 1e-8


class ColourNormalisation(nn.Module):
    """A learned mix of the channels and their scale, in the place of a layer norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))
        self.color = nn.Parameter(torch.eye(channels))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to the same shape; scale and shift are part of one 1 x 1 convolution."""
        weight = self.alpha.reshape(-1, 1) * self.color
        return functional.conv2d(features, weight[..., None, None], self.beta.flatten())


class Mlp(nn.Module):
    """Two layers with a GELU, four times as wide between them.

    Args:
        channels: in and out.
        layer: linear over the last axis, or a 1 x 1 convolution.
    """

    def __init__(self, channels: int, layer: type[nn.Linear] | type[PointConvolution]) -> None:
        super().__init__()
        self.fc1 = layer(channels, _EXPAND * channels)
        self.fc2 = layer(_EXPAND * channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.fc2(functional.gelu(self.fc1(features)))
        return result


class PointConvolution(nn.Conv2d):
    """A 1 x 1 convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 1)


class LocalBlock(nn.Module):
    """Position, a convolutional stand-in for attention, and an MLP, each added to its input."""

    def __init__(self) -> None:
        super().__init__()
        width = _LOCAL
        self.pos_embed = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1 = ColourNormalisation(width)
        self.conv1 = PointConvolution(width, width)
        self.attn = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.conv2 = PointConvolution(width, width)
        self.norm2 = ColourNormalisation(width)
        self.mlp = Mlp(width, PointConvolution)
        self.gamma_1 = nn.Parameter(torch.ones(1, width, 1, 1))
        self.gamma_2 = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, 16, H, W]`` to the same shape."""
        features = features + self.pos_embed(features)
        mixed = self.conv2(self.attn(self.conv1(self.norm1(features))))
        features = features + self.gamma_1 * mixed
        expanded: Tensor = self.mlp(self.norm2(features))
        return features + self.gamma_2 * expanded


class LocalBranch(nn.Module):
    """A factor and an addend for every pixel and colour."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _LOCAL, 3, padding=1)
        self.mul_blocks = nn.Sequential(*(LocalBlock() for _ in range(_BLOCKS)))
        self.add_blocks = nn.Sequential(*(LocalBlock() for _ in range(_BLOCKS)))
        self.mul_end = nn.Sequential(nn.Conv2d(_LOCAL, 3, 3, padding=1), nn.ReLU())
        self.add_end = nn.Sequential(nn.Conv2d(_LOCAL, 3, 3, padding=1), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` to the same shape."""
        features = functional.leaky_relu(self.conv1(images), 0.2)
        factor: Tensor = self.mul_end(self.mul_blocks(features) + features)
        addend: Tensor = self.add_end(self.add_blocks(features) + features)
        return images * factor + addend


class QueryAttention(nn.Module):
    """Ten learned queries look at all tokens of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Parameter(torch.zeros(1, _QUERIES, _GLOBAL))
        self.k = nn.Linear(_GLOBAL, _GLOBAL, bias=False)
        self.v = nn.Linear(_GLOBAL, _GLOBAL, bias=False)
        self.proj = nn.Linear(_GLOBAL, _GLOBAL)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, N, 64]`` to ``[B, 10, 64]``."""
        queries = self.q.expand(len(tokens), -1, -1)
        answers = functional.scaled_dot_product_attention(
            _heads(queries), _heads(self.k(tokens)), _heads(self.v(tokens))
        )
        result: Tensor = self.proj(answers.transpose(1, 2).flatten(2))
        return result


class QueryGenerator(nn.Module):
    """Position, attention (nothing is added to it) and an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(_GLOBAL, _GLOBAL, 3, padding=1, groups=_GLOBAL)
        self.norm1 = nn.LayerNorm(_GLOBAL)
        self.attn = QueryAttention()
        self.norm2 = nn.LayerNorm(_GLOBAL)
        self.mlp = Mlp(_GLOBAL, nn.Linear)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, 64, h, w]`` to ``[B, 10, 64]``."""
        features = features + self.pos_embed(features)
        found = self.attn(self.norm1(features.flatten(2).transpose(1, 2)))
        result: Tensor = found + self.mlp(self.norm2(found))
        return result


class Embedding(nn.Module):
    """A quarter of the size, 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, _GLOBAL // 2, _GLOBAL)
        first, second = (
            (nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after))
            for before, after in pairwise(widths)
        )
        self.proj = nn.Sequential(*first, nn.GELU(), *second)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` to ``[B, 64, H/4, W/4]``, rounded up."""
        result: Tensor = self.proj(images)
        return result


class GlobalBranch(nn.Module):
    """An exponent and a colour matrix for the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_large = Embedding()
        self.generator = QueryGenerator()
        self.gamma_linear = nn.Linear(_GLOBAL, 1)
        self.color_linear = nn.Linear(_GLOBAL, 1)
        self.gamma_base = nn.Parameter(torch.ones(1))
        self.color_base = nn.Parameter(torch.eye(3))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Exponents ``[B, 1]`` and matrices ``[B, 3, 3]``."""
        found = self.generator(self.conv_large(images))
        gamma = self.gamma_linear(found[:, 0]) + self.gamma_base
        colour = self.color_linear(found[:, 1:]).reshape(-1, 3, 3) + self.color_base
        return gamma, colour


class Iat(Network):
    """Local correction, colour matrix, gamma.

    Args:
        centred: the network wants [-1, 1] rather than [0, 1].
    """

    def __init__(self, *, centred: bool = False) -> None:
        super().__init__()
        self.local_net = LocalBranch()
        self.global_net = GlobalBranch()
        self.centred = centred

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``; outputs stay in [0, 1]."""
        if self.centred:
            images = images * 2 - 1
        gamma, colour = self.global_net(images)
        mixed = torch.einsum("bij,bjhw->bihw", colour, self.local_net(images))
        return torch.pow(mixed.clamp(_SMALLEST, 1), gamma[..., None, None])


def centred() -> Iat:
    """The network of the LOL-v2 weights."""
    return Iat(centred=True)


def _heads(tokens: Tensor) -> Tensor:
    """``[B, N, 64]`` to ``[B, 4, N, 16]``."""
    batch, count, _ = tokens.shape
    return tokens.reshape(batch, count, _HEADS, -1).transpose(1, 2)
