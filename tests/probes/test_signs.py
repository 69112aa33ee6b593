"""Rendered signs: reproducible, disjoint, twins but for the lamp, and a lamp without colours."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2hsv

from benchmark.probes import PROBES, ProbeSettings
from benchmark.probes.signs import SignSamples, render_signs, sign_crops, sign_views
from benchmark.probes.signs.artwork import PAINTS, PLATE_STYLES, SIGNS, plate
from benchmark.probes.signs.evidence import colour_spread, shared_texts, twin_likeness
from benchmark.probes.signs.illuminants import ILLUMINANTS, response
from benchmark.probes.signs.strokes import ALPHABET, GLYPHS
from benchmark.probes.signs.subjects import LONGEST, PLATE, SHORTEST, SIGN, share_of, subject

LAMPS = len(ILLUMINANTS)
SPLITS = ("train", "train-judge", "calibration", "validation", "test")


@pytest.fixture(scope="module")
def samples() -> SignSamples:
    return render_signs(12, split="test", seed=3)


def ignore(count: int) -> None:
    del count


def test_the_same_settings_give_the_same_bytes() -> None:
    settings = ProbeSettings(subjects=3, views=2, seed=5)
    first, second = (sign_views(settings, advance=ignore) for _ in range(2))
    assert first.frame.equals(second.frame)
    np.testing.assert_array_equal(first.images, second.images)


def test_a_scene_depends_on_nothing_but_its_number(samples: SignSamples) -> None:
    alone = render_signs(3, split="test", seed=3, illuminants=("sodium",))
    np.testing.assert_array_equal(alone.images, samples.images[3 : 3 * LAMPS : LAMPS])
    more = render_signs(3, split="test", seed=3, views=2)
    first_views = (more.frame["view"] == 0).to_numpy()
    np.testing.assert_array_equal(more.images[first_views], samples.images[: 3 * LAMPS])


@pytest.mark.parametrize("change", [{"seed": 4}, {"split": "train"}])
def test_seed_and_split_change_every_scene(samples: SignSamples, change: dict[str, object]) -> None:
    others = render_signs(12, **({"split": "test", "seed": 3} | change))  # type: ignore[arg-type]
    same = (others.images == samples.images).all((1, 2, 3))
    assert not same.any()


def test_frames_are_as_a_task_wants_them(samples: SignSamples) -> None:
    frame = samples.frame
    assert frame["sample"].is_unique
    assert set(frame["role"]) == {"probe"}
    assert set(frame["status"]) == {"ok"}
    # every scene once under every lamp, all else shared
    assert (frame.groupby("cluster")["illuminant"].nunique() == LAMPS).all()
    shared = ["view", "kind", "sign_class", "label"]
    assert (frame.groupby("cluster")[shared].nunique() == 1).all(axis=None)
    assert frame.groupby("kind").size().to_dict() == {SIGN: 6 * LAMPS, PLATE: 6 * LAMPS}


def test_labels_are_sign_names_and_texts_of_the_alphabet() -> None:
    shown = [subject(number, split="test", seed=0) for number in range(200)]
    signs = [item for item in shown if item.kind == SIGN]
    plates = [item for item in shown if item.kind == PLATE]
    assert {item.label for item in signs} == set(SIGNS)
    counts = [sum(item.label == name for item in signs) for name in SIGNS]
    assert max(counts) - min(counts) <= 1
    for item in plates:
        assert SHORTEST <= len(item.label) <= LONGEST
        assert set(item.label) <= set(ALPHABET)
        assert item.sign_class == PLATE
        assert len(item.characters) == len(item.label)
    assert {len(item.label) for item in plates} == {SHORTEST, LONGEST}


def test_splits_share_no_plate() -> None:
    assert len({share_of(split) for split in SPLITS}) == len(SPLITS)
    assert all(shared_texts(a, b) == 0 for a in SPLITS for b in SPLITS if a < b)


def test_twins_differ_in_light_only(samples: SignSamples) -> None:
    assert min(twin_likeness(samples.images, LAMPS).values()) > 0.9
    # and pictures of other scenes do not pass for twins
    others = np.roll(samples.images, 1, axis=0)
    assert min(twin_likeness(others, LAMPS).values()) < 0.7
    for same in (samples.corners, samples.characters):
        groups = same.reshape(12, LAMPS, -1)
        np.testing.assert_array_equal(groups, np.repeat(groups[:, :1], LAMPS, 1))


def test_sodium_takes_colour_away_and_the_others_do_not(samples: SignSamples) -> None:
    lamps = samples.frame["illuminant"].to_numpy()
    spread = {lamp: colour_spread(samples.images[lamps == lamp]) for lamp in ILLUMINANTS}
    assert spread["sodium"] < 0.25 * spread["daylight"]
    assert min(spread["tungsten"], spread["moonlight"]) > 0.6 * spread["daylight"]
    hue = {}
    for lamp in ("daylight", "sodium"):
        hsv = rgb2hsv(samples.images[lamps == lamp])
        lit = hsv[..., 2] > 0.3
        hue[lamp] = np.abs(np.exp(2j * np.pi * hsv[..., 0][lit]).mean())
    # length of the mean hue vector: 1 if every pixel has one hue
    assert hue["sodium"] > 0.99
    assert hue["daylight"] < 0.8


def test_under_a_line_two_paints_differ_in_brightness_alone() -> None:
    paints = np.array([PAINTS["red"], PAINTS["green"], PAINTS["blue"], PAINTS["white"]])
    line = response(ILLUMINANTS["sodium"], balance=0.6)
    seen = paints @ line.T
    ratio = seen[:, 1] / seen[:, 0]
    assert ratio.std() < 0.1 * ratio.mean()
    day = paints @ response(ILLUMINANTS["daylight"], balance=0.6).T
    np.testing.assert_allclose(day, paints, rtol=1e-6)


@pytest.mark.parametrize("lamp", ILLUMINANTS)
def test_full_balance_makes_white_white_but_for_a_line(lamp: str) -> None:
    white = response(ILLUMINANTS[lamp], balance=1.0).sum(1)
    assert white.max() == pytest.approx(1.0)
    assert (white.min() > 0.999) == (lamp != "sodium")


def test_pictures_are_well_exposed_and_cast(samples: SignSamples) -> None:
    lamps = samples.frame["illuminant"].to_numpy()
    means = {lamp: samples.images[lamps == lamp].mean((0, 1, 2)) for lamp in ILLUMINANTS}
    assert 70 < means["daylight"].mean() < 170
    warmth = {lamp: mean[0] / mean[2] for lamp, mean in means.items()}
    assert warmth["daylight"] < warmth["moonlight"] < warmth["tungsten"] < warmth["sodium"]
    clipped = (samples.images == 255).all(3).mean()
    assert clipped < 0.02


def test_signs_are_inside_the_picture_and_as_large_as_promised(samples: SignSamples) -> None:
    assert ((samples.corners > -8) & (samples.corners < 135)).all()
    width = np.ptp(samples.corners[..., 0], axis=1) / 128
    assert ((width > 0.25) & (width < 0.9)).all()


def test_characters_are_where_they_are_said_to_be(samples: SignSamples) -> None:
    places = samples.characters[np.isfinite(samples.characters).all(2)]
    assert len(places) >= 6 * LAMPS * SHORTEST
    # in reading order, and inside the plate
    for points, corners in zip(samples.characters, samples.corners, strict=True):
        known = points[np.isfinite(points[:, 0])]
        if len(known):
            assert (np.diff(known[:, 0]) > 5).all()
            assert (known > corners.min(0)).all()
            assert (known < corners.max(0)).all()


def test_without_effect_only_the_recorded_lamp_moves() -> None:
    plain = sign_views(ProbeSettings(subjects=6, views=2), advance=ignore)
    shuffled = sign_views(ProbeSettings(subjects=6, views=2, effect="none"), advance=ignore)
    np.testing.assert_array_equal(plain.images, shuffled.images)
    assert (plain.frame["illuminant"] != shuffled.frame["illuminant"]).any()
    per_view = shuffled.frame.groupby(["cluster", "view"])["illuminant"].nunique()
    assert (per_view == LAMPS).all()
    rest = plain.frame.columns.drop("illuminant").tolist()
    assert plain.frame[rest].equals(shuffled.frame[rest])


@pytest.mark.parametrize(("count", "size"), [(1, 48), (7, 64), (8, 32)])
def test_crops_come_in_the_wanted_number_and_size(count: int, size: int) -> None:
    told: list[int] = []
    views = sign_crops(count, size=size, split="train", seed=0, advance=told.append)
    assert views.images.shape == (count, size, size, 3)
    assert len(views.frame) == count
    assert sum(told) >= count
    lamps = views.frame["illuminant"].value_counts()
    assert lamps.max() - lamps.reindex(list(ILLUMINANTS), fill_value=0).min() <= 1


def test_progress_counts_scenes() -> None:
    told: list[int] = []
    sign_views(ProbeSettings(subjects=3, views=1), advance=told.append)
    assert sum(told) == 3


def test_nothing_at_all_is_an_empty_table_not_an_error() -> None:
    empty = render_signs(0, split="test")
    assert len(empty) == 0
    assert "illuminant" in empty.frame
    views = sign_views(ProbeSettings(subjects=0, views=1, effect="none"), advance=ignore)
    assert views.images.shape == (0, 128, 128, 3)


def test_artwork_lies_in_its_square_and_knows_its_paints() -> None:
    drawings = [draw() for draw in SIGNS.values()]
    drawings += [plate("AC346", style)[0] for style in range(len(PLATE_STYLES))]
    for marks in drawings:
        for mark in marks:
            assert mark.paint in PAINTS
            assert np.abs(mark.points).max() <= 1.05


def test_all_signs_look_different() -> None:
    images = np.stack([render_one(name) for name in SIGNS]).astype(int)
    # share of pixels in which two signs clearly differ
    far = (np.abs(images[:, None] - images[None]).max(-1) > 40).mean((2, 3))
    np.fill_diagonal(far, 1)
    assert far.min() > 0.003


def render_one(name: str) -> np.ndarray:
    """A sign of this class in one and the same scene."""
    from benchmark.data.degradations import noise_generator
    from benchmark.probes.signs.scene import render
    from benchmark.probes.signs.subjects import Subject

    shown = Subject(SIGN, name, name, SIGNS[name](), np.zeros((0, 2)))
    made = render(shown, noise_generator("x", seed=0), size=128, illuminants=("daylight",))
    return made.images[0]


def test_every_character_has_strokes_within_its_box() -> None:
    assert set(ALPHABET) <= set(GLYPHS)
    assert len(set(ALPHABET)) == len(ALPHABET)
    for strokes in GLYPHS.values():
        points = np.concatenate(strokes)
        assert points.min() >= -0.05
        assert points.max() <= 1.05


def test_it_is_registered_with_what_it_provides() -> None:
    entry = PROBES.entry("signs")
    assert set(entry.meta["provides"]) == {"reference", "input", "label"}
    assert PROBES.get("signs") is sign_views
