"""Zero-DCE's losses and SDAG against slow references, closed forms and what they promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.errors import WeightsError
from benchmark.files import sha256_of_file
from benchmark.losses import LOSSES
from benchmark.losses.base import Instruments
from benchmark.losses.reconstruction import PUBLISHED, Reconstruction, load_published, similarity
from benchmark.losses.sdag import Sdag, SdagL1
from benchmark.losses.unsupervised import (
    TERMS,
    WELL_EXPOSED,
    ZeroReference,
    colour_constancy,
    exposure,
    smoothness,
    spatial_consistency,
)
from benchmark.registry import Entry
from benchmark.weights import WEIGHTS, WeightStore

Array = NDArray[np.float64]


@pytest.fixture
def curves() -> Tensor:
    return torch.rand(3, 24, 40, 48, generator=torch.Generator().manual_seed(3)) * 2 - 1


def slow_smoothness(maps: Array) -> float:
    total = 0.0
    for plane in maps:
        height, width = plane.shape
        places = [(y, x) for y in range(height) for x in range(width)]
        down = [(plane[y + 1, x] - plane[y, x]) ** 2 for y, x in places if y + 1 < height]
        right = [(plane[y, x + 1] - plane[y, x]) ** 2 for y, x in places if x + 1 < width]
        total += np.mean(down) + np.mean(right)
    return 2 * total


def slow_patches(image: Array, side: int) -> Array:
    gray = image.mean(0)
    rows, columns = gray.shape[0] // side, gray.shape[1] // side
    return np.array(
        [
            [
                gray[side * r : side * (r + 1), side * c : side * (c + 1)].mean()
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


def slow_spatial(output: Array, image: Array) -> float:
    after, before = slow_patches(output, 4), slow_patches(image, 4)
    rows, columns = after.shape
    total = 0.0
    for r in range(rows):
        for c in range(columns):
            for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                if 0 <= r + dr < rows and 0 <= c + dc < columns:
                    now = after[r, c] - after[r + dr, c + dc]
                    was = before[r, c] - before[r + dr, c + dc]
                    total += (now - was) ** 2
    return total / (rows * columns)


def slow_colour(output: Array) -> float:
    red, green, blue = (output[c].mean() for c in range(3))
    return float(np.sqrt((red - green) ** 4 + (red - blue) ** 4 + (green - blue) ** 4))


def test_each_loss_is_its_slow_self(images: Tensor, others: Tensor, curves: Tensor) -> None:
    found = ZeroReference()(images, others, curves[:, :, :12, :13]).double().numpy()
    assert found.shape == (3, len(TERMS))
    for row, image, output, maps in zip(
        found,
        images.double().numpy(),
        others.double().numpy(),
        curves.double().numpy(),
        strict=True,
    ):
        expected = [
            slow_smoothness(maps[:, :12, :13]),
            slow_spatial(output, image),
            slow_colour(output),
            ((slow_patches(output, 16) - 0.6) ** 2).mean(),
        ]
        np.testing.assert_allclose(row, expected, rtol=2e-5)


def test_closed_forms() -> None:
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(2, 3, 4, 5) * 0.5
    torch.testing.assert_close(smoothness(ramp), torch.full((2,), 2 * 3 * 0.25))
    flat = torch.full((2, 3, 32, 32), 0.25)
    torch.testing.assert_close(exposure(flat), torch.full((2,), (0.25 - WELL_EXPOSED) ** 2))
    torch.testing.assert_close(exposure(flat, level=0.25), torch.zeros(2))
    red = flat * torch.tensor([2.0, 1.0, 1.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(colour_constancy(red), torch.full((2,), 2**0.5 * 0.0625))
    # an affine change a y + b scales every difference by a
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    black = torch.zeros_like(image)
    torch.testing.assert_close(
        spatial_consistency(3 * image + 0.2, image), 4 * spatial_consistency(image, black)
    )


def test_identical_images_keep_their_structure(images: Tensor) -> None:
    assert spatial_consistency(images, images).abs().max() == 0
    assert spatial_consistency(images + 0.3, images).max() < 1e-12  # brighter is no new structure


def test_constant_curves_are_smooth_and_one_row_is_no_error() -> None:
    assert smoothness(torch.full((2, 24, 9, 9), 0.7)).abs().max() == 0
    line = torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 1, 3)
    torch.testing.assert_close(smoothness(line), torch.tensor([2.0]))
    assert smoothness(torch.ones(1, 1, 1, 1)).item() == 0


def test_small_pictures_are_one_patch() -> None:
    small = torch.rand(2, 3, 9, 21, generator=torch.Generator().manual_seed(5))
    expected = (small[:, :, :, :16].mean((1, 2, 3)) - WELL_EXPOSED).square()
    torch.testing.assert_close(exposure(small), expected)


@pytest.fixture(scope="module")
def network() -> Reconstruction:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return Reconstruction(16)


Term = Callable[[Tensor, Tensor, Tensor], Tensor]


@pytest.fixture(params=["zero-dce", "sdag", "sdag-l1"])
def any_term(request: pytest.FixtureRequest, network: Reconstruction) -> Term:
    if request.param == "zero-dce":
        return ZeroReference()
    term = (Sdag if request.param == "sdag" else SdagL1)(network)
    return lambda inputs, outputs, curves: term(outputs, term.prepare(inputs, None))


def test_a_sample_does_not_depend_on_its_batch(
    any_term: Term, images: Tensor, others: Tensor, curves: Tensor
) -> None:
    whole = any_term(images, others, curves)
    for i in range(3):
        row = slice(i, i + 1)
        alone = any_term(images[row], others[row], curves[row])
        torch.testing.assert_close(alone[0], whole[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.6, 1.0])
def test_gradients_are_finite_on_flat_grey_images(any_term: Term, level: float) -> None:
    inputs = torch.full((2, 3, 32, 32), level)
    outputs = torch.full((2, 3, 32, 32), level, requires_grad=True)
    curves = torch.zeros(2, 24, 32, 32, requires_grad=True)
    (outputs.sum() * 0 + curves.sum() * 0 + any_term(inputs, outputs, curves).sum()).backward()
    assert outputs.grad is not None
    assert curves.grad is not None
    assert outputs.grad.isfinite().all()
    assert curves.grad.isfinite().all()


def test_gradient_is_the_derivative(network: Reconstruction, others: Tensor) -> None:
    inputs, maps = others.double().flip(0), torch.rand(3, 6, 40, 48, dtype=torch.float64)
    term = Sdag(network.double())
    direction = torch.rand(
        others.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    for value in (
        lambda outputs: (ZeroReference()(inputs, outputs, maps)).sum(),
        lambda outputs: term(outputs, {}).sum(),
    ):
        outputs = others.double().requires_grad_()
        (gradient,) = torch.autograd.grad(value(outputs), outputs)
        step = 1e-6
        with torch.no_grad():
            ahead, behind = (value(outputs + sign * step * direction) for sign in (1, -1))
        expected = (ahead - behind) / (2 * step)
        torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-8)
    network.float()


def test_sdag_is_its_formula_over_each_image(network: Reconstruction, others: Tensor) -> None:
    redrawn = network(others).detach().double().numpy().reshape(3, -1)
    given = others.double().numpy().reshape(3, -1)
    cosine = (redrawn * given).sum(1) / np.linalg.norm(redrawn, axis=1)
    cosine /= np.linalg.norm(given, axis=1)
    np.testing.assert_allclose(Sdag(network)(others, {}), 1 - cosine, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        SdagL1(network)(others, {}), np.abs(redrawn - given).mean(1), rtol=1e-4
    )


class Doubler(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return 2 * images


def test_what_redraws_itself_costs_nothing_and_places_weigh_the_l1_form(images: Tensor) -> None:
    assert Sdag(nn.Identity())(images, {}).abs().max() < 1e-6
    assert SdagL1(nn.Identity())(images, {}).max() == 0
    assert Sdag(Doubler())(images, {}).abs().max() < 1e-6  # a cosine knows no brightness
    torch.testing.assert_close(SdagL1(Doubler())(images, {}), images.mean((1, 2, 3)))
    half = torch.zeros(3, 1, 40, 48)
    half[..., :24] = 1
    torch.testing.assert_close(
        SdagL1(Doubler())(images, {}, half), images[..., :24].mean((1, 2, 3)) / 2
    )
    torch.testing.assert_close(Sdag(Doubler())(images, {}, half), torch.zeros(3), atol=1e-6, rtol=0)


def test_sdag_never_lets_its_network_train(network: Reconstruction, others: Tensor) -> None:
    term = Sdag(network).train()
    assert not any(module.training for module in term.modules())
    assert not any(parameter.requires_grad for parameter in term.parameters())


def test_each_form_asks_for_its_own_network(
    instruments: Instruments, network: Reconstruction
) -> None:
    asked = []

    def provide(source: str) -> nn.Module:
        asked.append(source)
        return network

    given = replace(instruments, reconstruction=provide)
    for name in ("sdag", "sdag-l1", "sdag-own"):
        LOSSES.get(name).build(given)
    assert asked == ["published", "published", "own"]


def test_weights_of_another_architecture_name_the_keys_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Reconstruction().state_dict()
    state["ConvOut.weight"] = torch.zeros(3, 32, 1, 1)
    state["process4.F.norm.weight"] = state.pop("process3.F.norm.weight")
    path = tmp_path / "sdag.pth"
    torch.save({"params": {}, "params_ema": state}, path)
    digest = sha256_of_file(path)
    entry = Entry(PUBLISHED, replace(WEIGHTS.get(PUBLISHED), sha256=(digest,)), "", "test")
    monkeypatch.setitem(WEIGHTS._entries, PUBLISHED, entry)
    store = WeightStore(tmp_path / "store")
    with pytest.raises(WeightsError, match="weights fetch sdag-reconstruction"):
        load_published(store)
    store.add(PUBLISHED, path)
    with pytest.raises(WeightsError) as caught:
        load_published(store)
    message = str(caught.value)
    assert "missing: process3.F.norm.weight" in message
    assert "left over: process4.F.norm.weight" in message
    assert "ConvOut.weight [3, 32, 1, 1] instead of [3, 64, 1, 1]" in message


def test_the_network_is_the_described_one() -> None:
    network = Reconstruction()
    assert sum(p.numel() for p in network.parameters()) == 215_171
    assert sum(p.numel() for p in network.vgg_extractor.parameters()) == 38_720
    assert len(network.state_dict()) == 78
    cosine = similarity(torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0, 1.0]]]]))
    torch.testing.assert_close(cosine, torch.tensor([0.5**0.5]))
