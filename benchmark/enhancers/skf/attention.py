"""The semantic-aware embedding module of SKF: image features attend to semantic ones.

Wu et al., "Learning Semantic-Aware Knowledge Guidance for Low-Light Image Enhancement", CVPR 2023,
equations 4 and 5 (methods, section 2.2). Attention runs between channels, so that its cost grows
with the picture and not with its square.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Form = Literal["paper", "release"]

_HEADS = 2
_EXPANSION = 2.66


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every place, with bias."""

    def __init__(self, channels: int, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]``, same shape."""
        mean = features.mean(1, keepdim=True)
        spread = features.var(1, keepdim=True, unbiased=False)
        normal = (features - mean) / (spread + self.epsilon).sqrt()
        return normal * self.weight[:, None, None] + self.bias[:, None, None]


class GatedFeedForward(nn.Module):
    """1 x 1 to twice the hidden width, 3 x 3 depth-wise, GELU(a) b, 1 x 1 back; no biases."""

    def __init__(self, channels: int, expansion: float = _EXPANSION) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.enter = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.mix = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.leave = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]``, same shape."""
        gate, passed = self.mix(self.enter(features)).chunk(2, 1)
        result: Tensor = self.leave(functional.gelu(gate) * passed)
        return result


class SemanticEmbedding(nn.Module):
    """F_o = FN(A x W_v(LN(F_i)) + F_i), A = softmax(t W_q(LN(F_s)) W_k(LN(F_i))^T).

    Queries and keys have unit length over the places, and t is learned, as in the authors' release:
    the paper divides the bare product by sqrt(C), a sum over all places that grows with the picture
    until the softmax is a switch. ``release`` adds the attended values to the normalised feature,
    as the release does; ``paper`` to the feature itself, as equation 5 says.

    Args:
        semantic: channels of the semantic features.
        channels: channels of the image features, even.
        form: what the attended values are added to.
    """

    def __init__(self, semantic: int, channels: int, *, form: Form = "paper") -> None:
        super().__init__()
        self.form = form
        self.enter = nn.Conv2d(semantic, channels, 1)
        self.norm = ChannelNorm(channels)
        self.keys_values = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels, bias=False),
        )
        self.queries = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
        self.temperature = nn.Parameter(torch.ones(_HEADS, 1, 1))
        self.leave = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm_after = ChannelNorm(channels)
        self.feed_forward = GatedFeedForward(channels)

    def forward(self, features: Tensor, semantics: Tensor) -> Tensor:
        """Image features that know what is where.

        Args:
            features: ``[B, channels, H, W]``.
            semantics: ``[B, semantic, h, w]``, any size.
        """
        normal, attention, values = self.attend(features, semantics)
        mixed = (attention @ values).reshape(features.shape)
        features = self.leave(mixed) + (features if self.form == "paper" else normal)
        result: Tensor = features + self.feed_forward(self.norm_after(features))
        return result

    def attend(self, features: Tensor, semantics: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised features, attention ``[B, 2, C/2, C/2]`` of rows that sum to 1, and values."""
        semantics = functional.interpolate(semantics, size=features.shape[-2:], mode="nearest")
        normal = self.norm(features)
        keys, values = (_heads(part) for part in self.keys_values(normal).chunk(2, 1))
        queries = _heads(self.queries(self.norm(self.enter(semantics))))
        queries, keys = functional.normalize(queries, dim=-1), functional.normalize(keys, dim=-1)
        products = queries @ keys.transpose(-2, -1) * self.temperature
        return normal, products.softmax(-1), values


def _heads(features: Tensor) -> Tensor:
    """``[B, C, H, W]`` to ``[B, heads, C / heads, H W]``."""
    batch, channels = features.shape[:2]
    return features.reshape(batch, _HEADS, channels // _HEADS, -1)
