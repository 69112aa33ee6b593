"""Judges that observe: levels of tone, and features of networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from benchmark.data.evalset import EvalSet
from benchmark.errors import EquiluxError, WeightsError
from benchmark.imaging.colour import to_lab
from benchmark.judges import JUDGES
from benchmark.judges.base import Kind, Observer, make_judge
from benchmark.judges.tone import APPEARANCE, level_probabilities, skin_colour
from benchmark.probes.faces import ToneLevel
from benchmark.weights import WeightStore
from tests.judges.observing import clean, rendered_faces

_TRUNK = "squeezenet1_1_features_backbone.pth"
LEVELS = [level.value for level in ToneLevel]


@pytest.fixture(scope="module", name="faces")
def _faces() -> EvalSet:
    return rendered_faces(tones="all", people=4)


@pytest.fixture(name="stored")
def _stored(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with the SqueezeNet trunk."""
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    WeightStore().add("squeezenet1_1", shared_data / "weights" / "perceptual" / _TRUNK)


def observer(name: str) -> Observer:
    return cast(Observer, make_judge(name, JUDGES.get(name).kind))


def everything(judge: Observer, faces: EvalSet) -> np.ndarray:
    return judge.observe(clean(faces), np.arange(len(faces)), faces)


OBSERVERS = ("skin-tone", "face-attributes", "features-attributes", "features-dlib")


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_row_does_not_depend_on_its_batch(name: str, faces: EvalSet) -> None:
    judge, images = observer(name), clean(faces)
    together = judge.observe(images[:5], np.arange(5), faces)
    assert together.dtype == np.float32
    alone = [judge.observe(images[i : i + 1], np.array([i]), faces) for i in range(5)]
    assert together == pytest.approx(np.concatenate(alone), abs=2e-4)
    again = judge.observe(images[:5], np.arange(5), faces)
    np.testing.assert_array_equal(together, again)
    assert judge.identity()["judge"]


@pytest.mark.parametrize("name", ["skin-tone", "face-attributes"])
def test_clean_faces_are_seen_in_their_own_level(name: str, faces: EvalSet) -> None:
    judge = observer(name)
    assert list(judge.levels) == LEVELS
    p = everything(judge, faces)
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)
    truth = faces.frame["tone_level"].map(LEVELS.index).to_numpy()
    for level in range(3):
        mine = truth == level
        assert (p[mine].argmax(axis=1) == level).mean() >= 0.8
    assert (p.argmax(axis=1) == truth).mean() >= 0.9


@pytest.mark.parametrize("name", OBSERVERS[1:])
def test_without_landmarks_it_cannot_say(name: str, faces: EvalSet) -> None:
    landmarks = faces.landmarks.copy()
    landmarks[1] = np.nan
    judge, some = observer(name), replace(faces, landmarks=landmarks)
    found = judge.observe(clean(faces)[:3], np.arange(3), some)
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[[0, 2]]).all()
    none = judge.observe(clean(faces)[:3], np.arange(3), replace(faces, landmarks=None))
    assert none.shape == found.shape
    assert np.isnan(none).all()
    assert np.isnan(judge.observe(clean(faces)[1:2], np.array([1]), some)).all()


def test_without_skin_there_is_no_tone(faces: EvalSet) -> None:
    masks = {"skin": faces.masks["skin"].copy()}
    masks["skin"][0] = False
    judge, index = observer("skin-tone"), np.arange(2)
    found = judge.observe(clean(faces)[:2], index, replace(faces, masks=masks))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
    assert np.isnan(judge.observe(clean(faces)[:2], index, replace(faces, masks={}))).all()


def test_skin_colour_is_that_of_the_median_pixel() -> None:
    images = torch.zeros(1, 3, 4, 4)
    images[0, :, :2] = torch.tensor([0.8, 0.6, 0.5])[:, None, None]
    images[0, :, 0, 0] = 1.0  # a highlight
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    expected = to_lab(torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1))[:, :, 0, 0]
    assert skin_colour(images, mask).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_every_tone_has_its_level_and_the_far_ones_do_not_underflow() -> None:
    levels = level_probabilities(np.array(APPEARANCE)).argmax(axis=1)
    assert levels.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    extreme = level_probabilities(np.array([[100.0, 0, 0], [0.0, 0, 0], [50.0, 90, -90]]))
    assert np.isfinite(extreme).all()
    assert extreme.argmax(axis=1)[:2].tolist() == [0, 2]
    assert np.isnan(level_probabilities(np.full((1, 3), np.nan))).all()


def test_the_constants_are_what_faces_look_like(faces: EvalSet) -> None:
    """People of another split, in fewer views: within some units of the table."""
    colours = skin_colour(clean(faces), torch.tensor(faces.masks["skin"])).numpy()
    tone = faces.frame["tone"].to_numpy()
    for number, centre in enumerate(APPEARANCE, start=1):
        mean = colours[tone == f"monk{number:02d}"].mean(axis=0)
        assert mean[0] == pytest.approx(centre[0], abs=6)
        assert mean[1:] == pytest.approx(centre[1:], abs=1.5)


def test_lightening_is_seen(faces: EvalSet) -> None:
    """The lighter dark skin is rendered, the less it is judged dark."""
    dark = np.flatnonzero((faces.frame["tone"] == "monk08").to_numpy())
    judge, images = observer("skin-tone"), clean(faces)[dark]
    seen = [judge.observe(images**gamma, dark, faces)[:, 2] for gamma in (1.0, 0.7, 0.6, 0.4)]
    means = [p.mean() for p in seen]
    assert means == sorted(means, reverse=True)
    assert (seen[0] > 0.5).all()
    assert (seen[-1] < 0.5).all()


def test_features_have_the_scale_that_the_kernel_wants(faces: EvalSet) -> None:
    for name in ("features-attributes", "features-dlib"):
        features = everything(observer(name), faces)
        assert features.shape == (len(faces), 128)
        assert (features**2).mean(axis=1) == pytest.approx(1, abs=1e-5)
    assert observer("features-attributes").attribute_aware
    assert not observer("features-dlib").attribute_aware


@pytest.mark.usefixtures("stored")
def test_squeezenet_needs_no_landmarks(faces: EvalSet) -> None:
    judge, images = observer("features-squeeze"), clean(faces)
    state = torch.get_rng_state()
    found = judge.observe(images[:3], np.arange(3), replace(faces, landmarks=None))
    assert torch.equal(torch.get_rng_state(), state)
    assert found.shape == (3, 512)
    assert (found**2).mean(axis=1) == pytest.approx(1, abs=1e-5)
    assert found.std(axis=0).max() > 0.1
    one = judge.observe(images[:1], np.arange(1), faces)
    assert one == pytest.approx(found[:1], abs=1e-4)
    tiny = judge.observe(images[:2, :, :9, :9], np.arange(2), faces)
    assert np.isfinite(tiny).all()
    assert len(judge.identity()["weights"]) == 64


def test_a_trunk_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="squeezenet1_1"):
        observer("features-squeeze").identity()


def test_kinds_are_kept_apart() -> None:
    with pytest.raises(EquiluxError, match="is a features, not a attribute"):
        make_judge("features-dlib", cast(Kind, "attribute"))
