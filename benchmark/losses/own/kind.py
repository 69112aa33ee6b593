"""KinD's three losses, one for each of its networks, and those of KinD++.

Zhang et al., ACM MM 2019, equations 1 to 3, and IJCV 2021, in the form and with the weights of
their training programs, with two exceptions that make a sample independent of its batch and its
border: gradients are brought to [0, 1] over a picture rather than a batch, and there is none
across the border. Decomposition learns in the first half of a training, the other two from what it
then makes of the pictures; the programs train one after the other too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from benchmark.enhancers.published.kind import Parts, Retinex, stretched
from benchmark.imaging.ssim import ssim
from benchmark.losses.own.base import Batch, Optimiser, OwnObjective

_AXES = (2, 3)
_LUMA = (0.2989, 0.5870, 0.1140)
_FIRST = 0.5
_DECAY = 10.0
_STEEPEST = 0.01
#: References are asked for a little more contrast than their decomposition has.
_CONTRAST = 1.2


def slope(images: Tensor, axis: int, *, signed: bool = False) -> Tensor:
    """Differences of neighbours along an axis, every picture's brought to [0, 1]."""
    steps = images.diff(dim=axis)
    steps = steps if signed else steps.abs()
    low, high = steps.amin((1, 2, 3), keepdim=True), steps.amax((1, 2, 3), keepdim=True)
    return (steps - low) / (high - low + 1e-4)


def mutual_smoothness(one: Tensor, other: Tensor) -> Tensor:
    """Both illuminations smooth, except where both have the same edge, ``[B]``."""
    total = one.new_zeros(len(one))
    for axis in _AXES:
        both = slope(one, axis) + slope(other, axis)
        total = total + _mean(both * (-_DECAY * both).exp())
    return total


def follows(illumination: Tensor, images: Tensor) -> Tensor:
    """An illumination that changes only where its picture does, ``[B]``."""
    grey = _grey(images)
    total = grey.new_zeros(len(grey))
    for axis in _AXES:
        total = total + _mean(slope(illumination, axis) / slope(grey, axis).clamp(min=_STEEPEST))
    return total


def same_slopes(one: Tensor, other: Tensor, *, signed: bool = False) -> Tensor:
    """Squared difference of slopes, ``[B]``."""
    total = one.new_zeros(len(one))
    for axis in _AXES:
        difference = slope(one, axis, signed=signed) - slope(other, axis, signed=signed)
        total = total + _mean(difference.square())
    return total


class KindObjective(OwnObjective):
    """KinD's."""

    terms = {
        "decomposition": {
            "reconstruct_low": 1.0,
            "reconstruct_high": 1.0,
            "reflectance": 0.01,
            "mutual": 0.2,
            "follows_low": 0.15,
            "follows_high": 0.15,
        },
        "restoration": {"square": 1.0, "similarity": 1.0, "gradient": 1.0},
        "adjustment": {"square": 1.0, "gradient": 1.0},
    }
    optimiser = Optimiser(rate=1e-4)
    #: Whether a falling and a rising edge of an illumination are different.
    signed: ClassVar[bool] = False
    #: Factor on the reference's reflectance.
    shade: ClassVar[float] = 1.0

    def players(self) -> Mapping[str, nn.Module]:
        """The three networks."""
        names = cast(Retinex, self.network).parts
        return {
            player: self.network.get_submodule(name)
            for player, name in zip(self.terms, names, strict=True)
        }

    def turns(self, progress: float) -> tuple[str, ...]:
        """Decomposition, then the two that need it."""
        first, *later = self.terms
        return (first,) if progress < _FIRST else tuple(later)

    def forward(self, batch: Batch, turns: tuple[str, ...]) -> dict[str, Tensor]:
        """The terms of the phase that it is."""
        network = cast(Retinex, self.network)
        low, high = stretched(batch.inputs), stretched(batch.references)
        if "decomposition" in turns:
            return self._decomposition(low, high)
        with torch.no_grad():
            dark, bright = network.decompose(low), network.decompose(high)
        return {**self._restoration(dark, bright), **self._adjustment(dark, bright, batch)}

    def _decomposition(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        dark, bright = (cast(Retinex, self.network).decompose(images) for images in (low, high))
        found = {
            "reconstruct_low": _mean((dark.reflectance * dark.illumination - low).abs()),
            "reconstruct_high": _mean((bright.reflectance * bright.illumination - high).abs()),
            "reflectance": _mean((dark.reflectance - bright.reflectance).abs()),
            "mutual": mutual_smoothness(dark.illumination, bright.illumination),
            "follows_low": follows(dark.illumination, low),
            "follows_high": follows(bright.illumination, high),
        }
        return {f"decomposition.{name}": value for name, value in found.items()}

    def _restoration(self, dark: Parts, bright: Parts) -> dict[str, Tensor]:
        restored = cast(Retinex, self.network).restore(dark)
        target = (bright.reflectance * self.shade) ** _CONTRAST
        found = {
            "square": _mean((restored - target).square()),
            "similarity": 1 - ssim(restored, target),
            "gradient": same_slopes(_grey(restored), _grey(target)),
        }
        wanted = self.terms["restoration"]
        return {f"restoration.{name}": found[name] for name in wanted}

    def _adjustment(self, dark: Parts, bright: Parts, batch: Batch) -> dict[str, Tensor]:
        """From dark to bright or back, as a coin says for every sample."""
        coins = torch.rand(len(batch.inputs), generator=batch.generator) < 0.5
        up = coins.to(batch.inputs.device)[:, None, None, None]
        low, high = dark.illumination, bright.illumination
        share = (low / (high + 1e-4)).mean((1, 2, 3))
        ratio = torch.where(up.flatten(), 1 / share + 1e-4, share)
        given, target = torch.where(up, low, high), torch.where(up, high, low)
        adjusted = cast(Retinex, self.network).adjust(given, ratio)
        return {
            "adjustment.square": _mean((adjusted - target).square()),
            "adjustment.gradient": same_slopes(adjusted, target, signed=self.signed),
        }


class KindPlusPlusObjective(KindObjective):
    """KinD++'s."""

    terms = {
        "decomposition": {**KindObjective.terms["decomposition"], "reflectance": 0.009},
        "restoration": {"square": 1.0, "similarity": 1.0},
        "adjustment": KindObjective.terms["adjustment"],
    }
    signed = True
    shade = 0.99


def _mean(values: Tensor) -> Tensor:
    return values.mean((1, 2, 3))


def _grey(images: Tensor) -> Tensor:
    return (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
