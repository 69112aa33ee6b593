"""Published weights on the fifteen test pairs of LOL v1, against independently measured numbers.

Whole images of 600 x 400, outputs rounded to 8 bit; PSNR and SSIM by scikit-image (RGB, uniform
window of 7 pixels). The expected means were measured with other implementations of the same
networks. Where fifteen images take seconds they are all compared. Slower networks are held to two
pairs, whose numbers were written down when this implementation had reproduced the mean over all
fifteen; ``EQUILUX_ALL_PAIRS=1 python -m pytest tests/known_answers -k all_pairs`` does so again
and prints the table of docs/published-enhancers.md.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.published import PUBLISHED
from benchmark.enhancers.published.enhancer import PublishedEnhancer
from benchmark.metrics.perceptual import lpips_model
from benchmark.metrics.pyiqa_metrics import PyiqaMetric
from benchmark.weights import WEIGHTS, WeightStore

from .pictures import Pairs, Pixels, to_pixels, to_tensor
from .scoring import gt_mean_psnr, psnr_ssim

Store = Callable[..., WeightStore]
BY_NAME = {system.name: system for system in PUBLISHED}

#: A metric without reference looks at nothing but the outputs.
UNUSED: Any = None

PSNR_TOLERANCE, SSIM_TOLERANCE = 0.02, 0.002

#: PSNR in dB and SSIM over all fifteen pairs, independently measured.
MEANS = {
    "zero-dce": (14.861, 0.562),
    "zero-dce-sdag": (18.30, 0.570),
    "zero-dce-pp": (15.36, 0.573),
    "zero-dce-pp at full size": (15.14, 0.566),
    "sgz": (16.05, 0.576),
    "sgz at full size": (15.85, 0.571),
    "sci-easy": (9.63, 0.372),
    "sci-medium": (14.85, 0.527),
    "sci-difficult": (13.87, 0.531),
    "ruas-lol": (16.45, 0.505),
    "ruas-upe": (11.37, 0.440),
    "ruas-dark": (16.19, 0.471),
    "iat-lol-v1": (23.38, 0.807),
    "iat-lol-v2": (18.43, 0.763),
    "iat-exposure": (9.69, 0.244),
    "retinexnet": (17.61, 0.643),
    "drbn": (18.80, 0.830),
}

#: The same by pair, for what takes more than a twentieth of a second per image: pair 146, pair 780.
PAIRS = ("146.png", "780.png")
BY_PAIR = {
    "zero-dce-sdag": ((21.689, 0.7552), (19.435, 0.4641)),
    "zero-dce-pp at full size": ((15.570, 0.7252), (24.097, 0.5412)),
    "sgz at full size": ((17.336, 0.7375), (24.630, 0.5371)),
    "ruas-lol": ((16.190, 0.6170), (21.112, 0.5095)),
    "ruas-upe": ((11.435, 0.5889), (16.265, 0.5369)),
    "ruas-dark": ((14.450, 0.5534), (20.635, 0.4707)),
    "iat-lol-v1": ((25.940, 0.8672), (23.913, 0.7400)),
    "iat-lol-v2": ((17.978, 0.8199), (21.832, 0.7298)),
    "iat-exposure": ((10.867, 0.5264), (13.243, 0.2318)),
    "retinexnet": ((21.297, 0.7487), (16.746, 0.5696)),
    "drbn": ((17.623, 0.8722), (13.937, 0.6895)),
}

#: The authors' own pictures: PSNR in dB.
OUTPUTS = {"llflow_skf": 25.8, "drbn_skf": 23.1}


@pytest.fixture(scope="module")
def zero_dce(lol: Pairs, published_store: Store) -> Pixels:
    """Zero-DCE's outputs on all fifteen pairs, 8 bit."""
    return lol.enhanced(build("zero-dce", published_store))


def build(name: str, published_store: Store) -> PublishedEnhancer:
    """A system from the published weights; ``NAME at full size`` sets the scale to 1."""
    name, _, full = name.partition(" at ")
    system = BY_NAME[name]
    enhancer = system(published_store(*system.weights))
    if full:
        enhancer.network.scale = 1
    return enhancer


def test_every_published_system_has_a_known_answer() -> None:
    assert {name.partition(" at ")[0] for name in MEANS} == set(BY_NAME)


