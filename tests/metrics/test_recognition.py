from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from benchmark.data.evalset import EvalSet
from benchmark.errors import EquiluxError
from benchmark.imaging.brightness import mean_luminance
from benchmark.judges.base import JUDGES, JudgeCard, Reader, Reading
from benchmark.metrics import make_scorer, plan_scorers
from benchmark.metrics.recognition import RECORD, BeyondBrightness, Recognition
from benchmark.registry import Entry


class BrightReader(Reader):
    """Answers "light" where the picture is bright; counts what it was shown."""

    shown = 0

    def identity(self) -> dict[str, str]:
        return {"reader": "by brightness"}

    def read(self, images: Tensor) -> Reading:
        type(self).shown += len(images)
        light = mean_luminance(images).numpy()
        labels = np.where(light > 0.5, "light", "dark")
        return Reading(labels, np.maximum(light, 1 - light).astype(np.float64))


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a reader that is not the one of record."""
    JUDGES.names()
    target = f"{__name__}:BrightReader"
    card = JudgeCard("bright", "1", "reader", "by brightness", target=target, licence="MIT")
    monkeypatch.setattr("benchmark.metrics.base.asset_names", lambda: (RECORD,))
    for name in ("bright", RECORD):
        monkeypatch.setitem(
            JUDGES._entries, name, Entry(name, replace(card, name=name), "test", "test")
        )
    BrightReader.shown = 0
    return "bright"


def grey(levels: list[int]) -> np.ndarray:
    """``[N, 8, 8, 3]`` of one grey each, with a black and a white corner as in a real picture."""
    images = np.repeat(np.array(levels, np.uint8), 8 * 8 * 3).reshape(-1, 8, 8, 3).copy()
    images[:, 0, 0], images[:, 0, 1] = 0, 255
    return images


@pytest.fixture
def evalset() -> EvalSet:
    """Two twins of a light scene and one of a dark one; the last label is unknown."""
    frame = pd.DataFrame(
        {
            "sample": list("abcd"),
            "cluster": list("xxyz"),
            "status": "ok",
            "label": ["light", "light", "dark", None],
        }
    )
    return EvalSet(frame, grey([40, 150, 30, 50]), grey([200, 200, 60, 200]), "greys")


def tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_before_after_and_clean_are_paired_sample_by_sample(reader: str, evalset: EvalSet) -> None:
    scorer = make_scorer("recognition")
    state = scorer.prepare(evalset)
    index = np.array([2, 0, 1, 3])
    found = scorer.score(tensor(grey([180, 220, 90, 220])), index, evalset, state)
    np.testing.assert_array_equal(found["accuracy"], [0, 1, 0, np.nan])
    np.testing.assert_array_equal(found["accuracy_input"], [1, 0, 1, np.nan])
    np.testing.assert_array_equal(found["accuracy_reference"], [1, 1, 1, np.nan])
    np.testing.assert_array_equal(found["accuracy_gain"], [-1, 1, -1, np.nan])
    assert (found["confidence"] >= 0.5).all()
    assert scorer.notes(state) == {"accuracy": f"{RECORD} reads 100.0% of 3 clean references"}


def test_references_are_read_once_and_outputs_once(reader: str, evalset: EvalSet) -> None:
    scorer = Recognition()
    state = scorer.prepare(evalset)
    assert BrightReader.shown == 4 + 2  # three of the four references are one picture
    for _ in range(3):
        scorer.score(tensor(grey([9, 9])), np.array([0, 1]), evalset, state)
    assert BrightReader.shown == 6 + 3 * 2


def test_brightness_alone_does_not_pass_for_a_gain(reader: str, evalset: EvalSet) -> None:
    gained = Recognition()
    beyond = BeyondBrightness()
    brighter = tensor(grey([200, 200, 40, 200]))
    index = np.arange(4)
    gain = gained.score(brighter, index, evalset, gained.prepare(evalset))["accuracy_gain"]
    assert gain[0] == 1
    found = beyond.score(brighter, index, evalset, {})["accuracy_beyond_brightness"]
    np.testing.assert_array_equal(found, [0, 0, 0, np.nan])


def test_a_reader_of_ones_own_reads_all_but_the_references(reader: str, evalset: EvalSet) -> None:
    class Contrary(BrightReader):
        def read(self, images: Tensor) -> Reading:
            return super().read(1 - images)

    scorer = Recognition()
    scorer.look_through(Contrary())
    state = scorer.prepare(evalset)
    found = scorer.score(tensor(grey([180, 220, 90, 220])), np.array([2, 0, 1, 3]), evalset, state)
    np.testing.assert_array_equal(found["accuracy"], [1, 0, 1, np.nan])
    np.testing.assert_array_equal(found["accuracy_input"], [0, 1, 0, np.nan])
    np.testing.assert_array_equal(found["accuracy_reference"], [1, 1, 1, np.nan])
    beyond = BeyondBrightness()
    beyond.look_through(Contrary())
    assert beyond.score(tensor(evalset.references), np.arange(4), evalset, {})


def test_another_reader_is_named_after_a_colon(reader: str) -> None:
    plan = plan_scorers(["accuracy", "accuracy:bright", "accuracy_beyond_brightness:bright"])
    assert list(plan.scorers) == [
        "recognition",
        "recognition:bright",
        "recognition-brightness:bright",
    ]
    spec = plan.metrics["accuracy:bright"]
    assert spec.licence == "MIT"
    assert spec.kind == "rate"
    assert "bright" in spec.summary
    for wrong in (f"accuracy:{RECORD}", "accuracy:dlib", "accuracy:brihgt"):
        with pytest.raises(EquiluxError):
            plan_scorers([wrong])


def test_without_labels_nothing_is_right_or_wrong(reader: str, evalset: EvalSet) -> None:
    bare = replace(evalset, frame=evalset.frame.drop(columns="label"))
    scorer = Recognition()
    state = scorer.prepare(bare)
    assert scorer.notes(state) == {}
    found = scorer.score(tensor(bare.inputs), np.arange(4), bare, state)
    assert np.isnan(found["accuracy"]).all()
    assert np.isfinite(found["confidence"]).all()


def test_an_untrained_judge_makes_the_metric_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.metrics.base.asset_names", lambda: ("face-embedder",))
    lack = plan_scorers(["accuracy"]).unavailable["accuracy"]
    assert lack.mend == f"python -m benchmark instruments train {RECORD}"


def test_a_published_judge_without_weights_makes_the_metric_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    lack = plan_scorers(["accuracy:cifar10-resnet20"]).unavailable["accuracy:cifar10-resnet20"]
    assert lack.mend == "python -m benchmark weights fetch cifar10-resnet20"
