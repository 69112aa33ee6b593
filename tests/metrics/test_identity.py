from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.data.evalset import EvalSet
from benchmark.metrics.identity import Faces


class _Recogniser:
    """Reads the embedding off the top left pixel: an angle in the plane; NaN landmarks: NaN."""

    def embed(self, images: object, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        if isinstance(images, torch.Tensor):
            first = images[:, 0, 0, 0].double().numpy() * 255
        else:
            first = np.asarray(images)[:, 0, 0, 0].astype(float)
        degrees = np.radians(first)
        found = np.stack([np.cos(degrees), np.sin(degrees)], 1)
        found[~np.isfinite(landmarks).all((1, 2))] = np.nan
        return found.astype(np.float32)

    accepted: float | None = None

    def check(self, *_: object) -> float:
        return 1e-7

    def accept(self, deviation: float) -> None:
        self.accepted = deviation

    def identity(self) -> dict[str, str]:
        return {}


class _Detector:
    """Finds a face where the green value of the top left pixel is not zero."""

    def detect(self, images: NDArray[np.uint8], landmarks: object = None) -> NDArray[np.bool_]:
        return np.asarray(images[:, 0, 0, 1] > 0)

    def identity(self) -> dict[str, str]:
        return {}


def pictures(degrees: list[float], visible: list[int] | int = 255) -> NDArray[np.uint8]:
    images = np.zeros((len(degrees), 8, 8, 3), np.uint8)
    images[:, 0, 0, 0] = degrees
    images[:, 0, 0, 1] = visible
    return images


def toy(clean: list[float], dark: list[float], people: list[str], shown: list[float]) -> EvalSet:
    import pandas as pd

    count, names = len(clean), sorted(set(people))
    frame = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(count)], "cluster": people, "status": "ok"}
    )
    return EvalSet(
        frame,
        pictures(dark, 0),
        pictures(clean),
        "toy",
        landmarks=np.zeros((count, 5, 2), np.float32),
        gallery=pictures(shown),
        gallery_landmarks=np.zeros((len(shown), 5, 2), np.float32),
        gallery_frame=pd.DataFrame({"cluster": names}),
    )


def faces() -> Faces:
    scorer = Faces()
    scorer.__dict__.update(_recogniser=_Recogniser(), _detector=_Detector())
    return scorer


def outputs(degrees: list[float], visible: list[int] | int = 255) -> torch.Tensor:
    return torch.from_numpy(pictures(degrees, visible)).permute(0, 3, 1, 2).float() / 255


@pytest.fixture
def small() -> EvalSet:
    """Two people at 10 and 100 degrees, their gallery views beside them."""
    return toy([10, 100, 10], [40, 60, 40], ["a", "b", "a"], [12, 98])


def test_cosines_and_gain_in_closed_form(small: EvalSet) -> None:
    scorer = faces()
    state = scorer.prepare(small)
    found = scorer.score(outputs([20, 100]), np.array([0, 1]), small, state)
    cosine = np.cos(np.radians([10, 0]))
    np.testing.assert_allclose(found["id_cosine"], cosine, atol=1e-6)
    np.testing.assert_allclose(found["id_gain"], cosine - np.cos(np.radians([30, 40])), atol=1e-6)


def test_identity_is_measured_whether_or_not_the_face_is_detected(small: EvalSet) -> None:
    scorer = faces()
    state = scorer.prepare(small)
    seen, unseen = (
        scorer.score(outputs([20, 100], v), np.array([0, 1]), small, state) for v in (255, 0)
    )
    np.testing.assert_array_equal(seen["id_cosine"], unseen["id_cosine"])
    assert seen["detected"].tolist() == [1, 1]
    assert unseen["detected"].tolist() == [0, 0]


def test_a_switch_is_when_somebody_else_is_nearer(small: EvalSet) -> None:
    scorer = faces()
    state = scorer.prepare(small)
    # 54 degrees is nearer to 12 than to 98; 60 is not
    found = scorer.score(outputs([54, 60, 54]), np.array([0, 0, 1]), small, state)
    assert found["id_switch"].tolist() == [0, 1, 1]


def test_too_few_comparisons_leave_verification_unresolved(small: EvalSet) -> None:
    scorer = faces()
    state = scorer.prepare(small)
    found = scorer.score(outputs([20]), np.array([0]), small, state)
    for name in ("tar", "tar_gain", "fmr"):
        assert np.isnan(found[name]).all()
    # the two samples of one person have one clean view: it is compared once
    assert "unresolvable: only 2 clean" in scorer.notes(state)["tar"]


@pytest.fixture
def crowd() -> EvalSet:
    """Twenty people nine degrees apart, gallery views two degrees on, forty clean views."""
    centres = np.arange(20) * 9
    people = [f"p{i:02d}" for i in range(20)]
    clean = [*centres, *(centres + 1)]
    dark = [(angle + 30) % 255 for angle in clean]
    return toy(clean, dark, people * 2, [*(centres + 2)])


