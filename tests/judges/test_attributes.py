"""The network of face attributes: its asset, and that training is what the record says."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.assets import asset_folder, load_asset, load_record
from benchmark.imaging.augmentation import augment
from benchmark.judges.attributes_net import (
    ASSET,
    CROP_SIZE,
    FEATURES,
    HEADS,
    AttributeNet,
    load_attribute_net,
)
from benchmark.judges.attributes_training import (
    AttributeSettings,
    accuracy_card,
    attribute_crops,
    attribute_labels,
    fit_attributes,
    train_attributes,
)
from benchmark.probes.faces import FaceProbe, FaceSamples

_TINY = FaceProbe(split="train", identities=2, views=2, size=48, supersample=1)
_SETTINGS = AttributeSettings(
    steps=2,
    batch=8,
    training_probe=_TINY,
    validation_probe=replace(_TINY, split="validation"),
)


@pytest.fixture(scope="module", name="faces")
def _faces() -> FaceSamples:
    return _TINY.render()


def test_the_committed_asset() -> None:
    record = load_record(ASSET)
    network = load_attribute_net()
    assert record.parameters == sum(p.numel() for p in AttributeNet().parameters()) <= 400_000
    assert not any(p.requires_grad for p in network.parameters())
    assert not network.training
    assert (asset_folder() / f"{ASSET}.safetensors").stat().st_size < 1_000_000
    settings = AttributeSettings()
    assert record.settings["steps"] == settings.steps
    assert record.settings["augmentation"] == asdict(settings.augmentation)
    assert record.data["training_probe"]["key"] == settings.training_probe.key
    assert record.data["training_probe"]["split"] != "test"
    assert record.data["validation_probe"]["split"] != "test"


def test_the_card_says_how_good_it_is_on_whom() -> None:
    card = load_record(ASSET).card["attributes"]
    seen = {(row["condition"], row["tone_level"]): row for row in card}
    for level in HEADS["tone_level"]:
        for condition in ("normal", "dim, restored", "dark, restored"):
            assert seen[condition, level]["tone_level_accuracy"] >= 0.85
        assert seen["normal", level]["pose_accuracy"] >= 0.8
        assert seen["normal", level]["expression_accuracy"] >= 0.4  # chance is 0.25


def test_the_network_maps_crops_to_logits() -> None:
    network = AttributeNet().eval()
    crops = torch.rand(2, 3, CROP_SIZE, CROP_SIZE)
    with torch.inference_mode():
        assert network.features(crops).shape == (2, FEATURES)
        logits = network(crops)
    assert {name: tuple(value.shape) for name, value in logits.items()} == {
        name: (2, len(levels)) for name, levels in HEADS.items()
    }


def test_crops_and_labels(faces: FaceSamples) -> None:
    crops, labels = attribute_crops(faces), attribute_labels(faces)
    assert crops.shape == (len(faces), 3, CROP_SIZE, CROP_SIZE)
    assert crops.dtype == torch.uint8
    assert attribute_crops(faces.select(np.zeros(len(faces), bool))).shape[0] == 0
    for name, levels in HEADS.items():
        assert [levels[code] for code in labels[name]] == faces.frame[name].tolist()


def test_views_are_never_mirrored(faces: FaceSamples) -> None:
    """A mirrored face looks to the other side."""
    still = replace(
        AttributeSettings().augmentation,
        rotation=0.0, scale=0.0, shift=0.0, dark_share=0.0, read_noise=0.0, blur=0.0, tint=0.0,
        gamma=1.0, full_well=1e12,
    )  # fmt: skip
    images = attribute_crops(faces).float() / 255
    views = augment(images, torch.Generator().manual_seed(0), still)
    assert views.numpy() == pytest.approx(images.numpy(), abs=2e-3)


def test_training_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first = train_attributes(tmp_path / "a", settings=_SETTINGS)
    second = train_attributes(tmp_path / "b", settings=_SETTINGS)
    assert first == second
    state, _ = load_asset(ASSET, tmp_path / "a")
    assert set(state) == set(AttributeNet().state_dict())
    conditions = {row["condition"] for row in first.card["attributes"]}
    assert {"normal", "dark", "dark, restored"} <= conditions


@pytest.mark.slow
def test_it_learns(faces: FaceSamples) -> None:
    settings = replace(_SETTINGS, steps=60, batch=18)
    network = fit_attributes(attribute_crops(faces), attribute_labels(faces), settings)
    before = AttributeNet().eval()
    after, chance = (
        np.mean([row["tone_level_accuracy"] for row in accuracy_card(net, faces, {})])
        for net in (network, before)
    )
    assert after >= 0.7 > chance
