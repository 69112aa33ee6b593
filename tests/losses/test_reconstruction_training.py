"""The suite's own reconstruction network: its objective, its training, and the committed one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.assets import INSTRUMENTS, load_record
from benchmark.errors import WeightsError
from benchmark.losses.instruments import default_instruments
from benchmark.losses.reconstruction import ASSET, OWN_CHANNELS, Reconstruction, load_own
from benchmark.losses.reconstruction_training import (
    ReconstructionSettings,
    fit_reconstruction,
    objective,
    reconstruction_card,
    spoilt,
    train_reconstruction,
)
from benchmark.losses.sdag import SdagOwn

_SHORT = ReconstructionSettings(steps=25, batch=4, crop=16)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """Smooth blobs, uint8."""
    coarse = torch.rand(12, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    fine = torch.nn.functional.interpolate(coarse, size=24, mode="bicubic").clamp(0, 1)
    return (fine * 255).to(torch.uint8)


def test_objective_is_its_formula(pictures: Tensor) -> None:
    torch.manual_seed(2)
    network = Reconstruction(8)
    images = pictures[:3].float() / 255
    value = objective(network, images, torch.Generator().manual_seed(3))
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(3))
    kinds = [images, images ** (1 / 0.3), images + 50 / 255 * noise]

    def redrawn(batch: Tensor) -> np.ndarray:
        return network(batch).detach().double().numpy()

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))

    expected = np.abs(redrawn(images) - images.numpy()).mean()
    for kind in kinds[1:]:
        again = redrawn(kind)
        expected += 0.1 * np.abs(again - kind.double().numpy()).mean()
        for i in range(3):
            lead = cosine(redrawn(images)[i], images.double().numpy()[i])
            lead -= cosine(again[i], kind.double().numpy()[i])
            expected += max(0.0, 0.5 - lead) / 3
    assert value.item() == pytest.approx(expected, rel=1e-4)


def test_training_lowers_the_objective_and_repeats(pictures: Tensor) -> None:
    state = torch.random.get_rng_state()
    first, again = (fit_reconstruction(pictures, _SHORT) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    parts = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in parts)
    start = fit_reconstruction(pictures, replace(_SHORT, steps=2, rate=1e-12))
    images = pictures.float() / 255
    with torch.no_grad():
        before, after = (
            objective(network, images, torch.Generator().manual_seed(0))
            for network in (start, first)
        )
    assert after < 0.9 * before


def test_card_has_every_condition_and_group(pictures: Tensor) -> None:
    groups = {"even": np.arange(0, 12, 2), "odd": np.arange(1, 12, 2)}
    card = reconstruction_card(Reconstruction(8).eval(), pictures, groups, seed=0)
    assert len(card) == 6
    assert {(row["condition"], row["group"]) for row in card} == {
        (condition, group) for condition in ("clear", "darkened", "noisy") for group in groups
    }
    assert all(row["n"] == 6 and -1 <= row["cosine"] <= 1 for row in card)


def test_spoilt_pictures_are_as_described() -> None:
    grey = torch.full((2, 3, 64, 64), 0.5)
    found = spoilt(grey, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found["darkened"], torch.full_like(grey, 0.5 ** (1 / 0.3)))
    assert found["noisy"].std().item() == pytest.approx(50 / 255, rel=0.02)
    assert found["noisy"].max() > 1  # not clipped


@pytest.mark.slow
def test_the_command_renders_trains_and_writes(tmp_path: Path) -> None:
    tiny = replace(_SHORT, steps=2, count=6, held_out=6, size=32)
    assert INSTRUMENTS.get(ASSET) is train_reconstruction
    record = train_reconstruction(tmp_path, settings=tiny)
    assert record == load_record(ASSET, tmp_path)
    assert {row["group"] for row in record.card["redrawing"]} >= {"generic", "face dark"}
    state = load_own(tmp_path).state_dict()
    assert len(state) == 78


def test_the_committed_network_tells_clear_from_spoilt_and_guides() -> None:
    network = load_own()
    assert sum(p.numel() for p in network.parameters()) == load_record(ASSET).parameters
    assert network.ConvOut.in_channels == OWN_CHANNELS
    term = SdagOwn.build(default_instruments())
    coarse = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(7))
    images = torch.nn.functional.interpolate(coarse, size=48, mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        clear, noisy = (
            term(batch, {})
            for batch in (images, spoilt(images, torch.Generator().manual_seed(0))["noisy"])
        )
    assert (noisy > clear + 0.05).all()
    outputs = spoilt(images, torch.Generator().manual_seed(0))["noisy"].requires_grad_()
    before = term(outputs, {})
    (gradient,) = torch.autograd.grad(before.sum(), outputs)
    scale = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    assert (term(outputs - 0.5 * gradient / scale, {}) < before).all()


def test_absent_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="instruments train reconstruction"):
        load_own(tmp_path)
