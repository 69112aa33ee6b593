"""The fundus segmenter: what it may depend on, learning, thresholds, and its asset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

from benchmark.assets import asset_folder, load_record
from benchmark.assets.fitting import initialised
from benchmark.data.views import Views
from benchmark.errors import DataError, WeightsError
from benchmark.judges.base import make_judge
from benchmark.judges.fundus_net import (
    ASSET,
    STRUCTURES,
    FundusNet,
    FundusSegmenter,
    load_network,
    locally_normal,
    probabilities,
)
from benchmark.judges.fundus_training import (
    SegmenterSettings,
    answers,
    choose_thresholds,
    conditions,
    dice,
    fit_segmenter,
    save_segmenter,
    segmentation_card,
    train_segmenter,
    truth_of,
)
from benchmark.probes.base import ProbeSettings
from benchmark.probes.fundus import PIGMENTATIONS, fundus_phantoms, fundus_views

present = pytest.mark.skipif(
    not (asset_folder() / f"{ASSET}.json").is_file(), reason="the asset is not trained yet"
)

SMALL = SegmenterSettings(steps=40, batch=4, side=64)


def scribbles(count: int = 9, size: int = 64) -> Views:
    """Dark lines, dark dots and bright dots on a grey ground, in three greys."""
    rng = np.random.default_rng(0)
    levels = np.resize(list(PIGMENTATIONS), count)
    ground = {"light": 180, "medium": 130, "dark": 90}
    images = np.stack([np.full((size, size, 3), ground[level], np.float64) for level in levels])
    masks = {name: np.zeros((count, size, size), bool) for name in (*STRUCTURES, "valid")}
    masks["valid"][:, 2:-2, 2:-2] = True
    for row in range(count):
        for place in rng.choice(np.arange(6, size - 6, 8), 3, replace=False):
            masks["vessels"][row, place : place + 2, 4:-4] = True
        for name in STRUCTURES[1:]:
            for y, x in rng.integers(8, size - 12, (4, 2)):
                masks[name][row, y : y + 4, x : x + 4] = True
        masks["microaneurysms"][row] &= ~masks["vessels"][row]
        masks["exudates"][row] &= ~masks["vessels"][row] & ~masks["microaneurysms"][row]
    dark = masks["vessels"] | masks["microaneurysms"]
    images[dark] *= 0.6
    images[masks["exudates"]] *= 1.35
    frame = pd.DataFrame({"sample": [f"s{row}" for row in range(count)], "pigmentation": levels})
    return Views(frame, images.clip(0, 255).astype(np.uint8), masks=masks)


@pytest.fixture(scope="module")
def trained() -> FundusNet:
    return fit_segmenter(scribbles(), SMALL)


def test_size_is_as_designed() -> None:
    assert sum(p.numel() for p in FundusNet().parameters()) < 600_000


def test_normalisation_forgets_gain_and_offset_and_outside() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 48, 40, generator=generator) * 0.5 + 0.2
    valid = torch.ones(2, 48, 40, dtype=torch.bool)
    valid[:, :10] = False
    normal = locally_normal(images, valid)
    assert normal[:, :, :10].abs().max() == 0
    torch.testing.assert_close(locally_normal(images + 0.1, valid), normal, atol=1e-3, rtol=0)
    assert (normal - locally_normal(images * 0.7, valid)).abs().max() < 0.15
    other = images.clone()
    other[:, :, :10] = 0
    assert torch.equal(locally_normal(other, valid), normal)
    flat = locally_normal(torch.full((1, 3, 32, 32), 0.4), torch.ones(1, 32, 32, dtype=torch.bool))
    assert flat.abs().max() < 1e-3
    blank = probabilities(
        initialised(FundusNet, 0).eval(), torch.full((1, 3, 40, 40), 0.4), valid[:1, :40]
    )
    assert blank.abs().max() == 0
    nowhere = locally_normal(images, torch.zeros_like(valid))
    assert nowhere.abs().max() == 0


def test_it_learns_lines_and_dots(trained: FundusNet) -> None:
    views = scribbles(6)
    found = answers(trained, views.images, views.masks["valid"])
    assert dice(found[:, 0] > 0.5, views.masks["vessels"]).mean() > 0.6
    assert not found[~np.repeat(views.masks["valid"][:, None], 3, 1)].any()


def test_training_repeats_bit_for_bit() -> None:
    settings = replace(SMALL, steps=2)
    runs = [fit_segmenter(scribbles(3), settings).state_dict() for _ in range(2)]
    assert all(torch.equal(runs[0][key], runs[1][key]) for key in runs[0])


def test_dice_matches_sklearn_and_knows_the_empty() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.random((2, 3, 9, 9)) > 0.6
    expected = [f1_score(b.ravel(), a.ravel()) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(dice(one, other), expected)
    empty = np.zeros_like(one)
    np.testing.assert_array_equal(dice(empty, empty), 1)
    np.testing.assert_array_equal(dice(empty, other), 0)


def test_conditions_are_clean_and_every_medical_stratum() -> None:
    views = scribbles(3)
    made = conditions(views, seed=0)
    assert list(made) == ["clean", "haze", "blur", "uneven"]
    assert made["clean"] is views.images
    assert made["uneven"].mean() < views.images.mean()


def test_the_card_counts_lesions_and_false_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    views = scribbles(3)
    truth = truth_of(views)
    perfect = truth.astype(np.float32)
    invented = perfect.copy()
    invented[:, 1, 20:22, 10:13] = 1  # six pixels that may touch no real dot
    invented[:, 1][truth[:, 1]] = 0
    missed = invented * ~truth[:, 1:2]
    for found, recall, false in ((perfect, 1.0, 0.0), (missed, 0.0, 1.0)):
        monkeypatch.setattr(
            "benchmark.judges.fundus_training.answers", lambda *_, made=found: made.copy()
        )
        network = initialised(FundusNet, 0)
        choose_thresholds(network, views, seed=0)
        card = segmentation_card(network, views, seed=0)
        assert len(card["segmentation"]) == 4 * 3
        for row in card["segmentation"]:
            assert row["microaneurysms_recall"] == recall
            assert row["microaneurysms_lesions"] > 0
            assert row["vessel_dice"] == 1.0
            if not (truth[:, 1, 19:23, 9:14]).any():
                assert row["microaneurysms_false"] == false


def test_absent_and_foreign_weights_are_refused(trained: FundusNet, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"(?s)missing.*instruments train fundus-segmenter"):
        load_network(folder=tmp_path)
    save_segmenter(trained, folder=tmp_path, settings=SMALL, card={})
    assert (tmp_path / f"{ASSET}.safetensors").stat().st_size < 1_000_000
    weights = tmp_path / f"{ASSET}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(WeightsError, match="sha256"):
        load_network(folder=tmp_path)


@pytest.fixture(scope="module")
def stored(trained: FundusNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asset")
    trained.thresholds.copy_(torch.tensor([0.4375, 0.5, 0.625]))
    save_segmenter(trained, folder=folder, settings=SMALL, card={})
    return folder


def test_stored_thresholds_are_exact(stored: Path) -> None:
    assert load_network(folder=stored).thresholds.tolist() == [0.4375, 0.5, 0.625]


def pictures(views: Views) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(views.masks["valid"])


def test_answers_do_not_depend_on_the_batch(stored: Path) -> None:
    images, valid = pictures(scribbles(5))
    judge = FundusSegmenter(folder=stored)
    together = judge.probabilities(images, valid)
    alone = torch.cat(
        [judge.probabilities(i[None], v[None]) for i, v in zip(images, valid, strict=True)]
    )
    assert torch.equal(together, alone)
    back = judge.probabilities(images.flip(0), valid.flip(0)).flip(0)
    assert torch.equal(together, back)
    assert judge.probabilities(images[:0], valid[:0]).shape == (0, 3, 64, 64)


def test_nothing_is_found_outside_and_all_counts_by_default(stored: Path) -> None:
    images, valid = pictures(scribbles(2))
    judge = FundusSegmenter(folder=stored)
    valid[:, :, :30] = False
    found = judge.segment(images, valid)
    assert tuple(found) == STRUCTURES == judge.structures
    for mask in found.values():
        assert mask.dtype == torch.bool
        assert not mask[~valid].any()
    # what lies outside is not even looked at
    other = images.clone()
    other[~valid[:, None].expand_as(other)] = 1.0
    again = judge.segment(other, valid)
    assert all(torch.equal(found[name], again[name]) for name in STRUCTURES)
    everything = torch.ones_like(valid)
    free, full = judge.segment(images), judge.segment(images, everything)
    assert all(torch.equal(free[name], full[name]) for name in STRUCTURES)
    nothing = judge.segment(images, torch.zeros_like(valid))
    assert not any(mask.any() for mask in nothing.values())


@pytest.mark.parametrize("shape", [(32, 32), (33, 50), (71, 34)])
def test_any_size_from_32_on(stored: Path, shape: tuple[int, int]) -> None:
    judge = FundusSegmenter(folder=stored)
    found = judge.segment(torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0)))
    assert all(mask.shape == (1, *shape) for mask in found.values())


def test_smaller_pictures_are_refused(stored: Path) -> None:
    with pytest.raises(DataError, match="at least 32"):
        FundusSegmenter(folder=stored).segment(torch.rand(1, 3, 31, 64))


def test_padding_changes_nothing_inside(stored: Path) -> None:
    network = load_network(folder=stored)
    images, valid = pictures(scribbles(1))
    wide = torch.nn.functional.pad(images, (0, 4, 0, 4), value=0.7)
    more = torch.nn.functional.pad(valid, (0, 4, 0, 4))
    plain = probabilities(network, images, valid)
    padded = probabilities(network, wide, more)[..., :64, :64]
    inner = (..., slice(0, 44), slice(0, 44))  # beyond the reach of another border
    torch.testing.assert_close(plain[inner], padded[inner], atol=1e-4, rtol=0)


@present
def test_the_committed_judge_sees_what_its_card_says() -> None:
    record = load_record(ASSET)
    judge = make_judge("fundus", "segmenter")
    assert judge.identity() == {ASSET: record.sha256}
    rows = {(row["condition"], row["pigmentation"]): row for row in record.card["segmentation"]}
    probe = ProbeSettings(**record.data["validation_probe"])
    views = fundus_views(replace(probe, subjects=4), advance=lambda _: None)
    images, valid = pictures(views)
    found = judge.segment(images, valid)  # type: ignore[attr-defined]
    for level in PIGMENTATIONS:
        mine = np.flatnonzero(views.frame["pigmentation"] == level)
        mean = dice(found["vessels"].numpy()[mine], views.masks["vessels"][mine]).mean()
        assert mean == pytest.approx(rows["clean", level]["vessel_dice"], abs=0.03)
        assert rows["clean", level]["vessel_dice"] >= 0.8
        assert rows["clean", level]["microaneurysms_recall"] >= 0.8
        assert rows["clean", level]["exudates_recall"] >= 0.8


@present
def test_the_committed_judge_finds_next_to_nothing_where_there_is_nothing() -> None:
    phantoms = fundus_phantoms(6, size=128, seed=0)
    found = FundusSegmenter().segment(*pictures(phantoms))
    flat = phantoms.frame["phantom"].to_numpy() == "flat"
    for mask in found.values():
        assert not mask.numpy()[flat].any()
        assert mask.float().mean() < 0.002


@pytest.mark.slow
def test_the_whole_command_on_a_few_eyes(tmp_path: Path) -> None:
    settings = SegmenterSettings(
        steps=3,
        batch=2,
        side=64,
        training=ProbeSettings(2, 1, "train"),
        calibration=ProbeSettings(1, 1, "calibration"),
        validation=ProbeSettings(1, 1, "validation"),
    )
    record = train_segmenter(tmp_path, settings=settings)
    assert record.data["training_probe"]["split"] == "train"
    assert len(record.card["segmentation"]) == 12
    assert set(record.card["thresholds"]) == set(STRUCTURES)
    assert train_segmenter(tmp_path / "again", settings=settings) == record
