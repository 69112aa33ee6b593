"""The published W-Net: its structure, its weights, and what it may depend on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import WeightsError
from benchmark.judges.base import Segmenter, make_judge
from benchmark.judges.lwnet import WNet, WNetSegmenter
from benchmark.metrics import make_scorer
from benchmark.metrics.structure.overlap import dice
from benchmark.probes.base import ProbeSettings
from benchmark.probes.fundus import fundus_views

_FILE = "lwnet_wnet_drive.pth"


@pytest.fixture
def published(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WNetSegmenter:
    """The judge with its published weights."""
    source = shared_data / "weights" / "vessels" / _FILE
    if not source.is_file():
        pytest.skip(f"no {_FILE} among the shared data")
    shutil.copy(source, tmp_path / _FILE)
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    judge = make_judge("lwnet", "segmenter")
    assert isinstance(judge, WNetSegmenter)
    return judge


def test_the_network_has_the_published_size() -> None:
    # 69,572 numbers in the file: parameters, running statistics and a counter for each layer
    numbers = sum(tensor.numel() for tensor in WNet().state_dict().values())
    assert numbers == 69_572
    assert sum(p.numel() for p in WNet().parameters()) == 68_482


def test_the_second_network_sees_the_picture_and_the_logits_of_the_first() -> None:
    torch.manual_seed(0)
    network = WNet().eval()
    images = torch.rand(2, 3, 32, 40)
    with torch.no_grad():
        first = network.unet1(images)
        expected = network.unet2(torch.cat([images, first], 1))
        torch.testing.assert_close(network(images), expected)
    assert network(images).shape == (2, 1, 32, 40)


def test_without_weights_its_metrics_are_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    lack = make_scorer("segmented:lwnet").unavailable()
    assert lack is not None
    assert "lwnet-drive" in lack.mend
    with pytest.raises(WeightsError, match="not at hand"):
        WNetSegmenter().segment(torch.rand(1, 3, 64, 64))


def test_it_finds_rendered_vessels_that_it_was_never_shown(published: WNetSegmenter) -> None:
    views = fundus_views(
        ProbeSettings(subjects=1, views=1, split="test-lwnet"), advance=lambda done: None
    )
    images = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
    valid = torch.from_numpy(views.masks["valid"])
    found = published.segment(images, valid)["vessels"]
    assert not found[~valid].any()
    overlap = dice(found.numpy(), views.masks["vessels"] & views.masks["valid"])
    # measured on five eyes: 0.82, with the light, medium and dark ones at 0.83, 0.84 and 0.79
    assert overlap.mean() > 0.75
    assert not published.segment(torch.full((1, 3, 96, 96), 0.5))["vessels"].any()


def test_its_answer_depends_on_nothing_else(published: WNetSegmenter) -> None:
    images = torch.rand(2, 3, 72, 64, generator=torch.Generator().manual_seed(1))
    valid = torch.zeros(2, 72, 64, dtype=torch.bool)
    valid[0, 8:60, 10:50] = True
    found = published.probabilities(images, valid)
    assert found.shape == (2, 72, 64)
    assert not found[1].any()  # nothing to see there
    again = published.probabilities(images[:1], valid[:1])
    assert torch.equal(again[0], found[0])
    # mirror images are averaged: the answer to a mirrored picture is the mirrored answer
    mirrored = published.probabilities(images[:1].flip(3))
    torch.testing.assert_close(mirrored, published.probabilities(images[:1]).flip(2))
    assert isinstance(published, Segmenter)
    assert np.isfinite(found.numpy()).all()
    assert published.segment(images[:0])["vessels"].shape == (0, 72, 64)
