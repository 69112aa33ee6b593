"""The SA loss: which patch is shown, what is learnt, and that a training can be continued."""

from __future__ import annotations

from typing import Never

import pytest
import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.judges.semantics import SceneBank, SceneNet
from benchmark.losses.adversarial import (
    AdversaryRecipe,
    Discriminator,
    SemanticAdversary,
    least_real,
    random_crops,
)

SMALL = AdversaryRecipe(width=8)


class PrefersRed(Discriminator):
    """Believes in red: the score of a patch is its mean red."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def local(self, patches: Tensor) -> Tensor:
        lit = patches.sum(1) > 0
        return patches[:, 0].sum((1, 2)) / lit.sum((1, 2)).clamp(min=1)


@pytest.fixture(scope="module")
def bank() -> SceneBank:
    return SceneBank(initialised(SceneNet, 0), "ab" * 32)


def pictures(seed: int, count: int = 2) -> Tensor:
    return torch.rand(count, 3, 48, 40, generator=torch.Generator().manual_seed(seed))


def test_the_region_that_looks_least_real_is_chosen_and_borders_are_left_out() -> None:
    classes = torch.zeros(3, 48, 40, dtype=torch.int64)
    classes[:, :24, 20:] = 1
    classes[:, 24:, 20:] = 2
    images = torch.full((3, 3, 48, 40), 0.9)
    images[0][:, classes[0] == 1] = 0.1  # planted: the upper right one, then the left one
    images[1][:, classes[1] == 0] = 0.2
    images[2][:, :2, 38:] = 0.0
    classes[2] = 3
    classes[2, :2, 38:] = 1  # too small to be a candidate, however fake
    mask, chosen = least_real(images, classes, 4, PrefersRed())
    assert chosen.tolist() == [1, 0, 3]
    assert mask[0, 0, :21, 23:].all()
    assert mask[0].sum() == 21 * 17
    assert mask[1, 0, :, :17].all()
    assert mask[1].sum() == 48 * 17


def test_a_picture_without_regions_is_one_patch() -> None:
    classes = (torch.arange(48)[:, None] + torch.arange(40)[None]) % 2
    mask, chosen = least_real(pictures(0, 1), classes[None], 2, PrefersRed())
    assert chosen.tolist() == [-1]
    assert mask.all()


def test_the_choice_does_not_depend_on_the_batch_nor_change_the_discriminator() -> None:
    judge = initialised(lambda: Discriminator(2), 0).train()
    before = {name: value.clone() for name, value in judge.state_dict().items()}
    images = pictures(1, 3)
    classes = (images[:, 0].cumsum(1) > 8).long()
    _, chosen = least_real(images, classes, 2, judge)
    alone = [least_real(i[None], c[None], 2, judge)[1] for i, c in zip(images, classes)]  # noqa: B905
    assert torch.equal(chosen, torch.cat(alone))
    assert judge.training
    for name, value in judge.state_dict().items():
        assert torch.equal(value, before[name])


def test_crops_are_parts_of_the_picture_at_places_of_the_generator() -> None:
    images = pictures(3)
    one, same = (random_crops(images, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, same)
    assert one.shape == (2, 3, 24, 20)
    windows = images[0].unfold(1, 24, 1).unfold(2, 20, 1)
    assert (windows == one[0][:, None, None]).all(-1).all(-1).all(0).any()


def test_has_the_layers_of_the_paper_s_discriminator() -> None:
    judge = Discriminator(59)
    convolutions = [m for m in judge.trunk if isinstance(m, nn.Conv2d)]
    assert judge.global_stem.in_channels == 62
    assert [c.out_channels for c in convolutions] == [64, 128, 128, 256, 256, 512, 512, 1]
    assert [c.stride[0] for c in convolutions] == [2, 1, 2, 1, 2, 1, 2, 1]


def test_samples_are_scored_alone_with_gradients_to_the_picture_only(bank: SceneBank) -> None:
    adversary = SemanticAdversary(bank, SMALL)
    outputs = pictures(4, 3).requires_grad_()
    value = adversary.loss(outputs)
    assert value.shape == (3,)
    alone = torch.cat([adversary.loss(output[None].detach()) for output in outputs])
    torch.testing.assert_close(value, alone, rtol=1e-4, atol=1e-6)
    value.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    assert outputs.grad.abs().max() > 0
    assert all(p.grad is None for p in adversary.discriminator.parameters())
    assert all(p.grad is None for p in bank.parameters())
    # a discriminator that knows nothing says about a half: (1/2 - 1)^2 twice
    assert value.mean().item() == pytest.approx(0.5, abs=0.2)


def test_learns_to_tell_flat_from_textured(bank: SceneBank) -> None:
    adversary = SemanticAdversary(bank, AdversaryRecipe(rate=1e-2, width=16))
    flat = torch.full((2, 3, 32, 32), 0.5)
    losses = [adversary.update(flat, pictures(n)[..., :32, :32], step=n) for n in range(45)]
    assert losses[-1] < 0.5 * losses[0]


def train(adversary: SemanticAdversary, host: nn.Module, steps: range) -> None:
    """The alternate update as the paper has it, with plain gradient descent for the host."""
    for step in steps:
        outputs = host(pictures(step) * 0.3)
        adversary.update(outputs, pictures(step), step=step)
        loss = (outputs - pictures(step)).abs().mean() + 0.1 * adversary.loss(outputs).mean()
        gradients = torch.autograd.grad(loss, list(host.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(host.parameters(), gradients, strict=True):
                parameter.sub_(gradient, alpha=0.1)


def test_a_training_that_was_continued_ends_like_one_that_ran_through(bank: SceneBank) -> None:
    def host() -> nn.Module:
        return initialised(lambda: nn.Conv2d(3, 3, 3, padding=1), 0)

    through, through_host = SemanticAdversary(bank, SMALL), host()
    train(through, through_host, range(4))
    first, half = SemanticAdversary(bank, SMALL), host()
    train(first, half, range(2))
    second = SemanticAdversary(bank, SMALL)
    second.load_state_dict(first.state_dict())
    train(second, half, range(2, 4))
    for one, other in zip(through_host.parameters(), half.parameters(), strict=True):
        assert torch.equal(one, other)
    for name, value in through.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_the_plain_form_asks_about_whole_pictures_and_nothing_else() -> None:
    class Unasked(SceneBank):
        def forward(self, images: Tensor) -> Never:
            raise AssertionError("it segments")

    recipe = AdversaryRecipe(form="plain", width=4, rate=1e-3)
    adversary = SemanticAdversary(Unasked(initialised(SceneNet, 0), "ab" * 32), recipe)
    real, fake = pictures(1), pictures(2)
    before = adversary.loss(fake)
    adversary.discriminator.eval()
    expected = (adversary.discriminator.local(fake) - 1).square()
    torch.testing.assert_close(before, expected)
    adversary.discriminator.train()
    losses = [adversary.update(fake, real, step=step) for step in range(30)]
    assert losses[-1] < losses[0]
    assert (adversary.loss(fake) > 0).all()
