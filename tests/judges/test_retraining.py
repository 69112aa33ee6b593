from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.assets.fitting import initialised
from benchmark.errors import EquiluxError, WeightsError
from benchmark.judges import retraining
from benchmark.judges.cifar import CLASSES, CifarResNet
from benchmark.judges.retraining import TrainingViews, load_retrained, retrain, save_retrained
from benchmark.judges.signs_net import SignField, SignGaze
from benchmark.probes.signs import render_signs


@pytest.fixture(autouse=True)
def beginners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies start from random weights: what retraining promises does not depend on a past."""
    kinds = dict(retraining._KINDS)
    starts = {
        "sign-judge": SignGaze,
        "sign-reader": SignField,
        "cifar10-resnet20": lambda: CifarResNet(3),
    }
    for name, build in starts.items():
        begin = replace(kinds[name], load=lambda _, build=build: initialised(build, 0).eval())
        monkeypatch.setitem(kinds, name, begin)
    monkeypatch.setattr(retraining, "_KINDS", kinds)


@pytest.fixture(scope="module")
def signs() -> TrainingViews:
    samples = render_signs(12, split="retrain-test", illuminants=("daylight",))
    return TrainingViews.of_signs(samples, samples.images)


def things(n: int, seed: int) -> TrainingViews:
    """Noise whose brightness tells the class: learnt in a few steps."""
    random = np.random.default_rng(seed)
    answer = random.integers(0, 2, n)
    level = 40 + 150 * answer[:, None, None, None]
    images = (level + random.integers(0, 40, (n, 32, 32, 3))).astype(np.uint8)
    return TrainingViews(images, [CLASSES[k] for k in answer])


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("base", ["sign-judge", "sign-reader"])
def test_a_copy_of_a_sign_reader_learns_and_comes_back_from_its_file(
    base: str, signs: TrainingViews, tmp_path: Path
) -> None:
    begin = retraining._KINDS[base].load(base).state_dict()
    state = retrain(base, signs, seed=3, steps=3)
    assert any(not torch.equal(begin[name], state[name]) for name in begin)
    again = retrain(base, signs, seed=3, steps=3)
    assert all(torch.equal(again[name], state[name]) for name in state)
    save_retrained(state, tmp_path / "reader.safetensors", base=base)
    reader = load_retrained(tmp_path / "reader.safetensors")
    found = reader.read(tensor(signs.images[:2]))
    assert found.labels.shape == found.confidence.shape == (2,)
    assert reader.identity()["judge"] == base
    save_retrained(begin, tmp_path / "begin.safetensors", base=base)
    other = load_retrained(tmp_path / "begin.safetensors")
    assert other.identity() != reader.identity()


def test_a_copy_learns_what_its_pictures_show(tmp_path: Path) -> None:
    path = tmp_path / "reader.safetensors"
    save_retrained(
        retrain("cifar10-resnet20", things(64, seed=0), seed=0, steps=8),
        path,
        base="cifar10-resnet20",
    )
    unseen = things(40, seed=1)
    found = load_retrained(path).read(tensor(unseen.images))
    assert (found.labels == np.array(unseen.labels)).mean() > 0.9


def test_systems_differ_in_their_pictures_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which pictures, in which order and how cropped and mirrored: each has holes of its own."""
    seen: dict[str, list[torch.Tensor]] = {"a": [], "b": []}
    views = things(50, seed=2)
    holes = np.random.default_rng(3).random((50, 32, 32, 1)) < 0.5
    views = replace(views, images=views.images * holes)
    for name, gain in (("a", 1), ("b", 2)):
        pictures = np.minimum(views.images.astype(int) * gain // 2, 255).astype(np.uint8)

        class Watching(CifarResNet):
            def __init__(self, blocks: int = 1) -> None:
                super().__init__(blocks)

            def forward(self, images: torch.Tensor, name: str = name) -> torch.Tensor:
                seen[name].append(images.detach() > 0)
                return super().forward(images)

        kind = replace(
            retraining._KINDS["cifar10-resnet20"], load=lambda _, net=Watching: initialised(net, 0)
        )
        monkeypatch.setitem(retraining._KINDS, "cifar10-resnet20", kind)
        retrain("cifar10-resnet20", replace(views, images=pictures), seed=5, steps=2)
    for one, two in zip(seen["a"], seen["b"], strict=True):
        assert torch.equal(one, two)


def test_what_cannot_be_learnt_is_refused(signs: TrainingViews, tmp_path: Path) -> None:
    with pytest.raises(EquiluxError, match="cannot be retrained"):
        retrain("dlib", signs, seed=0)
    with pytest.raises(EquiluxError, match="corners"):
        retrain("sign-judge", replace(signs, corners=None), seed=0, steps=1)
    with pytest.raises(EquiluxError, match="nothing to learn"):
        retrain("sign-judge", replace(signs, images=signs.images[:0]), seed=0, steps=1)
    with pytest.raises(EquiluxError, match="knows no"):
        retrain("cifar10-resnet20", signs, seed=0, steps=1)


def test_files_that_are_no_copies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "reader.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot read"):
        load_retrained(path)
    save_retrained(initialised(SignField, 0).state_dict(), path, base="sign-judge")
    with pytest.raises(WeightsError, match="not a copy"):
        load_retrained(path)
    save_retrained({}, path, base="dlib")
    with pytest.raises(EquiluxError, match="cannot be retrained"):
        load_retrained(path)
