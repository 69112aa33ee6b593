"""The invertible steps of a conditional flow, each with the logarithm of its determinant.

Kingma & Dhariwal, "Glow", NeurIPS 2018, section 3, for normalisation and mixing; Lugmayr et al.,
"SRFlow", ECCV 2020, section 3.3, for the conditional coupling, as LLFlow takes both over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Keeps a scale away from zero.
_LEAST = 1e-4
_INITIAL_SPREAD = 0.05
_LOG_SCALE = 3.0


class Invertible(nn.Module, ABC):
    """A step of the flow: pictures one way, latents the other."""

    @abstractmethod
    def forward(self, values: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Towards the latent.

        Args:
            values: ``[B, C, H, W]``.
            condition: ``[B, D, H, W]``, or of twice the sides for a squeeze, which ignores it.

        Returns:
            Values, and ln |det| of the step for every sample, ``[B]``.
        """

    @abstractmethod
    def inverse(self, values: Tensor, condition: Tensor) -> Tensor:
        """Towards the picture: what :meth:`forward` was given."""


class Squeeze(Invertible):
    """Four pixels become one of four times the channels."""

    def forward(self, values: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, C, H, W]`` to ``[B, 4 C, H / 2, W / 2]``; the determinant is 1."""
        del condition
        return functional.pixel_unshuffle(values, 2), values.new_zeros(len(values))

    def inverse(self, values: Tensor, condition: Tensor) -> Tensor:
        """And back."""
        del condition
        return functional.pixel_shuffle(values, 2)


class ActNorm(nn.Module):
    """Shift and scale of every channel, set by the first batch of a training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.logs = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self._set = False

    def forward(self, values: Tensor) -> Tensor:
        """Same shape."""
        if self.training and not self._set:
            self._set_by(values.detach())
        return (values + self.bias) * self.logs.exp()

    def inverse(self, values: Tensor) -> Tensor:
        """What :meth:`forward` was given."""
        return values * (-self.logs).exp() - self.bias

    def log_determinant(self, values: Tensor) -> Tensor:
        """ln |det| for every sample, ``[B]``."""
        return (self.logs.sum() * values[0, 0].numel()).expand(len(values))

    def _set_by(self, values: Tensor) -> None:
        """Mean 0 and variance 1; weights that a file or an earlier step brought stay."""
        self._set = True
        if self.bias.any():
            return
        self.bias.data.copy_(-values.mean((0, 2, 3), keepdim=True))
        spread = (values + self.bias.data).square().mean((0, 2, 3), keepdim=True).sqrt()
        self.logs.data.copy_(-(spread + 1e-6).log())


class Mixing(nn.Module):
    """An invertible matrix over the channels, the same at every place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels))
        nn.init.orthogonal_(self.weight)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values and ln |det| for every sample, ``[B]``."""
        logarithm = torch.linalg.slogdet(self.weight)[1] * values[0, 0].numel()
        return _mixed(values, self.weight), logarithm.expand(len(values))

    def inverse(self, values: Tensor) -> Tensor:
        """What :meth:`forward` was given."""
        # in double: the network goes through some forty of these
        return _mixed(values, self.weight.double().inverse().to(values))


class NormedConvolution(nn.Conv2d):
    """A convolution whose bias is an :class:`ActNorm`."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__(before, after, kernel, padding=kernel // 2, bias=False)
        nn.init.normal_(self.weight, std=_INITIAL_SPREAD)
        self.actnorm = ActNorm(after)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is PyTorch's
        """``[B, before, H, W]`` to ``[B, after, H, W]``."""
        result: Tensor = self.actnorm(super().forward(input))
        return result


class ZeroConvolution(nn.Conv2d):
    """A convolution that starts at zero and learns its scale in logarithms."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]
        self.logs = nn.Parameter(torch.zeros(after, 1, 1))

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is PyTorch's
        """``[B, before, H, W]`` to ``[B, after, H, W]``."""
        return super().forward(input) * (self.logs * _LOG_SCALE).exp()


class Coupling(nn.Module):
    """Scale and shift of all channels by the condition, then of half by the other half as well."""

    def __init__(self, channels: int, condition: int, hidden: int) -> None:
        super().__init__()
        self.kept = channels // 2
        changed = channels - self.kept
        self.fAffine = _estimator(self.kept + condition, 2 * changed, hidden)
        self.fFeatures = _estimator(condition, 2 * channels, hidden)

    def forward(self, values: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Values and ln |det| for every sample, ``[B]``."""
        scale, shift = _affine(self.fFeatures(condition))
        values = (values + shift) * scale
        logarithm = _total(scale.log())
        kept, changed = values[:, : self.kept], values[:, self.kept :]
        scale, shift = _affine(self.fAffine(torch.cat([kept, condition], 1)))
        logarithm = logarithm + _total(scale.log())
        return torch.cat([kept, (changed + shift) * scale], 1), logarithm

    def inverse(self, values: Tensor, condition: Tensor) -> Tensor:
        """What :meth:`forward` was given."""
        kept, changed = values[:, : self.kept], values[:, self.kept :]
        scale, shift = _affine(self.fAffine(torch.cat([kept, condition], 1)))
        values = torch.cat([kept, changed / scale - shift], 1)
        scale, shift = _affine(self.fFeatures(condition))
        return values / scale - shift


class FlowStep(Invertible):
    """Normalisation, mixing and, unless it has no condition, a coupling."""

    def __init__(self, channels: int, *, condition: int = 0, hidden: int = 64) -> None:
        super().__init__()
        self.actnorm = ActNorm(channels)
        self.invconv = Mixing(channels)
        self.affine = Coupling(channels, condition, hidden) if condition else None

    def forward(self, values: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Towards the latent."""
        values = self.actnorm(values)
        logarithm = self.actnorm.log_determinant(values)
        values, more = self.invconv(values)
        logarithm = logarithm + more
        if self.affine is not None:
            values, more = self.affine(values, condition)
            logarithm = logarithm + more
        return values, logarithm

    def inverse(self, values: Tensor, condition: Tensor) -> Tensor:
        """Towards the picture."""
        if self.affine is not None:
            values = self.affine.inverse(values, condition)
        return self.actnorm.inverse(self.invconv.inverse(values))


def _mixed(values: Tensor, matrix: Tensor) -> Tensor:
    return functional.conv2d(values, matrix[:, :, None, None])


def _estimator(before: int, after: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        NormedConvolution(before, hidden, 3),
        nn.ReLU(),
        NormedConvolution(hidden, hidden, 1),
        nn.ReLU(),
        ZeroConvolution(hidden, after),
    )


def _affine(estimate: Tensor) -> tuple[Tensor, Tensor]:
    """Scale in (0, 1] and shift, which take turns in the channels."""
    return torch.sigmoid(estimate[:, 1::2] + 2) + _LEAST, estimate[:, 0::2]


def _total(values: Tensor) -> Tensor:
    return values.sum((1, 2, 3))
