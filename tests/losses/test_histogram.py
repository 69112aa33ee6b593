"""The SCH loss against a slow reference, closed forms, and what the paper's bins lose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.judges.semantics import SceneBank, SceneNet, Semantics
from benchmark.losses import LOSSES
from benchmark.losses.base import Instruments
from benchmark.losses.histogram import (
    BINS,
    GlobalHistogram,
    SemanticHistogram,
    histograms,
    refined,
    shares,
)


class Halves(nn.Module):
    """Left and right half of every picture; the third class is nowhere."""

    def __init__(self, border: float = 0.5) -> None:
        super().__init__()
        self.border = border

    def forward(self, images: Tensor) -> Semantics:
        logits = images.new_zeros(len(images), 3, *images.shape[-2:])
        logits[:, 0] = 1
        logits[:, 1, :, int(images.shape[-1] * self.border) :] = 2
        return Semantics(logits, (images, images, images))


def slow_shares(value: float) -> np.ndarray:
    """The definition with all 256 bins, half-infinite ones at the ends."""
    with np.errstate(over="ignore"):
        edges = (np.arange(1, BINS) - 0.5) / (BINS - 1)
        above = 1 / (1 + np.exp(-400 * (np.clip(value, 0, 1) - edges)))
    return np.concatenate([[1.0], above]) - np.concatenate([above, [0.0]])


@pytest.mark.parametrize("value", [-0.5, -0.001, 0.0, 0.002, 0.03, 0.5, 0.7531, 0.99, 1.0, 1.3])
def test_every_value_falls_into_its_bins_as_defined(value: float) -> None:
    share, bins = shares(torch.tensor([value], dtype=torch.float64))
    dense = np.zeros(BINS)
    np.add.at(dense, bins[0].numpy(), share[0].numpy())
    np.testing.assert_allclose(dense, slow_shares(value), atol=1e-6)
    assert share.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_paper_s_kernel_peaks_at_a_third_and_its_ends_lose_black() -> None:
    share, bins = shares(torch.tensor([100 / 255, 0.0], dtype=torch.float64))
    assert bins[0, share[0].argmax()] == 100
    # tanh(a / (4 * 255)): the paper says that it is 1
    assert share[0].max().item() == pytest.approx(np.tanh(400 / (4 * 255)), abs=1e-9)
    # the paper's own first bin would have a lower edge and keep tanh(...) of a black pixel as well;
    # together its bins keep 0.69 of it, ours all
    kept = 1 / (1 + np.exp(-400 * 0.5 / 255))
    assert kept == pytest.approx(0.687, abs=1e-3)
    assert share[1].sum().item() == pytest.approx(1)


def test_histograms_are_the_sums_of_the_slow_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 5, 4, generator=generator, dtype=torch.float64) * 1.2 - 0.1
    regions = torch.randint(-1, 3, (2, 5, 4), generator=generator)
    expected = np.zeros((2, 3, 3, BINS))
    for sample, channel, row, column in np.ndindex(2, 3, 5, 4):
        region = regions[sample, row, column].item()
        if region >= 0:
            value = images[sample, channel, row, column].item()
            expected[sample, region, channel] += slow_shares(value)
    np.testing.assert_allclose(histograms(images, regions, 3).numpy(), expected, atol=1e-5)


def test_borders_and_what_is_near_them_belong_to_nothing() -> None:
    classes = torch.zeros(1, 20, 20, dtype=torch.int64)
    classes[:, :, 10:] = 4
    kept = refined(classes)
    assert (kept[:, :, :7] == 0).all()
    assert (kept[:, :, 7:13] == -1).all()
    assert (kept[:, :, 13:] == 4).all()
    assert torch.equal(refined(classes, border=0), classes)


def flat(left: float, right: float) -> Tensor:
    images = torch.full((1, 3, 40, 80), left)
    images[..., 40:] = right
    return images


def test_is_nought_for_the_same_colours_in_the_same_regions_wherever_they_are() -> None:
    term = SemanticHistogram(Halves(), stride=1)
    images = torch.rand(2, 3, 40, 80, generator=torch.Generator().manual_seed(1))
    features = term.prepare(images, None)
    assert term(images, features).abs().max() < 1e-6
    shuffled = images.clone()
    inside = images[:, :, :, :37].flatten(2)
    order = torch.randperm(inside.shape[-1], generator=torch.Generator().manual_seed(2))
    shuffled[:, :, :, :37] = inside[:, :, order].view(2, 3, 40, 37)
    assert term(shuffled, features).max() < 1e-5
    # the same pixels in the other region are not the same
    assert term(images.flip(3), features).min() > 1e-2


def test_swapped_regions_are_as_far_apart_as_can_be_though_the_picture_s_colours_are_the_same() -> (
    None
):
    term = SemanticHistogram(Halves())
    value = term(flat(0.8, 0.2), term.prepare(flat(0.2, 0.8), None))
    torch.testing.assert_close(value, torch.tensor([2.0]), rtol=0, atol=1e-5)


def test_regions_count_by_their_area_and_by_their_weight() -> None:
    term = SemanticHistogram(Halves(border=0.25), stride=1)
    features = term.prepare(flat(0.4, 0.4), None)
    changed = flat(0.4, 0.4)
    changed[..., :20] = 0.9
    # 17 of 20 columns on the left are away from the border, 57 of 60 on the right
    expected = torch.tensor([2 * 17 / 74])
    torch.testing.assert_close(term(changed, features), expected, rtol=1e-4, atol=1e-5)
    doubled = term(changed, features, torch.full((1, 1, 10, 20), 2.0))
    torch.testing.assert_close(doubled, 2 * expected, rtol=1e-4, atol=1e-5)
    elsewhere = torch.ones(1, 1, 10, 20)
    elsewhere[..., :5] = 0
    assert term(changed, features, elsewhere).item() == pytest.approx(0, abs=1e-6)


def test_black_is_told_from_nearly_black() -> None:
    term = SemanticHistogram(Halves())
    features = term.prepare(flat(0.0, 0.0), None)
    assert term(flat(-0.1, -0.3), features).item() == pytest.approx(0, abs=1e-5)
    assert term(flat(0.2, 0.2), features).item() == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize("shape", [(3, 3), (7, 9), (33, 41)])
def test_small_and_odd_pictures_are_one_region(shape: tuple[int, int]) -> None:
    term = SemanticHistogram(Halves())
    images = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(1))
    features = term.prepare(images, None)
    assert term(images, features).abs().max() < 1e-6
    assert (term(images.flip(0), features) > 0).all()


def test_the_release_divides_by_everything() -> None:
    drbn = SemanticHistogram(Halves(), normaliser="drbn")
    snr = SemanticHistogram(Halves(), normaliser="snr")
    values = [
        term(flat(0.8, 0.2), term.prepare(flat(0.2, 0.8), None)).item() for term in (drbn, snr)
    ]
    # every pixel and channel adds 2 / 256; N C H W 3 or N H W below
    assert values[0] == pytest.approx(2 / 256 / 3, rel=1e-4)
    assert values[1] == pytest.approx(2 / 256 * 3, rel=1e-4)


def test_is_a_colour_term_that_looks_through_the_bank_it_is_given() -> None:
    bank = SceneBank(initialised(SceneNet, 0), "00" * 32)

    def nothing(*names: str) -> nn.Module:
        raise AssertionError(f"nobody asked for {names}")

    instruments = Instruments(
        embedder=nothing, perceptual=nothing, reader=nothing, segmenter=lambda: bank
    )
    for name in ("sch", "sch-release"):
        term = LOSSES.get(name).build(instruments).train()
        assert LOSSES.entry(name).meta["family"] == term.family == "col"
        assert not any(module.training for module in term.modules())
        images = torch.rand(3, 3, 40, 48, generator=torch.Generator().manual_seed(1))
        others = images.flip(0) * 0.9
        features = term.prepare(images, None)
        outputs = others.clone().requires_grad_()
        value = term(outputs, features)
        assert value.shape == (3,)
        alone = [
            term(others[i : i + 1], term.prepare(images[i : i + 1], None))[0] for i in range(3)
        ]
        torch.testing.assert_close(value, torch.stack(alone), rtol=1e-4, atol=1e-7)
        (gradient,) = torch.autograd.grad(value.sum(), outputs)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


def test_gradient_is_the_derivative() -> None:
    term = SemanticHistogram(Halves())
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(1, 3, 20, 24, generator=generator, dtype=torch.float64)
    outputs = torch.rand(1, 3, 20, 24, generator=generator, dtype=torch.float64)
    features = term.prepare(images, None)
    outputs.requires_grad_()
    (gradient,) = torch.autograd.grad(term(outputs, features).sum(), outputs)
    direction = torch.rand(outputs.shape, generator=generator, dtype=torch.float64)
    step = 1e-6
    with torch.no_grad():
        ahead = term(outputs + step * direction, features)
        behind = term(outputs - step * direction, features)
    expected = ((ahead - behind) / (2 * step)).sum()
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-3, atol=1e-3)


def test_without_semantics_only_the_colours_of_the_whole_picture_count() -> None:
    """Halves that change places are another picture to SCH, and the same to its control."""
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    moved = torch.cat([images[..., 16:], images[..., :16]], -1)
    blind, seeing = GlobalHistogram(), SemanticHistogram(Halves())
    apart = [term(moved, term.prepare(images, None)) for term in (blind, seeing)]
    torch.testing.assert_close(apart[0], torch.zeros(2), atol=1e-5, rtol=0)
    assert (apart[1] > 0.1).all()
    # where all is one region they are one term
    whole = SemanticHistogram(Halves(border=1.0))
    brighter = images * 0.5 + 0.5
    one, other = (term(brighter, term.prepare(images, None)) for term in (blind, whole))
    torch.testing.assert_close(one, other)


def test_the_control_is_registered_and_looks_through_nothing() -> None:
    assert LOSSES.get("sch-global") is GlobalHistogram
    assert GlobalHistogram.instrument == "none"
