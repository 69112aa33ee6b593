"""Predictors keep their promises; the evaluation agrees with counting by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.contexts import CONTEXTS, PREDICTORS
from benchmark.contexts.base import ContextPredictor
from benchmark.contexts.evaluation import accuracy, calibration_error, recall_table
from benchmark.contexts.simple import OraclePredictor, ShuffledPredictor

LABELS = torch.tensor([0, 2, 2, 3, 1])


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 20, 24, generator=torch.Generator().manual_seed(count))


def test_registered_names() -> None:
    assert set(PREDICTORS.names()) >= {"oracle", "cnn", "shuffled"}
    assert all(issubclass(PREDICTORS.get(name), ContextPredictor) for name in PREDICTORS.names())


def test_oracle_is_one_hot() -> None:
    vectors = OraclePredictor().predict(images(5), LABELS)
    assert torch.equal(vectors, torch.eye(len(CONTEXTS))[LABELS])


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 4]), torch.tensor([-1, 0])])
def test_oracle_refuses_what_is_no_label(labels: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match="labels"):
        OraclePredictor().predict(images(2), labels)


def test_oracle_of_nothing_is_empty() -> None:
    empty = OraclePredictor().predict(images(0), torch.zeros(0, dtype=torch.long))
    assert empty.shape == (0, len(CONTEXTS))


def test_shuffled_permutes_rows_and_repeats() -> None:
    labels = torch.arange(40) % 4
    straight = OraclePredictor().predict(images(40), labels)
    shuffled = ShuffledPredictor(OraclePredictor(), seed=3).predict(images(40), labels)
    again = ShuffledPredictor(OraclePredictor(), seed=3).predict(images(40), labels)
    other = ShuffledPredictor(OraclePredictor(), seed=4).predict(images(40), labels)
    assert torch.equal(shuffled, again)
    assert not torch.equal(shuffled, other)
    assert not torch.equal(shuffled, straight)
    assert torch.equal(shuffled.sum(0), straight.sum(0))


def test_shuffled_identity_names_its_base() -> None:
    identity = ShuffledPredictor(OraclePredictor(), seed=3).identity()
    assert identity == {"predictor": "shuffled", "seed": "3", "base_predictor": "oracle"}


def test_calibration_error_by_hand() -> None:
    # two bins: confidence .9 twice, right once; confidence .6 once, right
    vectors = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    labels = np.array([0, 1, 1])
    expected = (2 * abs(0.5 - 0.9) + 1 * abs(1 - 0.6)) / 3
    assert calibration_error(vectors, labels, bins=4) == pytest.approx(expected)
    assert accuracy(vectors, labels) == pytest.approx(2 / 3)


def test_calibration_error_of_honest_probabilities_is_small() -> None:
    rng = np.random.default_rng(0)
    positive = rng.uniform(size=200_000)
    labels = (rng.uniform(size=200_000) < positive).astype(int)
    honest = np.stack([1 - positive, positive], 1)
    assert calibration_error(honest, labels) < 0.01
    overconfident = honest**3 / (honest**3).sum(1, keepdims=True)
    assert calibration_error(overconfident, labels) > 0.05


def test_no_samples_is_nan_not_zero() -> None:
    nothing = np.zeros((0, 4))
    assert np.isnan(accuracy(nothing, np.zeros(0, int)))
    assert np.isnan(calibration_error(nothing, np.zeros(0, int)))


def test_recall_table_by_hand() -> None:
    face, generic = np.eye(4)[2], np.eye(4)[0]
    vectors = np.stack([face, generic, face, face, face])
    labels = np.array([2, 2, 2, 2, 0])
    strata = pd.DataFrame(
        {"tone_level": ["dark", "dark", "light", "light", "-"], "exposure": [1, 1, 1, 2, 1]}
    )
    table = recall_table(vectors, labels, strata, context="face", by=("tone_level", "exposure"))
    assert table["n"].tolist() == [2, 1, 1]
    assert table["recall"].tolist() == [0.5, 1.0, 1.0]
    assert table["probability"].tolist() == [0.5, 1.0, 1.0]
    assert table["tone_level"].tolist() == ["dark", "light", "light"]
