"""The readers of signs: geometry, decoding, targets, calibration, learning, and their assets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.transform import ProjectiveTransform
from torch import Tensor

from benchmark.assets import asset_names, load_record
from benchmark.assets.fitting import initialised
from benchmark.errors import EquiluxError, WeightsError
from benchmark.judges.base import JUDGES, Reader, make_judge
from benchmark.judges.signs import (
    JUDGE_READER,
    LOSS_READER,
    load_layers,
    load_network,
    read_with,
    reading,
)
from benchmark.judges.signs_card import agreement, calibration_error, read_images, reading_card
from benchmark.judges.signs_lessons import (
    _along,
    _around,
    field_loss,
    gaze_loss,
    lessons,
)
from benchmark.judges.signs_net import (
    BLANK,
    CLASSES,
    MARGIN,
    Answers,
    SignField,
    SignGaze,
    SignNetwork,
    _strongest,
    from_square,
    straightened,
)
from benchmark.judges.signs_training import (
    JUDGE_SETTINGS,
    LOSS_SETTINGS,
    ReaderSettings,
    calibrate,
    fit_reader,
    train_judge_reader,
    train_loss_reader,
)
from benchmark.probes.signs import SignSamples, render_signs
from benchmark.probes.signs.artwork import SIGNS
from benchmark.probes.signs.illuminants import ILLUMINANTS
from benchmark.probes.signs.strokes import ALPHABET
from benchmark.probes.signs.subjects import LONGEST, PLATE

TINY = ReaderSettings(
    seed=0, split="train", scenes=4, steps=2, batch=4, rate=1e-3, decay=0.0,
    calibration_scenes=4, validation_scenes=2,
)  # fmt: skip
trained = pytest.mark.skipif(
    not {LOSS_READER, JUDGE_READER} <= set(asset_names()), reason="the readers are not trained yet"
)


@pytest.fixture(scope="module")
def samples() -> SignSamples:
    return render_signs(8, split="train", illuminants=("daylight",))


@pytest.fixture(scope="module")
def pictures(samples: SignSamples) -> Tensor:
    return torch.from_numpy(samples.images).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module", params=[SignField, SignGaze])
def network(request: pytest.FixtureRequest) -> SignNetwork:
    made: SignNetwork = initialised(request.param, 0)
    return made.eval()


def test_networks_are_small_and_have_nothing_in_common() -> None:
    networks = (SignField(), SignGaze())
    for each in networks:
        assert 100_000 < sum(p.numel() for p in each.parameters()) <= 1_000_000
    kinds = [{type(m).__name__ for m in each.modules()} for each in networks]
    assert "BatchNorm2d" in kinds[0] - kinds[1]
    assert "GroupNorm" in kinds[1] - kinds[0]
    assert LOSS_SETTINGS.split != JUDGE_SETTINGS.split
    assert LOSS_SETTINGS.seed != JUDGE_SETTINGS.seed
    assert LOSS_SETTINGS.augmentation != JUDGE_SETTINGS.augmentation


def test_a_reading_is_a_class_or_the_text_with_the_chance_of_all_of_it() -> None:
    classes = torch.full((2, len(CLASSES)), -50.0)
    classes[0, CLASSES.index("stop")] = 0.0
    classes[0, CLASSES.index("yield")] = np.log(0.25)
    classes[1, CLASSES.index(PLATE)] = 0.0
    characters = torch.full((2, LONGEST, BLANK + 1), -50.0)
    characters[:, :, BLANK] = 0.0
    characters[1, 0, ALPHABET.index("K")] = 50.0
    characters[1, 1, ALPHABET.index("7")] = np.log(3.0)
    seen = reading(Answers(classes, characters), torch.ones(2))
    assert seen.labels.tolist() == ["stop", "K7"]
    np.testing.assert_allclose(seen.confidence, [0.8, 0.75], rtol=1e-5)
    hot = reading(Answers(classes, characters), torch.tensor([2.0, 1.0]))
    np.testing.assert_allclose(hot.confidence, [1 / 1.5, 0.75], rtol=1e-5)


def test_peaks_are_read_from_left_to_right_and_the_rest_is_blank() -> None:
    cells = torch.zeros(1, BLANK + 1, 8, 12)
    cells[:, BLANK] = 9.0
    for letter, row, column in (("X", 3, 9), ("A", 5, 2), ("7", 4, 5)):
        cells[0, ALPHABET.index(letter), row, column] = 14.0
        cells[0, ALPHABET.index(letter), row, column + 1] = 12.0  # a weaker neighbour of the peak
    found = _strongest(cells).argmax(2)[0].tolist()
    assert found[:3] == [ALPHABET.index(letter) for letter in "A7X"]
    assert found[3:] == [BLANK] * 3


def test_neighbours_that_are_both_sure_are_one_character() -> None:
    cells = torch.zeros(1, BLANK + 1, 1, 24)
    cells[:, BLANK] = 40.0
    for column, logit in ((4, 90.0), (5, 91.0), (8, 95.0), (9, 94.0)):
        cells[0, ALPHABET.index("K"), 0, column] = logit  # probability 1 in single precision
    found = _strongest(cells).argmax(2)[0].tolist()
    assert found == [ALPHABET.index("K")] * 2 + [BLANK] * 4


def test_the_unit_square_goes_where_skimage_says() -> None:
    corners = np.array([[20.0, 30], [90, 22], [100, 80], [15, 71]])
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    oracle = ProjectiveTransform.from_estimate(square, corners).params
    mine = from_square(torch.tensor(corners)[None])[0].numpy()
    np.testing.assert_allclose(mine / mine[2, 2], oracle / oracle[2, 2], atol=1e-6)


def test_straightening_the_whole_picture_changes_nothing() -> None:
    image = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    # corners such that margin and all, cell centres fall on pixel centres
    inner = 39 * MARGIN / (1 + 2 * MARGIN)
    low, high = inner, 39 - inner
    corners = torch.tensor([[[low, low], [high, low], [high, high], [low, high]]])
    torch.testing.assert_close(straightened(image, corners, (40, 40)), image, atol=1e-4, rtol=0)


def test_corners_on_a_line_give_a_finite_picture() -> None:
    image = torch.rand(2, 3, 32, 32)
    corners = torch.tensor([[[5.0, 5], [9, 9], [12, 12], [20, 20]], [[3.0, 3]] * 4])
    assert straightened(image, corners, (8, 8)).isfinite().all()


def test_targets_name_the_characters_in_order(samples: SignSamples) -> None:
    known = lessons(samples)
    plates = known.take(torch.nonzero(known.classes == CLASSES.index(PLATE)).flatten())
    assert len(plates) == 4
    texts = [text for text in samples.frame["label"] if text not in SIGNS]
    target, weight = _around(plates, torch.zeros(4, 1, 32, 32), 4)
    columns, column_weight = _along(plates, plates.corners, 24)
    for row, text in enumerate(texts):
        for where, counts in ((target[row], weight[row]), (columns[row], column_weight[row])):
            named = {ALPHABET[t] for t in where[where != BLANK].tolist()}
            assert named == set(text)
            assert (counts[where != BLANK] == 1).all()
        across = columns[row, 0]
        kept = across[across != BLANK].tolist()
        spelt = [c for c, before in zip(kept, [-1, *kept], strict=False) if c != before]
        assert "".join(ALPHABET[c] for c in spelt) in {text, _without_doubles(text)}


def _without_doubles(text: str) -> str:
    return "".join(c for c, before in zip(text, " " + text, strict=False) if c != before)


def test_any_size_and_no_picture_at_all_are_read(network: SignNetwork) -> None:
    for size in ((64, 64), (200, 150), (1, 1)):
        seen = read_with(network, torch.rand(2, 3, *size))
        assert seen.labels.shape == seen.confidence.shape == (2,)
    nobody = read_with(network, torch.zeros(0, 3, 128, 128))
    assert nobody.labels.shape == nobody.confidence.shape == (0,)


def test_a_flat_picture_gets_some_answer_with_a_finite_confidence(network: SignNetwork) -> None:
    seen = read_with(network, torch.stack([torch.full((3, 128, 128), v) for v in (0, 0.5, 1.0)]))
    assert ((seen.confidence >= 0) & (seen.confidence <= 1)).all()


@pytest.mark.parametrize(("build", "loss"), [(SignField, field_loss), (SignGaze, gaze_loss)])
def test_training_lowers_the_loss_and_repeats_bit_for_bit(
    build: type[SignNetwork], loss: object, samples: SignSamples
) -> None:
    known, runs, history = lessons(samples), [], []

    def recorded(*args: object) -> Tensor:
        value: Tensor = loss(*args)  # type: ignore[operator]
        history.append(float(value.detach()))
        return value

    for _ in range(2):
        made = initialised(build, 0)
        fit_reader(made, recorded, known, replace(TINY, steps=6, rate=3e-3))
        assert not made.training
        runs.append(made.state_dict())
    assert history[:6] == history[6:]
    assert history[5] < history[0]
    assert all(torch.equal(runs[0][key], runs[1][key]) for key in runs[0])


def test_a_batch_without_plates_is_learnt_from(samples: SignSamples) -> None:
    known = lessons(samples)
    signs = known.take(torch.nonzero(known.classes != CLASSES.index(PLATE)).flatten()[:2])
    images = signs.images.float() / 255
    for build, loss in ((SignField, field_loss), (SignGaze, gaze_loss)):
        value = loss(build(), images, signs, torch.Generator().manual_seed(0))  # type: ignore[operator]
        assert value.isfinite()


class Braggart(SignNetwork):
    """Says ``stop`` with certainty, whatever it sees."""

    def forward(self, images: Tensor) -> Answers:
        classes = torch.zeros(len(images), len(CLASSES))
        classes[:, CLASSES.index("stop")] = 9.0
        return Answers(classes, torch.zeros(len(images), LONGEST, BLANK + 1))


def test_calibration_cools_a_network_that_is_too_sure(samples: SignSamples) -> None:
    network = Braggart().eval()
    known = lessons(samples)
    before = read_images(network, samples.images).confidence.mean()
    calibrate(network, known)
    assert network.temperatures[0] > 1
    assert read_images(network, samples.images).confidence.mean() < before


def test_calibration_error_and_agreement_in_closed_form() -> None:
    sure = pd.Series([0.9] * 10 + [0.6] * 5)
    assert calibration_error(pd.Series([True] * 15), sure) == pytest.approx((1.0 + 2.0) / 15)
    assert calibration_error(pd.Series([True]), pd.Series([1.0])) == 0
    truth = np.array(["a", "b", "c", "d"])
    found = agreement(np.array(["a", "b", "x", "x"]), np.array(["a", "y", "x", "d"]), truth)
    assert found == {"same": 0.5, "both_wrong": 0.25, "independent": 0.25}


def test_cards_are_of_the_right_kind_and_say_which_is_of_record() -> None:
    assert "judge of record" in JUDGES.get(JUDGE_READER).summary
    assert "loss" in JUDGES.get(LOSS_READER).summary
    with pytest.raises(EquiluxError, match="reader"):
        make_judge(JUDGE_READER, "segmenter")


@trained
@pytest.mark.parametrize("name", [LOSS_READER, JUDGE_READER])
def test_the_committed_readers_read_as_well_as_their_cards_say(name: str) -> None:
    judge = make_judge(name, "reader")
    assert isinstance(judge, Reader)
    record = load_record(name)
    assert judge.identity()["weights"] == record.sha256
    card = pd.DataFrame(record.card["reading"]).set_index(["condition", "illuminant", "kind"])
    assert card.loc[("normal", "daylight", "sign"), "accuracy"] >= 0.97
    assert card.loc[("normal", "daylight", "plate"), "accuracy"] >= 0.9
    assert card.loc[("normal", "daylight", "all"), "ece"] < 0.05
    # what is lost in the dark comes back, in part, with the gain
    dark, restored = (
        card.xs(c).xs("all", level="kind")["accuracy"] for c in ("dark", "dark, restored")
    )
    assert restored.mean() > dark.mean() + 0.1
    # the same scenes as the card's first ones: within what so few can deviate
    again = render_signs(
        24, split="validation", seed=int(record.settings["seed"]), illuminants=("daylight",)
    )
    pictures = torch.from_numpy(again.images).permute(0, 3, 1, 2).float() / 255
    seen = judge.read(pictures)
    right = (seen.labels == again.frame["label"].to_numpy()).mean()
    assert right >= card.loc[("normal", "daylight", "all"), "accuracy"] - 0.1


@trained
@pytest.mark.parametrize("name", [LOSS_READER, JUDGE_READER])
def test_the_committed_readers_do_not_mind_their_batch(name: str, pictures: Tensor) -> None:
    judge = make_judge(name, "reader")
    assert isinstance(judge, Reader)
    dim = torch.cat([pictures, pictures * 0.3])
    whole = judge.read(dim)
    alone = [judge.read(dim[i : i + 1]) for i in range(len(dim))]
    assert whole.labels.tolist() == [one.labels[0] for one in alone]
    singly = np.concatenate([one.confidence for one in alone])
    np.testing.assert_allclose(whole.confidence, singly, atol=1e-4)


@trained
def test_the_layers_of_the_loss_are_those_of_the_reader(pictures: Tensor) -> None:
    network = load_network(LOSS_READER)
    assert isinstance(network, SignField)
    _, middle, coarse = network.features(pictures[:2])
    layers = load_layers()(pictures[:2])
    torch.testing.assert_close(layers[0], middle, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(layers[1], coarse, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_both_commands_write_what_can_be_loaded_and_refuse_damage(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"(?s)missing.*instruments train sign-reader"):
        load_network(LOSS_READER, folder=tmp_path)
    first = train_loss_reader(tmp_path, settings=TINY)
    second = train_judge_reader(tmp_path, settings=replace(TINY, split="train-judge", seed=1))
    assert set(second.card["agreement_with_the_loss_reader"]) == {
        "same",
        "both_wrong",
        "independent",
    }
    # three kinds under every lamp in every condition
    assert len(first.card["reading"]) == 5 * len(ILLUMINANTS) * 3
    assert first == train_loss_reader(tmp_path / "again", settings=TINY)
    for name in (LOSS_READER, JUDGE_READER):
        assert isinstance(load_network(name, folder=tmp_path), SignNetwork)
        weights = tmp_path / f"{name}.safetensors"
        assert weights.stat().st_size < 2_500_000
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
        with pytest.raises(WeightsError, match="sha256"):
            load_network(name, folder=tmp_path)


def test_a_card_has_a_row_for_every_condition(network: SignNetwork) -> None:
    rows = reading_card(network, render_signs(2, split="validation"), seed=0)
    table = pd.DataFrame(rows)
    assert set(table["condition"]) == {
        *("normal", "dim", "dark"),
        *("dim, restored", "dark, restored"),
    }
    assert table["ece"].notna().sum() == 5 * len(ILLUMINANTS)
