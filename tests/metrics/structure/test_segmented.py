"""What the segmenter sees in outputs: planted errors are caught, edge cases are defined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmark.data.evalset import EvalSet
from benchmark.judges.base import make_judge
from benchmark.judges.fundus_net import FundusSegmenter
from benchmark.metrics import make_scorer
from benchmark.metrics.base import Column, State
from benchmark.metrics.structure.distort import painted, quiet_places


def part(evalset: EvalSet, *rows: int) -> EvalSet:
    """Some rows of a set."""
    chosen = np.array(rows, dtype=np.int64)
    return replace(
        evalset,
        frame=evalset.frame.iloc[chosen].reset_index(drop=True),
        inputs=evalset.inputs[chosen],
        references=evalset.references[chosen],
        masks={name: mask[chosen] for name, mask in evalset.masks.items()},
    )


def batch(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def eight_bit(images: torch.Tensor) -> torch.Tensor:
    return (images * 255).round() / 255


def scored(
    evalset: EvalSet, outputs: torch.Tensor, name: str = "segmented", state: State | None = None
) -> dict[str, Column]:
    scorer = make_scorer(name)
    with torch.inference_mode():
        known = scorer.prepare(evalset) if state is None else state
        return scorer.score(outputs, np.arange(len(evalset)), evalset, known)


def global_ssim(outputs: torch.Tensor, references: torch.Tensor) -> Column:
    return np.array(
        [
            structural_similarity(
                *(x.permute(1, 2, 0).numpy() for x in pair),
                channel_axis=2,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for pair in zip(outputs, references, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def state(eyes: EvalSet) -> State:
    return make_scorer("segmented").prepare(eyes)


@pytest.fixture(scope="module")
def clean(eyes: EvalSet, state: State) -> dict[str, Column]:
    return scored(eyes, batch(eyes.references), state=state)


def test_an_invented_lesion_is_caught_where_ssim_hardly_moves(
    eyes: EvalSet, clean: dict[str, Column], state: State
) -> None:
    places = quiet_places(eyes, np.arange(len(eyes)))
    outputs = eight_bit(painted(batch(eyes.references), places, 5.0))
    found = scored(eyes, outputs, state=state)
    assert (found["lesion_hallucination"] == clean["lesion_hallucination"] + 1).all()
    assert (found["microaneurysm_hallucination"] >= 1).all()
    np.testing.assert_array_equal(found["lesion_omission"], clean["lesion_omission"])
    change = 1 - global_ssim(outputs, batch(eyes.references))
    assert (change > 0).all()
    assert (change < 0.005).all()
    ours = scored(eyes, outputs, "ssim")["ssim"]
    assert (1 - ours < 0.005).all()


def test_a_removed_lesion_is_caught_where_ssim_hardly_moves(
    eyes: EvalSet, clean: dict[str, Column]
) -> None:
    ill = part(eyes, *np.flatnonzero(eyes.masks["microaneurysms"].any((1, 2))))
    assert len(ill) == 2
    before = scored(ill, batch(ill.references))
    outputs = ill.references.copy()
    for row, mask in enumerate(ill.masks["microaneurysms"]):
        # a clean patch of the same picture covers the largest lesion and its rim
        image, own = outputs[row], mask.copy()
        y, x = _largest(own)
        source = image[y - 6 : y + 7, x - 6 : x + 7].reshape(-1, 3)
        rim = ~mask[y - 6 : y + 7, x - 6 : x + 7].ravel()
        image[y - 4 : y + 5, x - 4 : x + 5] = np.median(source[rim], axis=0)
    found = scored(ill, batch(outputs))
    assert (found["lesion_omission"] >= before["lesion_omission"] + 1).all()
    assert (found["microaneurysm_omission"] >= before["microaneurysm_omission"] + 1).all()
    assert (found["lesion_omission_share"] > before["lesion_omission_share"]).all()
    assert (1 - global_ssim(batch(outputs), batch(ill.references)) < 0.005).all()


def _largest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    from skimage.measure import label, regionprops

    region = max(regionprops(label(mask, connectivity=2)), key=lambda r: r.area)
    y, x = region.centroid
    return round(y), round(x)


def test_the_judge_does_well_on_clean_references(clean: dict[str, Column]) -> None:
    assert (clean["dice"] > 0.75).all()
    assert (clean["cldice"] > 0.75).all()
    assert clean["lesion_hallucination"].mean() <= 1
    assert (clean["vessel_false"] < 0.15).all()
    assert (clean["vessel_missed"] < 0.3).all()


def test_every_column_is_finite_or_has_a_reason(eyes: EvalSet, clean: dict[str, Column]) -> None:
    lesions = eyes.masks["microaneurysms"].any((1, 2)) | eyes.masks["exudates"].any((1, 2))
    for name, values in clean.items():
        expected = lesions if name == "lesion_omission_share" else np.ones(len(eyes), bool)
        np.testing.assert_array_equal(np.isfinite(values), expected, err_msg=name)


def test_dice_and_its_gain_by_hand(eyes: EvalSet, clean: dict[str, Column], state: State) -> None:
    judge = make_judge("fundus", "segmenter")
    assert isinstance(judge, FundusSegmenter)
    valid, truth = eyes.masks["valid"], eyes.masks["vessels"] & eyes.masks["valid"]

    def by_hand(images: NDArray[np.uint8]) -> Column:
        shown = np.where(valid[..., None], images, eyes.references)
        found = judge.segment(batch(shown), torch.from_numpy(valid))["vessels"].numpy()
        return 2 * (found & truth).sum((1, 2)) / (found.sum((1, 2)) + truth.sum((1, 2)))

    np.testing.assert_allclose(clean["dice"], by_hand(eyes.references))
    gain = clean["dice"] - by_hand(eyes.inputs)
    np.testing.assert_allclose(clean["dice_gain"], gain)
    np.testing.assert_allclose(
        scored(eyes, batch(eyes.inputs), state=state)["dice_gain"], 0, atol=1e-12
    )


def test_nothing_outside_the_valid_pixels_matters(
    eyes: EvalSet, clean: dict[str, Column], state: State
) -> None:
    scribbled = eyes.references.copy()
    noise = np.random.default_rng(0).integers(0, 256, scribbled.shape, dtype=np.uint8)
    outside = ~eyes.masks["valid"]
    scribbled[outside] = noise[outside]
    found = scored(eyes, batch(scribbled), state=state)
    for name, values in clean.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_without_a_valid_pixel_nothing_is_known(eyes: EvalSet, clean: dict[str, Column]) -> None:
    valid = eyes.masks["valid"].copy()
    valid[1] = False
    found = scored(replace(eyes, masks={**eyes.masks, "valid": valid}), batch(eyes.references))
    for name, values in found.items():
        assert np.isnan(values[1]), name
        np.testing.assert_array_equal(values[[0, 2]], clean[name][[0, 2]])


def test_both_empty_agree_and_one_empty_does_not(eyes: EvalSet) -> None:
    one = part(eyes, 0)
    flat = np.full_like(one.references, 128)
    whole = np.ones_like(one.masks["valid"])
    diagonal = float(np.hypot(*flat.shape[1:3]))
    empty = {name: np.zeros_like(mask) for name, mask in one.masks.items()} | {"valid": whole}
    blank = replace(one, references=flat, inputs=flat, masks=empty)
    found = scored(blank, batch(flat))
    expected = {"dice": 1, "dice_gain": 0, "hd95": 0, "cldice": 1, "betti0_error": 0}
    assert {name: found[name][0] for name in expected} == expected
    # shares of a length that does not exist are not zero
    for name in ("vessel_false", "vessel_missed", "lesion_omission_share"):
        assert np.isnan(found[name][0])
    assert found["lesion_omission"][0] == found["lesion_hallucination"][0] == 0
    drawn = replace(blank, masks={**empty, "vessels": one.masks["vessels"]})
    found = scored(drawn, batch(flat))
    expected = {"dice": 0, "hd95": diagonal, "cldice": 0, "vessel_false": 0, "vessel_missed": 1}
    assert {name: found[name][0] for name in expected} == expected


def test_a_mask_that_nobody_drew_leaves_its_metrics_unknown(
    eyes: EvalSet, clean: dict[str, Column]
) -> None:
    one = part(eyes, 1)
    masks = {name: mask for name, mask in one.masks.items() if name != "exudates"}
    found = scored(replace(one, masks=masks), batch(one.references))
    unknown = {name for name, values in found.items() if np.isnan(values).all()}
    assert unknown == {
        "exudate_hallucination",
        "exudate_omission",
        "lesion_hallucination",
        "lesion_omission",
        "lesion_omission_share",
    }
    assert found["dice"][0] == clean["dice"][1]
    none = replace(one, masks={})
    assert all(np.isnan(values).all() for values in scored(none, batch(one.references)).values())


def test_each_picture_for_itself(eyes: EvalSet, state: State) -> None:
    outputs = batch(eyes.inputs)
    whole = scored(eyes, outputs, state=state)
    for row in (0, 2):
        alone = scored(part(eyes, row), outputs[row : row + 1])
        for name, values in whole.items():
            np.testing.assert_array_equal(alone[name], values[row : row + 1], err_msg=name)


@pytest.mark.parametrize("side", [8, 31, 32])
def test_pictures_too_small_for_the_judge_are_unknown(eyes: EvalSet, side: int) -> None:
    cut = np.s_[:, 100 : 100 + side, 100 : 100 + side]
    small = replace(
        eyes,
        inputs=eyes.inputs[cut],
        references=eyes.references[cut],
        masks={name: mask[cut] for name, mask in eyes.masks.items()},
    )
    found = scored(small, batch(small.references))
    assert np.isfinite(found["dice"]).all() == (side >= 32)
    if side < 32:
        assert all(np.isnan(values).all() for values in found.values())


def test_the_filter_judges_vessels_under_its_own_name(eyes: EvalSet) -> None:
    pair = part(eyes, 0, 1)
    found = scored(pair, batch(pair.references), "segmented:frangi")
    assert {name.partition(":")[0] for name in found} == {
        *("dice", "dice_gain", "hd95", "cldice"),
        *("vessel_false", "vessel_missed", "betti0_error"),
    }
    assert all(name.endswith(":frangi") for name in found)
    assert (found["dice:frangi"] > 0.5).all()


def test_notes_tell_the_ceiling_of_the_judge(clean: dict[str, Column], state: State) -> None:
    note = make_scorer("segmented").notes(state)["dice"]
    assert f"{clean['dice'].mean():.3f}" in note
    assert "3 clean references" in note
