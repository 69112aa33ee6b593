"""The trained context predictor: learning, temperature, weights that are checked, the asset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn import functional

from benchmark.assets import asset_folder
from benchmark.contexts.base import CONTEXTS
from benchmark.contexts.cnn import ASSET, CnnPredictor, ContextNet
from benchmark.contexts.evaluation import recall_table
from benchmark.contexts.samples import ContextSet, context_samples, hard_generic, spoilt
from benchmark.contexts.training import (
    ContextSettings,
    context_card,
    context_logits,
    fit_context_net,
    fit_temperature,
    save_context_net,
    train_context_predictor,
)
from benchmark.data.degradations import LOW_LIGHT
from benchmark.errors import WeightsError
from benchmark.progress import Reporter

FACE, GENERIC = CONTEXTS.index("face"), CONTEXTS.index("generic")


def discs_and_noise(count: int, seed: int = 0) -> ContextSet:
    """Half bright discs ("face"), half noise ("generic")."""
    rng = np.random.default_rng(seed)
    grid = np.linspace(-1, 1, 40)
    disc = (grid[:, None] ** 2 + grid[None] ** 2 < 0.4)[None, ..., None]
    labels = np.where(np.arange(count) % 2 == 0, FACE, GENERIC)
    texture = rng.uniform(0, 1, (count, 40, 40, 3))
    images = np.where(labels[:, None, None, None] == FACE, 0.2 + 0.6 * disc, texture)
    levels = np.where(labels == FACE, np.where(np.arange(count) % 4 == 0, "light", "dark"), "")
    names = [f"sample{number}" for number in range(count)]
    frame = pd.DataFrame({"sample": names, "cluster": names, "group": levels})
    return ContextSet((images * 255).astype(np.uint8), labels.astype(np.int64), frame)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    settings = ContextSettings(steps=25, batch=16)
    network, known = fit_context_net(discs_and_noise(40), settings)
    card = context_card(
        {"normal": context_logits(network, discs_and_noise(20, 1).images)},
        discs_and_noise(20, 1),
        known=known,
        temperature=1.0,
    )
    save_context_net(
        network,
        folder=folder,
        settings=settings,
        known=known,
        temperature=1.0,
        card=card,
    )
    return folder


def test_size_is_as_designed() -> None:
    parameters = sum(p.numel() for p in ContextNet(2).parameters())
    assert 380_000 < parameters < 420_000


def test_it_learns_and_the_record_says_how_well(trained: Path) -> None:
    record = CnnPredictor(trained).record
    assert record.card["accuracy"] > 0.9
    assert record.settings["contexts"] == ["generic", "face"]
    rows = [row for row in record.card["recall"] if row["context"] == "face"]
    assert {row["group"]: row["n"] for row in rows} == {"light": 5, "dark": 5}


def test_training_repeats_bit_for_bit() -> None:
    runs = [fit_context_net(discs_and_noise(8), ContextSettings(steps=2, batch=4))[0] for _ in "ab"]
    first, second = (run.state_dict() for run in runs)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    fit_context_net(discs_and_noise(8), ContextSettings(steps=1, batch=4))
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_contexts_get_exactly_zero(trained: Path) -> None:
    predictor = CnnPredictor(trained)
    vectors = predictor.predict(torch.rand(3, 3, 31, 50))
    assert predictor.knows == ("generic", "face")
    assert torch.equal(vectors[:, [1, 3]], torch.zeros(3, 2))
    torch.testing.assert_close(vectors.sum(1), torch.ones(3))
    assert (vectors >= 0).all()


def test_vectors_can_be_used_in_a_loss(trained: Path) -> None:
    weight = CnnPredictor(trained).predict(torch.rand(2, 3, 16, 16))
    value = torch.ones(2, 4, requires_grad=True)
    (weight * value).sum().backward()
    assert torch.equal(value.grad, weight)


@pytest.mark.parametrize("factor", [0.05, 0.5])
def test_exposure_alone_decides_nothing(trained: Path, factor: float) -> None:
    predictor, images = CnnPredictor(trained), torch.rand(4, 3, 40, 40)
    torch.testing.assert_close(
        predictor.predict(images), predictor.predict(images * factor), atol=0.02, rtol=0
    )


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_blank_image_gets_a_finite_answer(trained: Path, level: float) -> None:
    vectors = CnnPredictor(trained).predict(torch.full((1, 3, 8, 8), level))
    assert vectors.isfinite().all()


def test_vectors_do_not_depend_on_the_batch(trained: Path) -> None:
    predictor, images = CnnPredictor(trained), torch.rand(5, 3, 32, 32)
    alone = torch.cat([predictor.predict(image[None]) for image in images])
    torch.testing.assert_close(predictor.predict(images), alone, atol=1e-5, rtol=0)


def test_temperature_recovers_what_was_planted() -> None:
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn(20_000, 3, generator=generator) * 2
    target = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(honest * 3, target) == pytest.approx(3.0, rel=0.05)
    fitted = fit_temperature(honest * 3, target)
    assert fit_temperature(honest / 3, target) == pytest.approx(1.0, abs=1e-3)  # never sharpens
    losses = [
        float(functional.cross_entropy(honest * 3 / t, target))
        for t in (0.8 * fitted, fitted, 1.2 * fitted)
    ]
    assert losses[1] == min(losses)


def test_altered_weights_are_refused(trained: Path, tmp_path: Path) -> None:
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / f"{ASSET}.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match=r"(?s)sha256.*instruments train context-cnn"):
        CnnPredictor(tmp_path)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"(?s)missing.*instruments train context-cnn"):
        CnnPredictor(tmp_path)
    (tmp_path / f"{ASSET}.json").write_text(json.dumps({"name": ASSET}))
    with pytest.raises(WeightsError, match="training record"):
        CnnPredictor(tmp_path)


def test_hard_generic_images_are_of_every_kind_and_repeat() -> None:
    images = discs_and_noise(4).images
    others = [images, images[::2], images[::2]]
    first, second = (hard_generic(12, images, others, split="a", seed=5) for _ in "ab")
    assert first.shape == (12, 40, 40, 3)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, hard_generic(12, images, others, split="b", seed=5))
    # a magnified detail is smoother than what it was cut from
    rough = np.abs(np.diff(first.astype(float), axis=2)).mean((1, 2, 3))
    assert rough[0::4].mean() < np.abs(np.diff(images[1::2].astype(float), axis=2)).mean()


def test_a_scrambled_face_keeps_its_colours_and_loses_its_arrangement() -> None:
    tiles = np.arange(144, dtype=np.uint8).reshape(12, 12)
    face = np.repeat(tiles[..., None], 3, 2)
    others = [face[None]] * 3
    for scrambled in hard_generic(30, face[None], others, split="a", seed=0)[2::4]:
        assert np.array_equal(np.sort(scrambled.ravel()), np.sort(face.ravel()))
        assert (scrambled != face).all()


def test_a_stratum_spoils_the_pictures_and_normal_light_does_not() -> None:
    samples = discs_and_noise(4)
    assert spoilt(samples, "normal", seed=0) is samples.images
    dark = spoilt(samples, "dark", seed=0)
    assert (dark.mean((1, 2, 3)) < samples.images.mean((1, 2, 3))).all()


@pytest.mark.slow
def test_every_context_comes_in_equal_numbers_with_its_groups() -> None:
    samples = context_samples(12, size=64, split="validation", seed=0, reporter=Reporter())
    assert np.bincount(samples.labels).tolist() == [12] * len(CONTEXTS)
    groups = samples.frame.groupby(samples.labels)["group"].nunique()
    assert groups.tolist() == [1, 3, 3, 4]
    assert samples.frame["sample"].is_unique


@pytest.mark.slow
def test_the_whole_command_on_a_few_pictures(tmp_path: Path) -> None:
    settings = ContextSettings(steps=5, batch=8, count=12, held_out=24, size=64)
    record = train_context_predictor(tmp_path, settings=settings)
    assert {row["context"] for row in record.card["recall"]} == set(CONTEXTS)
    met = {row["stratum"] for row in record.card["recall"] if row["context"] == "medical"}
    assert met == {"normal", "haze", "blur", "uneven"}
    assert CnnPredictor(tmp_path).predict(torch.rand(2, 3, 64, 64)).shape == (2, len(CONTEXTS))
    again = train_context_predictor(tmp_path / "again", settings=settings)
    assert again == record


@pytest.mark.skipif(
    not (asset_folder() / f"{ASSET}.json").is_file(), reason="the asset is not trained yet"
)
def test_real_faces_keep_their_context_in_the_dark_whoever_they_are(shared_data: Path) -> None:
    folder = shared_data / "faces" / "london"
    people = pd.read_csv(folder / "metadata.csv").iloc[::2]
    small = [Image.open(folder / name).resize((128, 128)) for name in people["file_name"]]
    dark = [
        LOW_LIGHT["dark"].apply(np.asarray(image), stream=name, seed=0)
        for image, name in zip(small, people["file_name"], strict=True)
    ]
    batch = torch.from_numpy(np.stack(dark)).permute(0, 3, 1, 2).float() / 255
    vectors = CnnPredictor().predict(batch).numpy()
    labels = np.full(len(people), FACE)
    table = recall_table(vectors, labels, people, context="face", by=("ethnicity",))
    assert table["recall"].min() > 0.9


@pytest.mark.skipif(
    not (asset_folder() / f"{ASSET}.json").is_file(), reason="the asset is not trained yet"
)
def test_the_committed_asset_is_good_and_small() -> None:
    record = CnnPredictor().record
    assert record.card["accuracy"] > 0.95
    assert record.card["ece"] < 0.05
    assert min(r["recall"] for r in record.card["recall"] if r["context"] == "face") > 0.8
    assert record.settings["contexts"] == list(CONTEXTS)
    assert (asset_folder() / f"{ASSET}.safetensors").stat().st_size < 2_000_000
