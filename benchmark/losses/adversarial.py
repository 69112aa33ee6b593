"""The SA loss of SKF: a discriminator that is shown the region that looks least real.

Wu et al., CVPR 2023, equations 11 to 14 (methods, section 2.4), as the paper has it: the fake patch
is the refined patch that the discriminator scores lowest, the real one a random crop of a real
picture. (In the release both candidates alias one tensor, the generator goes through a stem that
is never trained, and the discriminator starts again every epoch: methods, section 2.7.)

It is no :class:`benchmark.losses.base.LossTerm`: its discriminator learns while the host does, so
no divisor can be frozen for it and arms of one seed would no longer be compared under the same
terms. :class:`SemanticAdversary` is the alternate update; a recipe can name it (``adversary``), and
only the study of SKF's parts does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.errors import DataError
from benchmark.judges.semantics import KnowledgeBank
from benchmark.losses.histogram import LEAST, refined

#: Width of every layer, in widths of the first.
_GROWTH = (1, 1, 2, 2, 4, 4, 8, 8)


class Discriminator(nn.Module):
    """Eight 3 x 3 convolutions, every second of stride 2, and the mean of a 1 x 1 one.

    Two stems share the rest: pictures (3 channels) and pictures with their segmentation.

    Args:
        classes: channels of the segmentation.
        width: of the first layer.
    """

    def __init__(self, classes: int, *, width: int = 64) -> None:
        super().__init__()
        widths = [factor * width for factor in _GROWTH]
        self.local_stem = nn.Conv2d(3, width, 3, padding=1)
        self.global_stem = nn.Conv2d(3 + classes, width, 3, padding=1)
        layers: list[nn.Module] = [nn.ReLU()]
        for number, after in enumerate(widths[1:], start=1):
            stride = 2 if number % 2 else 1
            layers += [
                nn.Conv2d(widths[number - 1], after, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1))

    def local(self, patches: Tensor) -> Tensor:
        """How real ``[N, 3, H, W]`` look, ``[N]`` in [0, 1]."""
        return self._answer(self.local_stem(patches))

    def whole(self, images: Tensor, logits: Tensor) -> Tensor:
        """How real ``[N, 3, H, W]`` look beside their segmentation ``[N, C, H, W]``, ``[N]``."""
        return self._answer(self.global_stem(torch.cat([images, logits], 1)))

    def _answer(self, features: Tensor) -> Tensor:
        result: Tensor = self.trunk(features).mean((1, 2, 3)).sigmoid()
        return result


@torch.no_grad()
def least_real(
    images: Tensor, classes: Tensor, count: int, discriminator: Discriminator
) -> tuple[Tensor, Tensor]:
    """The region of every picture that the discriminator believes least (equation 12).

    Candidates are the refined patches: the picture where a class is, away from its borders, black
    elsewhere. Batch statistics would let a picture's choice depend on its neighbours, so running
    ones are used.

    Args:
        images: ``[B, 3, H, W]``.
        classes: ``[B, H, W]`` int64.
        count: number of classes.
        discriminator: scores patches.

    Returns:
        Mask of the patch, ``[B, 1, H, W]`` of 0 and 1, and its class, ``[B]``; everything and -1
        where no class has 64 pixels.
    """
    inner = refined(classes)
    training = discriminator.training
    discriminator.eval()
    lowest = images.new_full((len(images),), torch.inf)
    chosen = torch.full_like(classes[:, 0, 0], -1)
    for number in range(count):
        mask = (inner == number)[:, None]
        rows = torch.nonzero(mask.sum((1, 2, 3)) >= LEAST).flatten()
        if not len(rows):
            continue
        score = discriminator.local(images[rows] * mask[rows])
        lower = score < lowest[rows]
        lowest[rows] = torch.minimum(score, lowest[rows])
        chosen[rows] = torch.where(lower, torch.full_like(rows, number), chosen[rows])
    discriminator.train(training)
    masks = torch.where(
        (chosen >= 0)[:, None, None], inner == chosen[:, None, None], torch.ones_like(inner).bool()
    )
    return masks[:, None].to(images), chosen


def random_crops(images: Tensor, generator: torch.Generator, *, share: float = 0.5) -> Tensor:
    """One crop of every picture at a random place, ``[B, 3, H * share, W * share]``."""
    height, width = images.shape[-2:]
    tall, wide = max(round(height * share), 1), max(round(width * share), 1)
    top = torch.randint(height - tall + 1, (len(images),), generator=generator)
    left = torch.randint(width - wide + 1, (len(images),), generator=generator)
    return torch.stack(
        [
            image[:, t : t + tall, lf : lf + wide]
            for image, t, lf in zip(images, top.tolist(), left.tolist(), strict=True)
        ]
    )


@dataclass(frozen=True)
class AdversaryRecipe:
    """How the discriminator learns.

    Attributes:
        form: ``semantic`` is the paper's; ``plain`` shows it whole pictures and nothing else, the
            control of the paper's Table 4.
        weight: of its loss in the host's objective; 0.1 is the DRBN fork's, the paper gives none.
        rate: learning rate of its Adam.
        share_global: weight of the global part of its loss, the local part gets the rest; the
            paper adds them plainly, the DRBN fork has 0.9.
        width: of its first layer.
        seed: of its initial weights and of the real crops.
    """

    form: Literal["semantic", "plain"] = "semantic"
    weight: float = 0.1
    rate: float = 1e-4
    share_global: float = 0.5
    width: int = 64
    seed: int = 0


class SemanticAdversary:
    """The discriminator with its optimiser: one alternate update a step.

    Call :meth:`update` with the host's outputs detached, then add :meth:`loss` to the host's own
    loss. What a step draws depends on the seed and its number alone, so a training that continues
    from :meth:`state_dict` ends like one that ran through.

    Args:
        bank: frozen segmenter.
        recipe: how the discriminator learns.
        device: where.
    """

    def __init__(
        self,
        bank: KnowledgeBank,
        recipe: AdversaryRecipe | None = None,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        self.recipe = recipe or AdversaryRecipe()
        self.bank = bank.to(device)
        self.classes = len(bank.classes)
        self.discriminator = initialised(
            lambda: Discriminator(self.classes, width=self.recipe.width), self.recipe.seed
        )
        self.discriminator.to(device).train()
        self.optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=self.recipe.rate)

    def update(self, outputs: Tensor, references: Tensor, *, step: int) -> float:
        """Teach the discriminator (equations 11 and 13); the host gets no gradient.

        Args:
            outputs: ``[B, 3, H, W]`` of the host.
            references: real pictures ``[B, 3, H, W]``.
            step: number of the step; fixes the real crops.

        Returns:
            Its loss.

        Raises:
            DataError: if its loss is not finite.
        """
        outputs, judge = outputs.detach(), self.discriminator
        if self.recipe.form == "plain":
            apart = _towards(judge.local(references), 1) + _towards(judge.local(outputs), 0)
        else:
            apart = self._apart(outputs, references, step)
        loss = apart.mean() / 2
        if not loss.isfinite():
            raise DataError(
                f"the discriminator's loss stopped being finite at step {step}",
                mend="lower its learning rate",
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    def loss(self, outputs: Tensor) -> Tensor:
        """L_SA = L_global + L_local of every sample (equation 14), ``[B]`` from 0 to 2.

        The discriminator is frozen meanwhile, running statistics included, so a sample does not
        depend on its batch; the segmentation is taken as it is, without gradient. In the plain form
        there is one answer about the whole picture, from 0 to 1.
        """
        judge = self.discriminator
        judge.eval().requires_grad_(False)
        try:
            if self.recipe.form == "plain":
                return _towards(judge.local(outputs), 1)
            logits = self._logits(outputs)
            mask, _ = least_real(outputs.detach(), logits.argmax(1), self.classes, judge)
            local = _towards(judge.local(outputs * mask), 1)
            return local + _towards(judge.whole(outputs, logits), 1)
        finally:
            judge.train().requires_grad_(True)

    def _apart(self, outputs: Tensor, references: Tensor, step: int) -> Tensor:
        """What it has to learn of every sample, ``[B]``: patches and pictures, real and not."""
        judge, real, fake = self.discriminator, self._logits(references), self._logits(outputs)
        mask, _ = least_real(outputs, fake.argmax(1), self.classes, judge)
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + step)
        local = _towards(judge.local(random_crops(references, generator)), 1)
        local = local + _towards(judge.local(outputs * mask), 0)
        overall = _towards(judge.whole(references, real), 1)
        overall = overall + _towards(judge.whole(outputs, fake), 0)
        share = self.recipe.share_global
        return share * overall + (1 - share) * local

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, tensors only."""
        state = {f"network.{n}": t for n, t in self.discriminator.state_dict().items()}
        for index, kept in self.optimiser.state_dict()["state"].items():
            state |= {f"adam.{index}.{name}": value for name, value in kept.items()}
        return {name: value.detach().clone() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state_dict` gave."""
        prefix = "network."
        own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
        self.discriminator.load_state_dict(own)
        kept: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, index, field = name.split(".", 2)
                kept.setdefault(int(index), {})[field] = value.clone()
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": kept, "param_groups": groups})

    @torch.no_grad()
    def _logits(self, images: Tensor) -> Tensor:
        return self.bank(images.detach()).logits  # type: ignore[no-any-return]


def _towards(answers: Tensor, target: float) -> Tensor:
    """Squared distance (least-squares GAN) of every answer, ``[N]``."""
    return (answers - target).square()
