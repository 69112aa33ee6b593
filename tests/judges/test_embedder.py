"""The embedder of the identity loss: speed of use, learning, verification and its asset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from benchmark.assets import asset_folder
from benchmark.errors import WeightsError
from benchmark.imaging.alignment import template
from benchmark.judges.conditions import low_light_conditions
from benchmark.judges.embedder import ASSET, CROP_SIZE, CROP_ZOOM, FaceEmbedder, load_embedder
from benchmark.judges.embedder_training import (
    EmbedderSettings,
    embed,
    face_crops,
    fit_embedder,
    save_embedder,
    train_embedder,
    verification_card,
)
from benchmark.judges.verification import verification_auc
from benchmark.probes.faces import FaceProbe, FaceSamples


def blobs(views: int, people: int = 6, seed: int = 0) -> FaceSamples:
    """People are colourful smooth patterns; a view is a little noise."""
    patterns = torch.rand(people, 3, 5, 5, generator=torch.Generator().manual_seed(7))
    images = torch.nn.functional.interpolate(patterns, (80, 80), mode="bicubic").clamp(0, 1)
    identities = np.arange(people * views) % people
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(identities), 80, 80, 3))
    stack = images.permute(0, 2, 3, 1).numpy()[identities] + noise
    points = template(80, zoom=CROP_ZOOM).numpy()
    frame = pd.DataFrame(
        {
            "sample": [f"sample{number}" for number in range(len(identities))],
            "identity": [f"person{number}" for number in identities],
            "tone_level": np.where(np.arange(len(identities)) // people % 2 == 0, "light", "dark"),
        }
    )
    return FaceSamples(
        frame=frame,
        images=(stack.clip(0, 1) * 255).astype(np.uint8),
        landmarks=np.repeat(points[None], len(identities), 0),
        skin=np.ones((len(identities), 80, 80), bool),
    )


def labels(faces: FaceSamples) -> np.ndarray:
    return faces.frame["identity"].str.removeprefix("person").astype(int).to_numpy()


@pytest.fixture(scope="module")
def trained() -> FaceEmbedder:
    faces = blobs(4)
    return fit_embedder(face_crops(faces), labels(faces), EmbedderSettings(steps=30, batch=24))


def test_size_is_as_designed() -> None:
    assert sum(p.numel() for p in FaceEmbedder().parameters()) < 1_500_000


def test_embeddings_have_unit_length_and_ignore_gain(trained: FaceEmbedder) -> None:
    crops = torch.rand(3, 3, CROP_SIZE, CROP_SIZE)
    embeddings = trained(crops)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))
    cosine = (embeddings * trained(0.3 * crops + 0.1)).sum(1)
    assert (cosine > 0.999).all()


def test_gradient_reaches_the_crops_and_not_the_weights(
    trained: FaceEmbedder, tmp_path: Path
) -> None:
    save_embedder(trained, folder=tmp_path, settings=EmbedderSettings(), card={})
    embedder = load_embedder(folder=tmp_path)
    assert not embedder.training
    crops = torch.rand(2, 3, CROP_SIZE, CROP_SIZE, requires_grad=True)
    embedder(crops)[:, 0].sum().backward()
    assert crops.grad is not None
    assert crops.grad.abs().sum() > 0
    assert all(p.grad is None for p in embedder.parameters())


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_a_blank_crop_is_finite_with_a_finite_gradient(trained: FaceEmbedder, level: float) -> None:
    crops = torch.full((1, 3, CROP_SIZE, CROP_SIZE), level, requires_grad=True)
    trained(crops).sum().backward()
    assert crops.grad is not None
    assert crops.grad.isfinite().all()


def test_it_learns_to_tell_people_apart(trained: FaceEmbedder) -> None:
    faces = blobs(4, seed=1)
    rows = verification_card(
        trained, faces, low_light_conditions(faces.images, faces.frame, seed=0)
    )
    by = {(row["condition"], row["tone_level"]): row for row in rows}
    assert by["normal", "light"]["auc"] > 0.95
    assert by["dim, restored", "dark"]["auc"] > 0.9
    assert np.isnan(by["normal", "medium"]["auc"])  # nobody there: not zero
    assert by["normal", "medium"]["n_images"] == 0


def test_training_repeats_bit_for_bit() -> None:
    faces = blobs(2)
    runs = [
        fit_embedder(face_crops(faces), labels(faces), EmbedderSettings(steps=2, batch=8))
        for _ in range(2)
    ]
    first, second = (run.state_dict() for run in runs)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_stored_weights_give_nearly_the_same_embeddings(
    trained: FaceEmbedder, tmp_path: Path
) -> None:
    save_embedder(trained, folder=tmp_path, settings=EmbedderSettings(), card={})
    crops = face_crops(blobs(2, seed=2))
    cosine = (embed(trained, crops) * embed(load_embedder(folder=tmp_path), crops)).sum(1)
    assert cosine.min() > 0.999
    assert (tmp_path / f"{ASSET}.safetensors").stat().st_size < 4_000_000


def test_absent_and_foreign_weights_are_refused(trained: FaceEmbedder, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"(?s)missing.*instruments train face-embedder"):
        load_embedder(folder=tmp_path)
    save_embedder(trained, folder=tmp_path, settings=EmbedderSettings(), card={})
    weights = tmp_path / f"{ASSET}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(WeightsError, match="sha256"):
        load_embedder(folder=tmp_path)


def test_verification_auc_matches_sklearn() -> None:
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(8), 4)
    embeddings = rng.normal(size=(32, 5)) + rng.normal(size=(8, 5))[identities]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    upper = np.triu_indices(32, 1)
    same = (identities[:, None] == identities)[upper]
    expected = roc_auc_score(same, (embeddings @ embeddings.T)[upper])
    assert verification_auc(embeddings, identities) == pytest.approx(expected)
    probes = embeddings + rng.normal(size=(32, 5)) * 0.3
    off = ~np.eye(32, dtype=bool)
    expected = roc_auc_score((identities[:, None] == identities)[off], (probes @ embeddings.T)[off])
    assert verification_auc(embeddings, identities, probes) == pytest.approx(expected)


def test_verification_needs_both_kinds_of_pairs() -> None:
    embeddings = np.eye(3)
    assert np.isnan(verification_auc(embeddings, np.array([0, 0, 0])))
    assert np.isnan(verification_auc(embeddings, np.array([0, 1, 2])))


def test_crops_follow_the_landmarks() -> None:
    faces = blobs(1)
    moved = replace(
        faces,
        images=np.roll(faces.images, 6, axis=2),
        landmarks=faces.landmarks + np.float32([6, 0]),
    )
    inner = (..., slice(8, -8), slice(8, -8))
    straight, shifted = (face_crops(item)[inner].int() for item in (faces, moved))
    assert (straight - shifted).abs().max() <= 1


@pytest.mark.skipif(
    not (asset_folder() / f"{ASSET}.json").is_file(), reason="the asset is not trained yet"
)
def test_the_committed_asset_is_good_and_even_across_tones() -> None:
    from benchmark.assets import load_record

    record = load_record(ASSET)
    load_embedder()
    normal = [row["auc"] for row in record.card["verification"] if row["condition"] == "normal"]
    assert min(normal) > 0.95
    assert max(normal) - min(normal) < 0.03
    assert any("never the judge of record" in caveat for caveat in record.caveats)
    assert (asset_folder() / f"{ASSET}.safetensors").stat().st_size < 4_000_000


def test_low_light_conditions_are_darker_and_restored_ones_are_not() -> None:
    faces = blobs(1)
    conditions = low_light_conditions(faces.images, faces.frame, seed=0)
    mean = {name: made.mean() for name, made in conditions.items()}
    assert set(mean) == {"dim", "dark", "dim, restored", "dark, restored"}
    assert mean["dark"] < mean["dim"] < faces.images.mean()
    assert mean["dim, restored"] == pytest.approx(faces.images.mean(), rel=0.1)


@pytest.mark.slow
def test_the_whole_command_on_a_few_people(tmp_path: Path) -> None:
    settings = EmbedderSettings(
        steps=5,
        batch=8,
        training_probe=FaceProbe("train", identities=2, views=1, size=64, supersample=1),
        validation_probe=FaceProbe("validation", identities=2, views=1, size=64, supersample=1),
    )
    record = train_embedder(tmp_path, settings=settings)
    assert record.data["training_probe"]["split"] == "train"
    assert len(record.card["verification"]) == 15
    assert load_embedder(folder=tmp_path)(torch.rand(1, 3, 64, 64)).shape == (1, 128)
    again = train_embedder(tmp_path / "again", settings=settings)
    assert again == record
