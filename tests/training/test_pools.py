"""The pool that is built from the probes: equal contexts, no groups, the same bytes again."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from torch import Tensor

from benchmark.contexts import CONTEXTS
from benchmark.contexts.simple import OraclePredictor
from benchmark.errors import UnknownNameError
from benchmark.progress import Reporter
from benchmark.training import TrainingData, pools
from benchmark.training.pools import run_pool

PAYLOAD = {"samples": 12, "size": 48, "seed": 3, "predictor": "oracle"}


@pytest.fixture(scope="module")
def reporter() -> Reporter:
    return Reporter(Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, reporter: Reporter) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    run_pool(PAYLOAD, out=folder, reporter=reporter)
    return folder


def test_contexts_come_in_equal_numbers_and_only_faces_have_landmarks(built: Path) -> None:
    data = TrainingData.load(built)
    assert data.pool.counts() == dict.fromkeys(CONTEXTS, 12)
    face = data.pool.labels == CONTEXTS.index("face")
    assert np.isfinite(data.pool.landmarks[face]).all()
    assert np.isnan(data.pool.landmarks[~face]).all()
    np.testing.assert_array_equal(data.contexts, np.eye(len(CONTEXTS))[data.pool.labels])


@pytest.mark.parametrize("context", ["generic", "face", "lowlight"])
def test_inputs_are_darker_than_references_in_two_strata(built: Path, context: str) -> None:
    pool = TrainingData.load(built).pool
    member = pool.labels == CONTEXTS.index(context)
    means = pool.inputs[member].mean((1, 2, 3)) / pool.references[member].mean((1, 2, 3))
    assert (means < 0.75).all()
    # the darker stratum leaves a clearly smaller share of the light
    assert means.max() > 1.5 * means.min()


def test_medical_inputs_are_spoilt_in_their_own_ways(built: Path) -> None:
    pool = TrainingData.load(built).pool
    member = pool.labels == CONTEXTS.index("medical")
    change = pool.inputs[member].mean((1, 2, 3)) / pool.references[member].mean((1, 2, 3))
    # haze brightens, uneven light darkens, blur does neither
    assert change.max() > 1.02
    assert change.min() < 0.8


def test_a_pool_of_one_context_holds_it_alone(reporter: Reporter, tmp_path: Path) -> None:
    run_pool(PAYLOAD | {"contexts": ["generic"]}, out=tmp_path, reporter=reporter)
    assert TrainingData.load(tmp_path).pool.counts() == {"generic": 12}


def test_no_sample_names_a_group(built: Path) -> None:
    pattern = re.compile(rf"({'|'.join(CONTEXTS)})-\d{{6}}")
    assert all(pattern.fullmatch(name) for name in TrainingData.load(built).pool.samples)


def test_the_same_payload_gives_the_same_bytes(
    built: Path, reporter: Reporter, tmp_path: Path
) -> None:
    run_pool(PAYLOAD, out=tmp_path, reporter=reporter)
    for path in built.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_what_the_predictor_said_is_counted(
    reporter: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute(OraclePredictor):
        """Says nothing about the first ten pictures."""

        def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
            vectors = super().predict(images, labels)
            vectors[:10] = 1 / len(CONTEXTS)
            return vectors

    monkeypatch.setattr(pools, "make_predictor", lambda name: Mute())
    run_pool(PAYLOAD | {"size": 32}, out=tmp_path, reporter=reporter)
    told = json.loads((tmp_path / pools.PREDICTOR).read_text())
    assert told["card"]["no_answer"] == 10
    assert told["card"]["accuracy"] == pytest.approx(38 / 48)
    assert told["card"]["ece"] == 0
    # generic comes first, and nothing said is not right
    assert told["card"]["by_context"]["generic"] == {
        "n": 12,
        "recall": pytest.approx(2 / 12),
        "probability": pytest.approx((10 / 4 + 2) / 12),
    }
    assert told["card"]["by_context"]["face"]["probability"] == 1


def test_a_wrong_predictor_is_refused_before_anything_is_rendered(
    reporter: Reporter, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError, match="oracle"):
        run_pool(PAYLOAD | {"predictor": "oracel"}, out=tmp_path, reporter=reporter)
    assert not list(tmp_path.iterdir())