def test_zero_dce_reproduces_its_printed_row(lol: Pairs, zero_dce: Pixels) -> None:
    psnr, ssim = psnr_ssim(zero_dce, lol.high).mean(0)
    # SKF, Table 1, prints 14.861 and 0.562
    assert psnr == pytest.approx(14.861, abs=0.005)
    assert ssim == pytest.approx(0.562, abs=0.001)
    assert zero_dce.mean() / 255 == pytest.approx(0.279, abs=0.001)
    assert gt_mean_psnr(zero_dce, lol.high).mean() == pytest.approx(20.95, abs=0.02)


def test_zero_dce_reproduces_lpips(
    lol: Pairs,
    zero_dce: Pixels,
    published_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(published_store("squeezenet1_1").folder))
    model = lpips_model("squeeze")
    with torch.inference_mode():
        distances = [
            float(model(2 * to_tensor(output[None]) - 1, 2 * to_tensor(reference[None]) - 1))
            for output, reference in zip(zero_dce, lol.high, strict=True)
        ]
    assert np.mean(distances) == pytest.approx(0.297, abs=0.002)


def test_niqe_with_basicsrs_parameters_reproduces_printed_rows(
    lol: Pairs, zero_dce: Pixels, published_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(published_store("niqe-basicsr").folder))
    metric = PyiqaMetric("niqe")
    assert metric.unavailable() is None
    assert metric.identity()["parameters"] in WEIGHTS.get("niqe-basicsr").sha256
    # SKF, Table 1 (Zero-DCE on LOL) and Table 2 (the dark input)
    for pictures, printed in ((zero_dce, 7.767), (lol.low, 6.7488)):
        rows = np.arange(len(pictures))
        found = metric.score(to_tensor(pictures), rows, UNUSED, {})["pyiqa:niqe"]
        assert found.mean() == pytest.approx(printed, abs=0.003)


@pytest.mark.parametrize("name", sorted(MEANS.keys() - BY_PAIR.keys() - {"zero-dce"}))
def test_fast_networks_reproduce_their_means(name: str, lol: Pairs, published_store: Store) -> None:
    scores = psnr_ssim(lol.enhanced(build(name, published_store)), lol.high)
    _agree(scores.mean(0), MEANS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BY_PAIR))
def test_slow_networks_reproduce_two_pairs(name: str, lol: Pairs, published_store: Store) -> None:
    pairs = lol.of(PAIRS)
    scores = psnr_ssim(pairs.enhanced(build(name, published_store)), pairs.high)
    for found, expected in zip(scores, BY_PAIR[name], strict=True):
        _agree(found, expected)


@pytest.mark.slow
@pytest.mark.skipif("EQUILUX_ALL_PAIRS" not in os.environ, reason="minutes: EQUILUX_ALL_PAIRS=1")
@pytest.mark.parametrize("name", MEANS)
def test_all_pairs(
    name: str, lol: Pairs, published_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    enhancer = build(name, published_store)
    clock = time.perf_counter()
    outputs = lol.enhanced(enhancer)
    seconds = (time.perf_counter() - clock) / len(outputs)
    scores = psnr_ssim(outputs, lol.high).mean(0)
    cells = (
        name,
        *(f"{scores[0]:.2f}", f"{scores[1]:.4f}", f"{gt_mean_psnr(outputs, lol.high).mean():.2f}"),
        *(f"{outputs.mean() / 255:.3f}", f"{1000 * seconds:.0f}"),
    )
    with capsys.disabled():
        sys.stdout.write(f"\n| {' | '.join(cells)} |")
    _agree(scores, MEANS[name])


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_authors_own_pictures_score_as_printed(
    name: str, lol: Pairs, shared_data: Path
) -> None:
    found = OutputFolder(shared_data / "lol" / "outputs" / name).read(lol.names)
    outputs = to_pixels(torch.stack([picture for picture in found if picture is not None]))
    assert psnr_ssim(outputs, lol.high).mean(0)[0] == pytest.approx(OUTPUTS[name], abs=0.05)


def _agree(found: Sequence[float], expected: tuple[float, float]) -> None:
    assert found[0] == pytest.approx(expected[0], abs=PSNR_TOLERANCE)
    assert found[1] == pytest.approx(expected[1], abs=SSIM_TOLERANCE)
