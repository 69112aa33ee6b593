"""The control of SKF's plug: every number of it, and nothing to know."""

from __future__ import annotations

import pytest
import torch

from benchmark.enhancers.hosts import HOSTS
from benchmark.enhancers.skf.blind import BlindBank


@pytest.mark.parametrize("host", ["curve", "drbn"])
def test_is_as_large_as_the_host_with_semantics(host: str) -> None:
    blind, knowing = (HOSTS.get(f"{host}+{plug}") for plug in ("blind", "skf"))
    network = blind.factory(0)
    counted = sum(p.numel() for p in network.parameters())
    assert blind.parameters == knowing.parameters == counted


def test_shows_the_picture_at_the_strides_and_widths_of_the_bank() -> None:
    images = torch.rand(2, 3, 48, 32, generator=torch.Generator().manual_seed(0))
    found = BlindBank()(images)
    assert [tuple(f.shape) for f in found.features] == [
        (2, 64, 3, 2),
        (2, 48, 6, 4),
        (2, 32, 12, 8),
    ]
    torch.testing.assert_close(found.features[2][:, 3:6], found.features[2][:, :3])
    block = images[:, :, :4, :4].mean((2, 3))
    torch.testing.assert_close(found.features[2][:, :3, 0, 0], block)


def test_small_and_odd_pictures_pass() -> None:
    network = HOSTS.get("curve+blind").factory(0).eval()
    for size in ((9, 13), (1, 1), (33, 50)):
        assert network(torch.rand(1, 3, *size)).shape == (1, 3, *size)
