"""Low light: moments against the closed form, streams, strata, planted effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.data.degradations import (
    LOW_LIGHT,
    Acquisition,
    PlantedEffect,
    assign_strata,
    degrade,
    noise_generator,
)
from benchmark.errors import DataError


def _decode(srgb: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written again."""
    x = srgb / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _patch(level: int, side: int = 160) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


@pytest.mark.parametrize("level", [120, 200, 255])
@pytest.mark.parametrize("exposure", [0.3, 1.0])
def test_mean_and_variance_are_poisson_plus_gauss(level: int, exposure: float) -> None:
    sensor = Acquisition(exposure=exposure, full_well=800.0, read_noise=6.0, bits=16)
    out = _decode(sensor.apply(_patch(level), stream="a", seed=3))
    electrons = 800.0 * exposure * _decode(np.array(float(level)))
    if electrons > 760:  # white is clipped by the well: only the mean of the dark half is left
        assert out.max() == 1.0
        return
    expected_mean = electrons / 800
    expected_variance = (electrons + 36) / 800**2
    count = out.size
    # the 8-bit sRGB of the output adds rounding of at most half a code
    step = _decode(np.array(255 * out.mean() ** (1 / 2.4) + 0.5)) - _decode(
        np.array(255 * out.mean() ** (1 / 2.4) - 0.5)
    )
    assert out.mean() == pytest.approx(expected_mean, abs=5 * np.sqrt(expected_variance / count))
    assert out.var() == pytest.approx(expected_variance + step**2 / 12, rel=0.05)


def test_counts_follow_the_poisson_law() -> None:
    # no read noise and one code per electron: the codes are the counts
    sensor = Acquisition(exposure=0.05, full_well=255.0, read_noise=0.0, bits=8)
    out = sensor.apply(_patch(255), stream="counts", seed=0)
    lookup = {int(code): count for count, code in enumerate(_encode(np.arange(256) / 255))}
    counts = np.vectorize(lambda code: lookup[int(code)])(out).ravel()
    mean = 0.05 * 255
    edges = np.arange(5, 22)
    observed = np.array([(counts == k).sum() for k in edges])
    expected = len(counts) * stats.poisson(mean).pmf(edges)
    scale = observed.sum() / expected.sum()
    assert stats.chisquare(observed, expected * scale).pvalue > 1e-3
    assert scale == pytest.approx(1, abs=0.01)


def _encode(linear: np.ndarray) -> np.ndarray:
    high = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return np.rint(np.where(linear <= 0.0031308, 12.92 * linear, high) * 255).astype(int)


def test_full_exposure_without_noise_returns_the_image() -> None:
    image = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 4, 3))
    sensor = Acquisition(exposure=1.0, full_well=1e9, read_noise=0.0, bits=16)
    difference = sensor.apply(image, stream="x", seed=0).astype(int) - image
    assert np.abs(difference).max() <= 1


def test_float_and_uint8_inputs_agree() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    sensor = LOW_LIGHT["dim"]
    one = sensor.apply(image, stream="s", seed=1)
    other = sensor.apply(image / 255, stream="s", seed=1)
    assert (one == other).all()


def _samples(count: int = 6) -> tuple[np.ndarray, pd.DataFrame]:
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    frame = pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(count)],
            "exposure": ["dim", "dark"] * (count // 2),
            "tone_level": ["light", "light", "dark"] * (count // 3),
        }
    )
    return images, frame


def test_noise_depends_on_the_sample_alone() -> None:
    images, frame = _samples()
    whole = degrade(images, frame, seed=5)
    order = np.array([4, 0, 3])
    part = degrade(images[order], frame.iloc[order], seed=5)
    assert (whole[order] == part).all()
    assert (whole == degrade(images, frame, seed=5)).all()
    assert (whole != degrade(images, frame, seed=6)).any(axis=(1, 2, 3)).all()


def test_twins_share_no_noise() -> None:
    images = np.stack([_patch(150, 64)] * 2)
    frame = pd.DataFrame({"sample": ["p-light", "p-dark"], "exposure": "dim"})
    first, second = degrade(images, frame, seed=0).reshape(2, -1).astype(float)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(first.size)


def test_planted_effects_touch_their_group_alone() -> None:
    images, frame = _samples()
    plain = degrade(images, frame, seed=0)
    effect = PlantedEffect(axis="tone_level", group="dark", read_noise=3.0)
    harmed = degrade(images, frame, seed=0, planted=[effect])
    touched = (plain != harmed).any(axis=(1, 2, 3))
    assert (touched == (frame["tone_level"] == "dark").to_numpy()).all()


def test_planted_read_noise_multiplies_the_variance() -> None:
    grey = np.stack([_patch(188)] * 2)
    frame = pd.DataFrame({"sample": ["a", "b"], "exposure": "x", "group": ["p", "q"]})
    strata = {"x": Acquisition(exposure=0.5, full_well=1e5, read_noise=3000.0, bits=16)}
    effect = PlantedEffect(axis="group", group="q", read_noise=1.5)
    out = _decode(degrade(grey, frame, seed=0, strata=strata, planted=[effect]))
    assert out[1].var() / out[0].var() == pytest.approx(1.5**2, rel=0.08)


def test_planted_exposure_scales_the_mean() -> None:
    grey = np.stack([_patch(188)] * 2)
    frame = pd.DataFrame({"sample": ["a", "b"], "exposure": "dim", "group": ["p", "q"]})
    effect = PlantedEffect(axis="group", group="q", exposure=0.7)
    out = _decode(degrade(grey, frame, seed=0, planted=[effect]))
    assert out[1].mean() / out[0].mean() == pytest.approx(0.7, rel=0.03)


def test_strata_are_shared_by_twins_and_balanced_in_each_cluster() -> None:
    frame = pd.DataFrame(
        [(f"p{p}", v, t) for p in range(7) for t in "abc" for v in range(1, 6)],
        columns=["cluster", "view", "tone"],
    )
    frame["stratum"] = assign_strata(frame.cluster, frame.view, seed=0)
    assert (frame.groupby(["cluster", "view"]).stratum.nunique() == 1).all()
    counts = frame.groupby(["cluster", "tone", "stratum"]).size().unstack()
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    # starts are random: both strata come first for somebody
    assert frame[frame.view == 1].stratum.nunique() == 2
    shuffled = frame.sample(frac=1, random_state=0)
    again = assign_strata(shuffled.cluster, shuffled.view, seed=0)
    assert again == shuffled.stratum.tolist()


def test_streams_are_far_apart() -> None:
    draws = np.stack([noise_generator(f"s{i}", seed=0).random(1000) for i in range(4)])
    correlation = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() < 0.15


@pytest.mark.parametrize(
    "values", [{"exposure": 0.0}, {"exposure": 1.5}, {"exposure": 0.1, "bits": 4}]
)
def test_impossible_sensors_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(DataError, match="exposure"):
        Acquisition(**values)  # type: ignore[arg-type]


def test_unknown_stratum_is_named() -> None:
    images, frame = _samples()
    frame["exposure"] = "dusk"
    with pytest.raises(DataError, match="dusk"):
        degrade(images, frame, seed=0)


def test_lengths_must_agree() -> None:
    images, frame = _samples()
    with pytest.raises(DataError, match="6 images but 5 rows"):
        degrade(images, frame.iloc[:5], seed=0)


def test_no_samples_give_no_images() -> None:
    images, frame = _samples()
    assert degrade(images[:0], frame.iloc[:0], seed=0).shape == (0, 16, 16, 3)
