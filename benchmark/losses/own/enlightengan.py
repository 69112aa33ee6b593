"""EnlightenGAN learns from pictures without a partner: two judges, and the input's own features.

Jiang et al., IEEE TIP 2021, section III, with the options of the authors' ``scripts/script.py``:
the global judge is relativistic, the local one is not, and all four terms weigh the same. What it
takes for real are the references of other samples. The authors also darken half of the inputs at
random; the suite augments nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.assets.fitting import initialised
from benchmark.losses.base import Instruments
from benchmark.losses.own.base import Batch, Optimiser, OwnObjective

#: Local patches of a step, and their side in pixels.
PATCHES, _SIDE = 6, 32
_SLOPE = 0.2
_WIDEST = 8


class Judge(nn.Module):
    """How real every part of a picture looks: 4 x 4 convolutions, no normalisation.

    Args:
        halvings: convolutions of stride 2; 5 for pictures and 4 for patches.
        width: of the first layer.
    """

    def __init__(self, halvings: int, width: int = 64) -> None:
        super().__init__()
        widths = [3, *(width * min(1 << n, _WIDEST) for n in range(halvings + 1))]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            stride = 2 if number < halvings else 1
            layers += [nn.Conv2d(before, after, 4, stride, 2), nn.LeakyReLU(_SLOPE)]
        self.model = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 2))

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, H, W]`` in [-1, 1] to ``[B, 1, h, w]``; 1 means real."""
        result: Tensor = self.model(images)
        return result


def relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """Every answer against the mean of the other side's (equations 3 and 4), ``[B]``.

    Args:
        better: answers that are to be one above the mean of ``worse``.
        worse: answers that are to equal the mean of ``better``.
    """
    above = (better - worse.mean() - 1).square().mean((1, 2, 3))
    return (above + (worse - better.mean()).square().mean((1, 2, 3))) / 2


def towards(answers: Tensor, target: float) -> Tensor:
    """Squared distance of a picture's answers, ``[B]``."""
    return (answers - target).square().mean((1, 2, 3))


class EnlightenGanObjective(OwnObjective):
    """The generator, and the two judges that learn beside it."""

    terms = {
        "generator": {"real": 1.0, "real_patch": 1.0, "features": 1.0, "features_patch": 1.0},
        "judge": {"real": 1.0},
        "patch_judge": {"real": 1.0},
    }
    optimiser = Optimiser(rate=1e-4, betas=(0.5, 0.999))
    #: Width of the judges' first layer.
    width = 64

    def __init__(self, network: nn.Module, instruments: Instruments) -> None:
        super().__init__(network, instruments)
        self.judge = initialised(lambda: Judge(5, self.width), 1)
        self.patch_judge = initialised(lambda: Judge(4, self.width), 2)
        # in a tuple: frozen, it is no part of what a checkpoint keeps
        self._features = (instruments.features().eval().requires_grad_(False),)

    def players(self) -> Mapping[str, nn.Module]:
        """Generator and judges."""
        return {
            "generator": self.network,
            "judge": self.judge,
            "patch_judge": self.patch_judge,
        }

    def forward(self, batch: Batch, turns: tuple[str, ...]) -> dict[str, Tensor]:
        """All terms."""
        del turns
        dark, fake = batch.inputs * 2 - 1, self.network(batch.inputs) * 2 - 1
        # of another sample, unless there is only one
        shift = 1 + int(torch.randint(max(len(dark) - 1, 1), (1,), generator=batch.generator))
        real = (batch.references * 2 - 1).roll(shift, 0)
        patches = _patches(torch.stack([dark, fake, real]), batch.generator)
        dark_patch, fake_patch, real_patch = patches
        return {
            "generator.real": relativistic(self.judge(fake), self.judge(real)),
            "generator.real_patch": _by_sample(towards(self.patch_judge(fake_patch), 1)),
            "generator.features": self._distance(fake, dark),
            "generator.features_patch": _by_sample(self._distance(fake_patch, dark_patch)),
            "judge.real": relativistic(self.judge(real), self.judge(fake.detach())),
            "patch_judge.real": _by_sample(
                towards(self.patch_judge(real_patch), 1)
                + towards(self.patch_judge(fake_patch.detach()), 0)
            )
            / 2,
        }

    def _distance(self, one: Tensor, other: Tensor) -> Tensor:
        """Squared distance of normalised features (equation 5), ``[B]``; of pictures in [-1, 1]."""
        network = self._features[0].to(one.device)
        found = (functional.instance_norm(network((x + 1) / 2)) for x in (one, other))
        first, second = found
        return (first - second).square().mean((1, 2, 3))


def _patches(stacked: Tensor, generator: torch.Generator) -> Tensor:
    """The same random crops of several batches: ``[K, B, 3, H, W]`` to ``[K, P * B, 3, h, w]``."""
    height, width = stacked.shape[-2:]
    tall, wide = min(_SIDE, height), min(_SIDE, width)
    tops = torch.randint(height - tall + 1, (PATCHES,), generator=generator).tolist()
    lefts = torch.randint(width - wide + 1, (PATCHES,), generator=generator).tolist()
    crops = [stacked[..., t : t + tall, lf : lf + wide] for t, lf in zip(tops, lefts, strict=True)]
    return torch.cat(crops, 1)


def _by_sample(values: Tensor) -> Tensor:
    """Mean over the patches of a sample, ``[P * B]`` to ``[B]``."""
    return values.view(PATCHES, -1).mean(0)
