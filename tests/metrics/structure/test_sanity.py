"""Checks of metrics on a dataset: what must hold and what must fail, and known distortions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.metrics import SCORERS
from benchmark.metrics.base import Column, MetricSpec, Scorer, State
from benchmark.metrics.fidelity import to_batch
from benchmark.metrics.structure import distort
from benchmark.metrics.structure.sanity import SIZES, judge, run_sanity

SPEC = MetricSpec("hand", "1", 1, "", (0, 1), frozenset({"reference"}), "made by hand")
CHECKS = ("blur_above_deformation", "falls_with_lesion")


def outcome(means: dict[str, float], spec: MetricSpec = SPEC) -> tuple[bool, bool]:
    first, second = judge(spec, means)
    assert (first.check, second.check) == CHECKS
    return first.holds, second.holds


def means(
    *, blur: float = 0.8, deform: float = 0.5, noise: float = 0.95, lesions: tuple[float, ...]
) -> dict[str, float]:
    by_size = {f"lesion_{size:g}": value for size, value in zip(SIZES, lesions, strict=True)}
    return {"blur": blur, "deform": deform, "noise": noise, **by_size}


FALLING = (1.0, 0.99, 0.95, 0.9, 0.8)


def test_verdicts_of_means() -> None:
    assert outcome(means(lesions=FALLING)) == (True, True)
    assert outcome(means(deform=0.8, lesions=FALLING)) == (False, True)  # no difference is none
    assert outcome(means(deform=0.9, lesions=FALLING)) == (False, True)
    assert outcome(means(lesions=(1.0, 0.99, 0.995, 0.9, 0.8))) == (True, False)  # not steadily
    assert outcome(means(noise=0.7, lesions=FALLING)) == (True, False)  # less than noise does
    assert outcome(means(noise=1.3, lesions=FALLING)) == (True, False)  # whichever way that goes
    assert outcome(means(noise=1.0, lesions=(1.0,) * 5)) == (True, False)  # blind
    assert outcome(means(lesions=(1.0, 1.0, 1.0, 1.0, 0.9))) == (True, True)  # from a size on


def test_verdicts_follow_the_direction() -> None:
    lower = replace(SPEC, direction=-1)
    flipped = {name: 1 - value for name, value in means(lesions=FALLING).items()}
    assert outcome(flipped, lower) == (True, True)
    assert outcome(flipped) == (False, False)
    assert outcome(means(lesions=FALLING), lower) == (False, False)


class _Hand(Scorer):
    """Four metrics whose verdicts are known beforehand, and one that promises nothing."""

    specs = (
        replace(SPEC, name="error", direction=-1, range=(0, 1)),
        replace(SPEC, name="blind"),
        replace(SPEC, name="perverse", direction=1),
        replace(SPEC, name="undefined"),
        replace(SPEC, name="shift", ideal=0.0),
    )

    def identity(self) -> dict[str, str]:
        return {"hand": "1"}

    def score(
        self, outputs: Tensor, index: NDArray[np.int64], evalset: EvalSet, state: State
    ) -> dict[str, Column]:
        clean = to_batch(evalset.references[index], outputs)
        # largest error after smoothing: noise averages out, a spot or a shift does not
        smooth = torch.nn.functional.avg_pool2d(outputs - clean, 3, 1)
        error = smooth.abs().amax((1, 2, 3)).double().numpy()
        return {
            "error": error,
            "blind": np.ones(len(error)),
            "perverse": error,
            "undefined": np.full(len(error), np.nan),
            "shift": error,
        }


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dict(SCORERS._entries)
    monkeypatch.setattr(SCORERS, "_entries", kept)
    names = tuple(spec.name for spec in _Hand.specs)
    SCORERS.add("hand", _Hand, summary="by hand", metrics=names)


def test_a_run_returns_two_checks_for_every_metric_that_promises_something(
    eyes: EvalSet, by_hand: None
) -> None:
    found = run_sanity(eyes, ["hand", "ssim"])
    assert [(row["metric"], row["check"]) for row in found] == [
        (metric, check) for metric in ("error", "blind", "perverse", "ssim") for check in CHECKS
    ]
    holds = {(row["metric"], row["check"]): row["holds"] for row in found}
    assert holds["error", "blur_above_deformation"] is True
    assert holds["error", "falls_with_lesion"] is True
    for metric in ("blind", "perverse"):
        assert [holds[metric, check] for check in CHECKS] == [False, False]
    # the reason for lesion metrics: noise that nobody sees moves global SSIM more than a lesion
    assert holds["ssim", "falls_with_lesion"] is False
    for row in found:
        assert set(row) == {"metric", "check", "holds", "values", "detail"}
        assert isinstance(row["values"], dict)
        assert all(math.isfinite(value) for value in row["values"].values())
        assert row["detail"]
    assert set(found[1]["values"]) == {"noise", *(f"lesion_{size:g}" for size in SIZES)}  # type: ignore[call-overload]


def test_inputs_and_unusable_samples_play_no_part(eyes: EvalSet, by_hand: None) -> None:
    frame = eyes.frame.assign(status=["ok", "decode_error", "ok"])
    broken = replace(eyes, frame=frame, references=eyes.references.copy())
    broken.references[1] = 0
    rows = np.array([0, 2])
    rest = replace(
        eyes,
        frame=eyes.frame.iloc[rows],
        inputs=eyes.references[rows],
        references=eyes.references[rows],
        masks={name: mask[rows] for name, mask in eyes.masks.items()},
    )
    assert run_sanity(broken, ["hand"]) == run_sanity(rest, ["hand"])
    none = replace(eyes, frame=eyes.frame.assign(status="decode_error"))
    assert run_sanity(none, ["hand"]) == []
    assert run_sanity(eyes, ["hand"], limit=1) == run_sanity(eyes, ["hand"], limit=1)
    assert run_sanity(eyes, []) == []


@pytest.mark.slow
def test_lesion_counts_see_spots_of_every_size_on_rendered_eyes(eyes: EvalSet) -> None:
    checks = {(c["metric"], c["check"]): c for c in run_sanity(eyes, ["segmented"])}
    for metric in ("dice", "cldice", "hd95"):
        assert checks[metric, "blur_above_deformation"]["holds"], metric
    values = checks["lesion_hallucination", "falls_with_lesion"]["values"]
    assert isinstance(values, dict)
    clean = values["lesion_0"]
    assert values["noise"] == clean
    # a count need not grow with size, and the judge knows small lesions better than large ones
    assert all(values[f"lesion_{size:g}"] >= clean + 0.6 for size in (1, 2, 4))
    assert values["lesion_8"] > clean


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    drawn = np.random.default_rng(0).random((2, 3, 96, 128))
    return torch.from_numpy(scipy.ndimage.gaussian_filter(drawn, (0, 0, 2, 2)))


def test_the_blur_is_scipys(pictures: Tensor) -> None:
    sigma = 96 / 128
    expected = scipy.ndimage.gaussian_filter(pictures.numpy(), (0, 0, sigma, sigma))
    np.testing.assert_allclose(distort.blurred(pictures), expected, atol=1e-12)


def test_the_deformation_moves_by_as_much_as_it_says() -> None:
    rows, columns = torch.meshgrid(
        torch.arange(128.0).double(), torch.arange(128.0).double(), indexing="ij"
    )
    where = torch.stack([rows, columns, rows]).expand(2, 3, 128, 128) / 128
    moved = distort.deformed(where, ["a", "b"])
    inner = np.s_[:, :2, 10:-10, 10:-10]  # beyond the edge nothing can be fetched
    shift = ((moved - where)[inner] * 128).square().sum(1).mean((1, 2)).sqrt()
    np.testing.assert_allclose(shift, 128 * distort.DISPLACEMENT, rtol=0.2)
    again = distort.deformed(where[1:], ["b"])
    torch.testing.assert_close(again, moved[1:])
    assert not torch.equal(moved[0], moved[1])


def test_noise_is_one_grey_step(pictures: Tensor) -> None:
    noisy = distort.noisy(pictures, ["a", "b"])
    assert (noisy - pictures).std().item() * 255 == pytest.approx(1, abs=0.02)
    assert (noisy - pictures).mean().item() * 255 == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("diameter", [0.0, 1.0, 2.0, 4.0, 8.0])
def test_a_spot_is_as_large_as_it_says(diameter: float) -> None:
    places = np.array([[20.0, 30.0], [40.0, 12.0]])
    white = torch.ones(2, 3, 64, 64, dtype=torch.float64)
    white[:, 2] = 0.9  # coloured, so blood is painted
    dark = 1 - distort.painted(white, places, diameter) / white
    # of green 60 % are taken away wherever the spot covers all of a pixel
    area = dark[:, 1].sum((1, 2)) / 0.6
    expected = math.pi * diameter**2 / 4
    np.testing.assert_allclose(area, expected, rtol=0.3, atol=1e-9)
    if diameter:
        centres = [scipy.ndimage.center_of_mass(plane.numpy()) for plane in dark[:, 1]]
        np.testing.assert_allclose(centres, places, atol=1e-6)
        assert (dark[:, 0].sum((1, 2)) < dark[:, 1].sum((1, 2))).all()


def test_a_spot_lies_far_from_every_structure(eyes: EvalSet) -> None:
    places = distort.quiet_places(eyes, np.arange(len(eyes))).astype(int)
    for row, (y, x) in enumerate(places):
        assert eyes.masks["valid"][row, y, x]
        for name in ("vessels", "microaneurysms", "exudates", "disc"):
            assert not eyes.masks[name][row, y - 4 : y + 5, x - 4 : x + 5].any()
    bare = replace(eyes, masks={})
    assert np.abs(distort.quiet_places(bare, np.array([0])) - 127.5).max() <= 1
