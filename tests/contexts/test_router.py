"""Degradations, their classifiers and the rule that routes: oracles by hand and by scikit-learn."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from benchmark.assets import INSTRUMENTS, asset_names, load_record
from benchmark.contexts.router import CLASSES, CLASSIFIERS, make_classifier
from benchmark.contexts.router import synthesis as made
from benchmark.contexts.router.base import (
    CONFIDENT,
    NO_ANSWER,
    NONE,
    UNSURE,
    DegradationClassifier,
    decide,
)
from benchmark.contexts.router.cnn import CnnClassifier, DegradationNet
from benchmark.contexts.router.evaluation import confusion, macro_f1, recalls, summary
from benchmark.contexts.router.probe import LinearProbe, ProbeSettings, Trunk, fit_probe
from benchmark.contexts.router.samples import RouterSet, random_parts, router_samples
from benchmark.contexts.router.training import (
    RouterSettings,
    fit_degradation_net,
    probe_on,
    router_card,
    train_degradation_cnn,
)
from benchmark.data.degradations import LOW_LIGHT
from benchmark.errors import DataError, WeightsError

RNG = np.random.default_rng


def picture(seed: int = 0, size: int = 64) -> made.Picture:
    """Smooth colours with a hard square."""
    grid = np.linspace(0, 1, size)
    waves = np.sin(6 * grid[:, None, None] + RNG(seed).uniform(0, 3, 3)) * np.cos(
        4 * grid[None, :, None]
    )
    image = (110 + 90 * waves).astype(np.uint8)
    image[size // 4 : size // 2, size // 4 : size // 2] = 240
    return image


@pytest.fixture(scope="module")
def tiny() -> RouterSet:
    """Twelve views of twelve clusters, of them six faces of two tones."""
    clean = np.stack([picture(seed) for seed in range(12)])
    inputs = np.stack(
        [
            made.versions(image, clean[(n + 1) % 12], stream=f"tiny/{n}", seed=0)
            for n, image in enumerate(clean)
        ]
    )
    frame = pd.DataFrame(
        {
            "sample": [f"s{n}" for n in range(12)],
            "cluster": [f"c{n}" for n in range(12)],
            "context": ["face"] * 6 + ["generic"] * 6,
            "tone_level": ["dark", "light"] * 3 + [""] * 6,
            "illumination": ["even", "even", "left", "left", "even", "left"] + [""] * 6,
        }
    )
    return RouterSet(clean, inputs, frame)


def test_the_classes_are_the_paper_s_and_under_exposure() -> None:
    assert CLASSES == ("soft", "reflection", "motion", "none", "dark")
    assert set(CLASSIFIERS.names()) >= {"cnn", "probe", "clip", "vlm"}
    assert all(issubclass(CLASSIFIERS.get(n), DegradationClassifier) for n in CLASSIFIERS.names())


def test_routes_and_abstentions() -> None:
    p = [[0.6, 0.1, 0.1, 0.1, 0.1], [0.3, 0.3, 0.2, 0.1, 0.1], [np.nan] * 5, [0, 0, 0, 0.5, 0.5]]
    found = decide(np.array(p))
    assert found.routes.tolist() == [0, NONE, NONE, 3]
    assert found.status.tolist() == [CONFIDENT, UNSURE, NO_ANSWER, CONFIDENT]
    assert found.abstained.tolist() == [False, True, True, False]
    assert decide(np.array(p), threshold=0.7).routes.tolist() == [NONE] * 4
    assert decide(np.zeros((0, 5))).routes.shape == (0,)


def test_versions_repeat_and_differ_by_sample() -> None:
    image, other = picture(), picture(1)
    first, again = (made.versions(image, other, stream="a", seed=0) for _ in "xy")
    assert first.shape == (5, *image.shape)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first[NONE] == image).all()
    for seed, stream in ((0, "b"), (1, "a")):
        changed = made.versions(image, other, stream=stream, seed=seed)
        assert all((changed[k] != first[k]).any() for k in range(5) if k != NONE)


def test_low_light_is_the_suite_s_own_camera() -> None:
    image = picture()
    dark = made.versions(image, image, stream="s", seed=0)[CLASSES.index("dark")]
    cameras = [c.apply(image, stream="router/s", seed=0) for c in LOW_LIGHT.values()]
    assert any((dark == camera).all() for camera in cameras)


def test_every_kernel_sums_to_one_and_motion_has_its_length() -> None:
    for seed in range(40):
        rng = RNG(seed)
        for kernel in (
            made.gaussian_kernel(rng, 3.0),
            made.sinc_kernel(rng),
            made.double_kernel(rng),
            made.motion_kernel(rng),
        ):
            assert kernel.sum() == pytest.approx(1, abs=1e-5)
            assert kernel.shape[0] == kernel.shape[1]
            assert kernel.shape[0] % 2 == 1
        path = made.motion_kernel(RNG(seed)) > 1e-6
        rows, columns = np.nonzero(path)
        across = np.hypot(np.ptp(rows), np.ptp(columns))
        assert 5 <= across <= 33  # an arc of two radians is shorter across than along


def test_motion_keeps_the_mean_light_of_a_flat_picture() -> None:
    flat = np.full((40, 40, 3), 100, np.uint8)
    assert np.abs(made.motion(flat, RNG(0)).astype(int) - 100).max() <= 1


def test_a_reflection_only_adds_light() -> None:
    image, other = picture(), picture(5)
    found = made.reflection(image, other, RNG(0))
    assert (found.astype(int) >= image.astype(int) - 1).all()
    assert found.mean() > image.mean() + 3
    black = made.reflection(image, np.zeros_like(other), RNG(0))
    assert np.abs(black.astype(int) - image).max() <= 1


def test_soft_pictures_lose_what_jpeg_and_blur_take() -> None:
    image = picture()
    scores = [
        peak_signal_noise_ratio(image, made.soft(image, RNG(seed)), data_range=255)
        for seed in range(10)
    ]
    assert 10 < min(scores) < max(scores) < 40


def test_linear_light_is_that_of_the_suite() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert (made._encoded(made._linear(codes)) == codes).all()


def test_sets_are_balanced_and_splits_share_nobody() -> None:
    train, test = (router_samples(4, size=32, split=name, seed=0) for name in ("train", "test"))
    assert (np.bincount(train.labels) == len(train)).all()
    assert train.flat().shape == (5 * len(train), 32, 32, 3)
    assert not set(train.frame["cluster"]) & set(test.frame["cluster"])
    assert train.frame["sample"].is_unique
    faces = train.frame[train.frame["context"] == "face"]
    assert (faces["tone_level"] != "").all()
    assert (faces["illumination"] != "").all()
    again = router_samples(4, size=32, split="train", seed=0)
    assert (again.inputs == train.inputs).all()


def test_a_reflection_needs_somebody_else() -> None:
    with pytest.raises(DataError, match="second scene"):
        router_samples(2, size=32, split="train", seed=0, contexts=("face",))


def test_random_parts_cut_all_at_one_place() -> None:
    ramp = torch.arange(100.0).reshape(1, 10, 10).expand(4, 3, 10, 10)
    parts = random_parts(ramp, 6, torch.Generator().manual_seed(0))
    assert parts.shape == (4, 3, 6, 6)
    assert (parts == parts[:1, :1]).all()


def test_scores_are_scikit_learn_s() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, routes = RNG(0).integers(0, 5, (2, 300))
    table = confusion(labels, routes)
    assert (table == metrics.confusion_matrix(labels, routes)).all()
    assert macro_f1(table) == pytest.approx(metrics.f1_score(labels, routes, average="macro"))
    assert recalls(table) == pytest.approx(metrics.recall_score(labels, routes, average=None))


def test_scores_by_hand() -> None:
    p = np.eye(5)[[0, 0, 1, 3]] * 0.8 + 0.04
    p[2] = 0.2  # unsure, and so routed to none
    p = np.concatenate([p, np.full((1, 5), np.nan)])
    found = summary(decide(p), np.array([0, 1, 1, 3, 4]))
    assert found["accuracy"] == pytest.approx(2 / 5)
    assert found["abstained"] == pytest.approx(2 / 5)
    assert found["no_answer"] == pytest.approx(1 / 5)
    # three at .84 of which two are right, one at .2 whose largest is class 0 and wrong
    assert found["ece"] == pytest.approx((abs(2 - 3 * 0.84) + abs(0 - 0.2)) / 4)
    assert found["recall"]["none"] == 1
    assert np.isnan(found["recall"]["motion"])
    assert np.isnan(macro_f1(np.zeros((5, 5), np.int64)))
    assert np.isnan(summary(decide(np.zeros((0, 5))), np.zeros(0, int))["accuracy"])


def test_the_network_is_small_and_takes_any_size() -> None:
    network = DegradationNet().eval()
    assert 350_000 < sum(p.numel() for p in network.parameters()) < 450_000
    assert network(torch.rand(2, 3, 33, 70)).shape == (2, 5)
    assert network(torch.zeros(1, 3, 32, 32)).isfinite().all()


def test_training_repeats_bit_for_bit(tiny: RouterSet) -> None:
    settings = RouterSettings(steps=2, batch=10, crop=32)
    runs = [fit_degradation_net(tiny, settings).state_dict() for _ in "ab"]
    assert all(torch.equal(runs[0][key], runs[1][key]) for key in runs[0])


def test_the_instrument_trains_and_is_read_again(tmp_path: Path) -> None:
    settings = RouterSettings(count=2, held_out=2, size=48, steps=2, batch=10, crop=32)
    record = train_degradation_cnn(tmp_path, settings=settings)
    assert record.data["validation_probe"]["split"] == "validation"
    assert {"confusion", "faces", "recall", "ece"} <= set(record.card)
    found = CnnClassifier(tmp_path).predict(torch.rand(3, 3, 48, 48))
    torch.testing.assert_close(found.sum(1), torch.ones(3))
    assert CnnClassifier(tmp_path).identity()["sha256"] == record.sha256


class Colours(Trunk):
    """Mean and spread of the colours."""

    def identity(self) -> dict[str, str]:
        return {"trunk": "colours"}

    def features(self, images: Tensor) -> Tensor:
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


def test_a_linear_probe_learns_what_is_linear(tiny: RouterSet) -> None:
    settings = RouterSettings(probe=ProbeSettings(steps=300))
    state, decision, judged = probe_on(Colours(), tiny, tiny, settings)
    dark = judged.labels == CLASSES.index("dark")
    assert (decision.routes[dark] == CLASSES.index("dark")).all()
    probe = LinearProbe(trunk=Colours(), state=state)
    images = torch.from_numpy(judged.flat()).permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(
        probe.predict(images).double(), torch.from_numpy(decision.probabilities), atol=1e-4, rtol=0
    )
    assert probe.identity()["trunk"] == "colours"


def test_a_probe_agrees_with_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    features = torch.from_numpy(RNG(0).normal(size=(400, 4))).float()
    labels = (features @ torch.from_numpy(RNG(1).normal(size=(4, 5))).float()).argmax(1)
    ours = LinearProbe(trunk=Colours(), state=fit_probe(features, labels)).of_features(features)
    theirs = linear.LogisticRegression(C=1.0).fit(features.numpy(), labels.numpy())
    agreed = ours.argmax(1).numpy() == theirs.predict(features.numpy())
    assert agreed.mean() > 0.95


def test_the_card_counts_faces_by_group(tiny: RouterSet) -> None:
    decision = decide(np.eye(5)[tiny.labels])
    card = router_card(decision, tiny)
    assert card["accuracy"] == 1
    rows = [row for row in card["faces"] if {"tone_level", "illumination"} <= set(row)]
    assert sum(row["n"] for row in rows) == 5 * 6
    assert card["by_context"] == {"face": 1.0, "generic": 1.0}


def test_committed_classifiers_read_pictures_and_say_how_good_they_are() -> None:
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for name in ("cnn", "probe"):
        found = make_classifier(name).predict(images)
        torch.testing.assert_close(found.sum(1), torch.ones(3))
        record = load_record(f"degradation-{name}")
        assert f"degradation-{name}" in INSTRUMENTS
        assert f"degradation-{name}" in asset_names()
        assert record.card["accuracy"] > 0.5
        assert {row.get("tone_level") for row in record.card["faces"]} >= {"dark", "light"}


def test_answers_do_not_depend_on_the_batch() -> None:
    images = torch.rand(4, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    for name in ("cnn", "probe"):
        classifier = make_classifier(name)
        alone = torch.cat([classifier.predict(image[None]) for image in images])
        torch.testing.assert_close(classifier.predict(images), alone, atol=1e-5, rtol=0)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    settings = RouterSettings(count=2, held_out=2, size=48, steps=1, batch=5, crop=32)
    train_degradation_cnn(tmp_path, settings=settings)
    path = tmp_path / "degradation-cnn.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="sha256"):
        CnnClassifier(tmp_path)


def test_listing_imports_nothing_heavy() -> None:
    import subprocess

    code = "import sys, benchmark.contexts.router; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
