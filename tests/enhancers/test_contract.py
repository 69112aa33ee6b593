"""The output contract: each promise is found broken by an enhancer that breaks just that one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmark.enhancers.adapters.code import CallableEnhancer
from benchmark.enhancers.adapters.contract import (
    count_parameters,
    examine,
    latency,
    main,
    pictures,
)


def in_place(images: Tensor) -> Tensor:
    result = images.clone()
    images.mul_(0.5)
    return result


def odd(images: Tensor) -> Tensor:
    return nn.functional.pad(images, (0, images.shape[-1] % 2))


def noisy(images: Tensor) -> Tensor:
    return (images + 0.01 * torch.rand_like(images)).clamp(0, 1)


def by_batch(images: Tensor) -> Tensor:
    return images / images.mean().clamp_min(0.1) / 4


def undefined(images: Tensor) -> Tensor:
    return images / images.amax((1, 2, 3), keepdim=True) * 0.5


@pytest.mark.parametrize(
    ("function", "broken"),
    [
        (torch.sqrt, set()),
        (lambda x: x * 255, {"range", "batch-invariant"} - {"batch-invariant"}),
        (undefined, {"finite"}),
        (odd, {"odd sizes"}),
        (in_place, {"input untouched"}),
        (noisy, {"deterministic", "batch-invariant"}),
        (by_batch, {"batch-invariant"}),
        (lambda x: x.numpy(), {"output shape", "batch of one", "odd sizes", "finite", "range"}),
    ],
)
def test_each_promise_is_held_to(function: object, broken: set[str]) -> None:
    found = {f.promise for f in examine(CallableEnhancer(function)) if not f.kept}  # type: ignore[arg-type]
    assert broken <= found
    if not broken or len(broken) == 1:
        assert found == broken


def test_what_is_measured() -> None:
    network = nn.Conv2d(3, 3, 3, padding=1)
    assert count_parameters(CallableEnhancer(network)) == 3 * 3 * 9 + 3
    assert count_parameters(CallableEnhancer(torch.sqrt)) == 0
    assert latency(CallableEnhancer(torch.sqrt)) > 0
    images = pictures(3, 20, 30)
    assert images.shape == (3, 3, 20, 30)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert torch.equal(images, pictures(3, 20, 30))


def test_the_process_tells_what_it_found(tmp_path: Path) -> None:
    request, result = tmp_path / "request.json", tmp_path / "result.json"
    request.write_text(json.dumps({"form": "registered", "name": "gamma"}))
    main(request, result)
    found = json.loads(result.read_text())
    assert all(each["kept"] for each in found["findings"])
    assert found["milliseconds"] > 0
    request.write_text(
        json.dumps({"form": "spandrel", "name": "", "path": str(tmp_path / "w"), "trusted": False})
    )
    main(request, result)
    assert "no such file" in json.loads(result.read_text())["error"]
