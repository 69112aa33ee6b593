"""The real networks behind the terms: the committed embedder, and LPIPS where its trunk is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmark.errors import WeightsError
from benchmark.losses.identity import Identity
from benchmark.losses.instruments import default_instruments
from benchmark.losses.perceptual import LpipsSqueeze
from benchmark.losses.recognition import Recognition
from benchmark.weights import WeightStore


def test_the_committed_embedder_gives_a_useful_gradient(
    images: Tensor, others: Tensor, landmarks: Tensor
) -> None:
    term = Identity.build(default_instruments())
    features = term.prepare(images, landmarks)
    outputs = (0.6 * images + 0.4 * others).requires_grad_()
    before = term(outputs, features)
    (gradient,) = torch.autograd.grad(before.sum(), outputs)
    scale = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    after = term(outputs - 0.5 * gradient / scale, features)
    assert (after < before).all()
    assert not term.embedder.training


def test_the_committed_embedder_does_not_answer_to_exposure(
    images: Tensor, landmarks: Tensor
) -> None:
    term = Identity.build(default_instruments())
    assert term(images * 0.3, term.prepare(images, landmarks)).max() < 1e-4


def test_the_committed_reader_gives_a_useful_gradient_on_any_image(
    images: Tensor, others: Tensor
) -> None:
    term = Recognition.build(default_instruments())
    features = term.prepare(images, None)
    assert term(images, features).max() < 1e-6
    outputs = (0.6 * images + 0.4 * others).requires_grad_()
    before = term(outputs, features)
    (gradient,) = torch.autograd.grad(before.sum(), outputs)
    scale = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    after = term(outputs - 0.3 * gradient / scale, features)
    assert (after < before).all()
    # unlike the identity term it minds the dark: its reader expects daylight
    assert (term(images * 0.3, features) > before).all()


def test_lpips_is_the_packages_where_its_trunk_is_at_hand(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Tensor
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    trunk = shared_data / "weights/perceptual/squeezenet1_1_features_backbone.pth"
    WeightStore().add("squeezenet1_1", trunk)
    term = LpipsSqueeze.build(default_instruments())
    features = term.prepare(images, None)
    assert term(images, features).abs().max() < 1e-6
    outputs = (images * 0.7).requires_grad_()
    values = term(outputs, features)
    torch.testing.assert_close(
        values, term.distance(outputs * 2 - 1, images * 2 - 1).flatten(), rtol=1e-5, atol=1e-7
    )
    (gradient,) = torch.autograd.grad(values.sum(), outputs)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_lpips_without_its_trunk_names_the_mending_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.metrics.perceptual import lpips_model

    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    lpips_model.cache_clear()
    with pytest.raises(WeightsError, match="weights"):
        LpipsSqueeze.build(default_instruments())