def test_verification_at_the_pooled_clean_threshold(crowd: EvalSet) -> None:
    scorer = faces()
    state = scorer.prepare(crowd)
    tau, rate, realised, impostors, _ = state["threshold"]
    assert (impostors, rate) == (40 * 19, 0.1)
    clean, shown = (
        _Recogniser().embed(x, np.zeros((len(x), 5, 2)))
        for x in (
            crowd.references,
            crowd.gallery,
        )
    )
    scores = (clean.astype(float) @ shown.T.astype(float)).clip(-1, 1)
    other = crowd.frame["cluster"].to_numpy()[:, None] != crowd.gallery_frame["cluster"].to_numpy()
    assert (scores[other] >= tau).mean() == pytest.approx(realised)
    assert 0.05 < realised <= 0.1

    index = np.arange(4)
    visible = [255, 0, 255, 255]
    found = scorer.score(outputs([0, 9, 23, 60], visible), index, crowd, state)
    # itself; itself but undetected; within five degrees of its gallery view; somewhere else
    assert found["tar"].tolist() == [1, 0, 1, 0]
    assert found["tar_gain"].tolist() == [1, 0, 1, 0]
    near = np.cos(np.radians(np.abs(0 - (np.arange(20) * 9 + 2)))) >= tau
    assert found["fmr"][0] == pytest.approx(near[1:].mean())


def test_a_verified_input_that_the_enhancer_loses_counts_against_it(crowd: EvalSet) -> None:
    bright = replace(crowd, inputs=crowd.references)
    scorer = faces()
    found = scorer.score(outputs([100]), np.array([0]), bright, scorer.prepare(bright))
    assert found["tar_gain"].tolist() == [-1]


def test_cohorts_limit_who_is_compared(crowd: EvalSet) -> None:
    halves = np.where(np.arange(20) < 10, "x", "y")
    limited = replace(
        crowd,
        frame=crowd.frame.assign(cohort=np.tile(halves, 2)),
        gallery_frame=crowd.gallery_frame.assign(cohort=halves),
    )
    state = faces().prepare(limited)
    assert state["impostor"].sum(1).tolist() == [9] * 40
    assert state["own"].sum(1).tolist() == [1] * 40


def test_unknown_landmarks_leave_identity_unknown_but_not_detection(small: EvalSet) -> None:
    landmarks = small.landmarks.copy()
    landmarks[0] = np.nan
    unknown = replace(small, landmarks=landmarks)
    scorer = faces()
    state = scorer.prepare(unknown)
    found = scorer.score(outputs([20, 100]), np.array([0, 1]), unknown, state)
    for name in ("id_cosine", "id_gain", "id_switch"):
        assert np.isnan(found[name][0])
        assert np.isfinite(found[name][1])
    assert found["detected"].tolist() == [1, 1]


def test_without_a_gallery_the_rest_is_still_measured(small: EvalSet) -> None:
    bare = replace(small, gallery=None, gallery_landmarks=None, gallery_frame=None)
    scorer = faces()
    found = scorer.score(outputs([20]), np.array([0]), bare, scorer.prepare(bare))
    assert found["id_cosine"][0] == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    for name in ("id_switch", "tar", "tar_gain", "fmr"):
        assert np.isnan(found[name]).all()


def test_another_judge_answers_under_its_own_name(small: EvalSet) -> None:
    other = Faces(judge="deepface-arcface")
    other.__dict__.update(_recogniser=_Recogniser(), _detector=_Detector())
    index, scorer = np.array([0, 1]), faces()
    found = other.score(outputs([20, 100]), index, small, other.prepare(small))
    record = scorer.score(outputs([20, 100]), index, small, scorer.prepare(small))
    assert set(found) == {f"{name}:deepface-arcface" for name in record if name != "detected"}
    for name, values in found.items():
        np.testing.assert_array_equal(values, record[name.partition(":")[0]])


def test_the_state_survives_storage(small: EvalSet, tmp_path) -> None:
    scorer = faces()
    state = scorer.prepare(small)
    np.savez(tmp_path / "state.npz", allow_pickle=False, **state)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as stored:
        again = dict(stored)
    index = np.arange(3)
    for name, values in scorer.score(outputs([20, 90, 3]), index, small, state).items():
        np.testing.assert_array_equal(
            faces().score(outputs([20, 90, 3]), index, small, again)[name], values
        )


def test_scoring_hears_of_a_deviation_that_preparing_found(small: EvalSet) -> None:
    scorer = faces()
    state = scorer.prepare(small)
    again = faces()
    again.score(outputs([20]), np.array([0]), small, state)
    assert again._recogniser.accepted == pytest.approx(1e-7)


def test_a_clean_output_is_the_reference_to_the_real_judges(evalset: EvalSet) -> None:
    scorer = Faces()
    assert scorer.unavailable() is None
    state = scorer.prepare(evalset)
    index = np.arange(len(evalset))
    clean, dark = (
        scorer.score(
            torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, index, evalset, state
        )
        for images in (evalset.references, evalset.inputs)
    )
    np.testing.assert_allclose(clean["id_cosine"], 1, atol=1e-6)
    assert clean["id_switch"].tolist() == [0] * 6
    assert clean["detected"].tolist() == [1] * 6
    np.testing.assert_allclose(dark["id_gain"], 0, atol=1e-6)
    assert (clean["id_gain"] > 0).all()
    assert "of deepface on this dataset" in scorer.notes(state)["id_cosine"]


def test_without_weights_the_mending_command_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("benchmark.weights.store._place", lambda place: None)
    lack = Faces().unavailable()
    assert lack is not None
    assert lack.mend == "python -m benchmark weights fetch dlib-resnet"
