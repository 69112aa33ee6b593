"""Evidence: calibration of colour, and measurements with judges whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_cie76, rgb2lab
from sklearn.metrics import roc_auc_score

from benchmark.probes.faces import TONES, FaceProbe
from benchmark.probes.faces.evidence import (
    COLOUR_CEILING,
    Evidence,
    calibration_errors,
    calibration_patches,
    face_colour_errors,
    gather_evidence,
    identity_separation,
    verification_auc,
)
from benchmark.probes.faces.tones import MONK_HEX


def test_the_ten_tones_reproduce_their_published_colours_under_white_light() -> None:
    published = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in MONK_HEX])
    for patches in calibration_patches():
        stored = np.rint(patches * 255)
        error = deltaE_cie76(rgb2lab(stored / 255), rgb2lab(published / 255))
        assert error.max() < COLOUR_CEILING
    assert calibration_errors().max() < COLOUR_CEILING


def test_rendered_skin_stays_near_its_tone() -> None:
    """Curvature, shade and sheen move the median by a bounded amount; the order of tones stays."""
    samples = FaceProbe(
        split="colour", identities=4, views=0, tones="all", size=64, supersample=1
    ).render()
    errors = face_colour_errors(samples)
    assert set(errors) == set(TONES)
    assert max(errors.values()) < 16
    light = [samples.images[i][samples.skin[i]].mean() for i in range(10)]
    assert light[3] > light[4] > light[5] > light[6] > light[7] > light[8] > light[9]


def test_auc_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(6), 4).astype(object)
    embeddings = (
        rng.standard_normal((24, 5)) + 0.8 * rng.standard_normal((6, 5))[people.astype(int)]
    )
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(24, 1)
    oracle = roc_auc_score(
        people[first] == people[second], (embeddings @ embeddings.T)[first, second]
    )
    assert verification_auc(embeddings, people) == pytest.approx(oracle)


def test_auc_without_pairs_is_nan() -> None:
    assert np.isnan(verification_auc(np.eye(3), np.array(list("abc"), dtype=object)))
    assert np.isnan(verification_auc(np.eye(3), np.array(list("aaa"), dtype=object)))


def test_separation_is_the_smallest_distance() -> None:
    one = np.array([[0.0, 0.0], [1.0, 1.0]], dtype=np.float32)
    other = np.array([[1.0, 0.5]], dtype=np.float32)
    assert identity_separation(one, other) == pytest.approx(0.5 / 2**0.5)


class _Eye:
    """Sees a face where the picture is not too dark."""

    def detect(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return images.mean((1, 2, 3)) > 60


class _Memory:
    """Recognises people by the first pixel of the nose line: good enough to be exercised."""

    def embed(
        self, images: NDArray[np.uint8], landmarks: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        flat = images.reshape(len(images), -1).astype(float) - 128
        vectors: NDArray[np.float64] = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        assert landmarks.shape == (len(images), 5, 2)
        return vectors


def test_evidence_is_gathered_per_level() -> None:
    probe = FaceProbe(split="evidence", identities=4, views=2, size=32, supersample=1)
    train = FaceProbe(split="train", identities=50)
    evidence = gather_evidence(_Memory(), _Eye(), probe=probe, train=train)
    assert set(evidence.detection) == set(evidence.auc) == {"light", "medium", "dark"}
    assert evidence.detection["light"] >= evidence.detection["dark"]
    assert evidence.images == 4 * 3
    assert evidence.separation > 0.1
    assert max(evidence.colour.values()) < COLOUR_CEILING
    assert 0 <= evidence.auc_spread <= 1


def _evidence(**changes: object) -> Evidence:
    base = {
        "identities": 60,
        "images": 420,
        "detection": {"light": 1.0, "dark": 0.98},
        "auc": {"light": 0.99, "dark": 0.985},
        "separation": 0.2,
        "colour": {"monk01": 0.1},
    }
    return Evidence(**(base | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"detection": {"light": 1.0, "dark": 0.96}},
        {"auc": {"light": 0.99, "dark": 0.96}},
        {"auc": {"light": 1.0, "dark": 0.975}},
        {"separation": 0.0},
        {"colour": {"monk01": 3.0}},
    ],
)
def test_each_promise_counts(changes: dict[str, object]) -> None:
    assert _evidence().holds
    assert not _evidence(**changes).holds
