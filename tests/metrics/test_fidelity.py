from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.data.evalset import EvalSet
from benchmark.imaging.colour import to_lab
from benchmark.imaging.difference import ciede2000
from benchmark.imaging.ssim import ssim
from benchmark.metrics import make_scorer


def batch(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_ssim_is_skimages(evalset: EvalSet) -> None:
    found = ssim(batch(evalset.inputs), batch(evalset.references)).numpy()
    expected = [
        skimage.metrics.structural_similarity(
            a,
            b,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(evalset.inputs, evalset.references, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_ssim_of_other_shapes_and_extremes() -> None:
    wide = torch.rand(2, 3, 12, 40)
    torch.testing.assert_close(ssim(wide, wide), torch.ones(2), atol=1e-6, rtol=0)
    assert torch.isnan(ssim(wide[:, :, :10], wide[:, :, :10])).all()
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    # constants: only the luminance term is left, c1 / (1 + c1)
    torch.testing.assert_close(ssim(black, white), torch.tensor([1e-4 / 1.0001]))


def test_psnr_is_skimages_with_a_ceiling_at_100_db(evalset: EvalSet) -> None:
    scorer, index = make_scorer("psnr"), np.arange(len(evalset))
    found = scorer.score(batch(evalset.inputs), index, evalset, {})["psnr"]
    expected = [
        skimage.metrics.peak_signal_noise_ratio(b, a, data_range=255)
        for a, b in zip(evalset.inputs, evalset.references, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    same = scorer.score(batch(evalset.references), index, evalset, {})["psnr"]
    np.testing.assert_allclose(same, 100, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_colour_difference_is_skimages(seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.uniform([0, -100, -100], [100, 100, 100], (6, 6, 3))
    # near pairs, far pairs, greys and equal colours
    second = first + random.choice([0, 0.5, 30], (6, 6, 1)) * random.standard_normal((6, 6, 3))
    first[0, :, 1:] = 0
    second[:, 0] = first[:, 0]
    found = ciede2000(*(torch.from_numpy(x).permute(2, 0, 1)[None] for x in (first, second)))
    np.testing.assert_allclose(found[0], skimage.color.deltaE_ciede2000(first, second), atol=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # pairs 1, 7, 17, 20 and 33 of Sharma, Wu & Dalal (2005), table 1
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
        ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ],
)
def test_colour_difference_of_published_pairs(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    lab = [torch.tensor(x, dtype=torch.float64).view(1, 3, 1, 1) for x in (first, second)]
    assert ciede2000(lab[0], lab[1]).item() == pytest.approx(expected, abs=1e-4)
    assert ciede2000(lab[1], lab[0]).item() == pytest.approx(expected, abs=1e-4)


def test_mean_colour_difference_is_skimages(evalset: EvalSet) -> None:
    index = np.arange(len(evalset))
    found = make_scorer("delta_e").score(batch(evalset.inputs), index, evalset, {})["delta_e"]
    expected = [
        skimage.color.deltaE_ciede2000(skimage.color.rgb2lab(a), skimage.color.rgb2lab(b)).mean()
        for a, b in zip(evalset.inputs, evalset.references, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def _one_colour(rgb: tuple[int, int, int]) -> EvalSet:
    import pandas as pd

    image = np.broadcast_to(np.array(rgb, np.uint8), (2, 16, 16, 3)).copy()
    image[:, :, :4] = (0, 255, 0)  # outside the mask
    skin = np.zeros((2, 16, 16), bool)
    skin[0, 4:12, 6:] = True
    frame = pd.DataFrame({"sample": ["a", "b"], "cluster": ["a", "b"], "status": "ok"})
    return EvalSet(frame, image, image, "one colour", masks={"skin": skin})


def test_skin_tone_shift_in_closed_form() -> None:
    before, after = (196, 144, 112), (150, 100, 80)
    evalset = _one_colour(before)
    outputs = batch(_one_colour(after).references)
    found = make_scorer("skin").score(outputs, np.arange(2), evalset, {})

    def angle(rgb: tuple[int, int, int]) -> float:
        lightness, _, yellow = skimage.color.rgb2lab(np.array(rgb) / 255)
        return float(np.degrees(np.arctan2(lightness - 50, yellow)))

    shift = angle(after) - angle(before)
    assert shift < -10
    assert found["ita_shift"][0] == pytest.approx(shift, abs=0.02)
    assert found["ita_shift_abs"][0] == pytest.approx(-shift, abs=0.02)
    assert np.isnan(found["ita_shift"][1])  # an empty mask


def test_skin_tone_shift_takes_the_short_way_round() -> None:
    # dark bluish skin has an angle below -90 and dark yellowish above: never 270 degrees apart
    evalset = _one_colour((20, 20, 40))
    lighter = batch(_one_colour((200, 200, 230)).references)
    found = make_scorer("skin").score(lighter, np.arange(2), evalset, {})["ita_shift"][0]
    assert -180 <= found < 180


def test_skin_tone_shift_without_masks_is_unknown(evalset: EvalSet) -> None:
    bare = replace(evalset, masks={})
    found = make_scorer("skin").score(batch(evalset.inputs), np.arange(6), bare, {})
    assert np.isnan(found["ita_shift_abs"]).all()


def test_lab_agrees_with_skimage(evalset: EvalSet) -> None:
    found = to_lab(batch(evalset.references)).permute(0, 2, 3, 1).numpy()
    expected = skimage.color.rgb2lab(evalset.references / 255)
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.fixture(scope="module")
def windowed(evalset: EvalSet) -> EvalSet:
    """Only a window of the fourth sample is valid, nothing of the second, and all of the others."""
    valid = np.ones(evalset.references.shape[:3], dtype=bool)
    valid[1] = False
    valid[3] = False
    valid[3, 20:90, 35:110] = True
    return replace(evalset, masks={**evalset.masks, "valid": valid})


def test_psnr_over_valid_pixels_in_closed_form(windowed: EvalSet) -> None:
    index, valid = np.arange(len(windowed)), windowed.masks["valid"]
    scorer = make_scorer("psnr")
    found = scorer.score(batch(windowed.inputs), index, windowed, {})["psnr"]
    errors = ((windowed.inputs / 255 - windowed.references / 255) ** 2).mean(-1)
    expected = [-10 * np.log10(errors[i][valid[i]].mean()) if i != 1 else np.nan for i in index]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    everywhere = scorer.score(batch(windowed.inputs), index, replace(windowed, masks={}), {})
    assert abs(found[3] - everywhere["psnr"][3]) > 0.1
    np.testing.assert_allclose(found[[0, 2]], everywhere["psnr"][[0, 2]], atol=1e-5)
    same = scorer.score(batch(windowed.references), index, windowed, {})["psnr"]
    np.testing.assert_allclose(same[[0, 2, 3]], 100, atol=1e-4)


def test_ssim_over_windows_centred_on_valid_pixels(windowed: EvalSet) -> None:
    index, valid = np.arange(len(windowed)), windowed.masks["valid"]
    found = make_scorer("ssim").score(batch(windowed.inputs), index, windowed, {})["ssim"]
    for row in index:
        shown = np.where(valid[row, ..., None], windowed.inputs[row], windowed.references[row])
        _, similarity = skimage.metrics.structural_similarity(
            shown,
            windowed.references[row],
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        centres = valid[row].copy()
        centres[:5] = centres[-5:] = False
        centres[:, :5] = centres[:, -5:] = False
        expected = similarity[centres].mean() if centres.any() else np.nan
        np.testing.assert_allclose(found[row], expected, atol=2e-6)
    assert np.isnan(found[1])


def test_colour_difference_over_valid_pixels(windowed: EvalSet) -> None:
    index, valid = np.arange(len(windowed)), windowed.masks["valid"]
    found = make_scorer("delta_e").score(batch(windowed.inputs), index, windowed, {})["delta_e"]
    lab = [skimage.color.rgb2lab(images / 255) for images in (windowed.inputs, windowed.references)]
    difference = skimage.color.deltaE_ciede2000(*lab)
    expected = [difference[i][valid[i]].mean() if i != 1 else np.nan for i in index]
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_skin_tone_of_valid_skin_only(windowed: EvalSet) -> None:
    index = np.arange(len(windowed))
    tinted = windowed.references.copy()
    tinted[3][~windowed.masks["valid"][3]] = (0, 255, 0)
    found = make_scorer("skin").score(batch(tinted), index, windowed, {})["ita_shift"]
    assert np.isnan(found[1])
    np.testing.assert_allclose(np.delete(found, 1), 0, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["psnr", "ssim", "gmsd", "fsim", "vsi", "delta_e", "lpips-squeeze", "textures"]
)
def test_what_is_not_valid_cannot_matter(windowed: EvalSet, trunks: None, name: str) -> None:
    index, valid = np.arange(len(windowed)), windowed.masks["valid"]
    scribbled = windowed.inputs.copy()
    scribbled[~valid] = np.random.default_rng(0).integers(0, 256, (np.sum(~valid), 3))
    scorer = make_scorer(name)
    with torch.inference_mode():
        answers = [
            scorer.score(batch(images), index, windowed, scorer.prepare(windowed))
            for images in (windowed.inputs, scribbled)
        ]
    for spec in scorer.specs:
        plain, other = (answer[spec.name] for answer in answers)
        assert np.isfinite(plain).tolist() == [i != 1 for i in index], spec.name
        np.testing.assert_array_equal(plain, other, err_msg=spec.name)
