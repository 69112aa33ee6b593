from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from benchmark.data.evalset import EvalSet
from benchmark.errors import WeightsError
from benchmark.metrics import make_scorer, plan_scorers
from benchmark.metrics.perceptual import lpips_model
from benchmark.weights import WeightStore

_TRUNK = "squeezenet1_1_features_backbone.pth"


@pytest.fixture
def squeeze(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that holds the SqueezeNet trunk."""
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    WeightStore().add("squeezenet1_1", shared_data / "weights" / "perceptual" / _TRUNK)


@pytest.fixture
def lol(shared_data: Path) -> EvalSet:
    """The fifteen pairs of LOL's evaluation set, the low light as input."""
    names = sorted(path.name for path in (shared_data / "lol" / "low").glob("*.png"))
    low, high = (
        np.stack([np.asarray(Image.open(shared_data / "lol" / part / name)) for name in names])
        for part in ("low", "high")
    )
    frame = pd.DataFrame({"sample": names, "cluster": names, "status": "ok"})
    return EvalSet(frame, low, high, "lol")


def score(name: str, evalset: EvalSet) -> float:
    """Mean of a metric over the degraded inputs."""
    found = []
    for row in range(len(evalset)):
        output = torch.from_numpy(evalset.inputs[row : row + 1]).permute(0, 3, 1, 2) / 255
        with torch.inference_mode():
            found += [*make_scorer(name).score(output, np.array([row]), evalset, {})[name]]
    return float(np.mean(found))


@pytest.mark.slow
def test_known_answers_on_lol(squeeze: None, lol: EvalSet) -> None:
    """The input row measured for this project with independent implementations."""
    assert score("psnr", lol) == pytest.approx(7.77, abs=0.006)
    assert score("lpips-squeeze", lol) == pytest.approx(0.370, abs=0.001)


def test_identical_images_are_at_distance_zero(squeeze: None, evalset: EvalSet) -> None:
    outputs = torch.from_numpy(evalset.references).permute(0, 3, 1, 2).float() / 255
    scorer = make_scorer("lpips-squeeze")
    assert scorer.score(outputs, np.arange(6), evalset, {})["lpips-squeeze"].tolist() == [0] * 6


def test_a_whole_network_of_torchvision_serves_as_well(
    squeeze: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same numbers under torchvision's names, with a classifier that nobody asked for."""
    lpips_model.cache_clear()
    alone = lpips_model("squeeze").net.state_dict()
    path = tmp_path / "squeezenet1_1-b8a52dc0.pth"
    tensors = torch.load(path, weights_only=True)
    whole = {f"features.{name}": value for name, value in tensors.items()}
    torch.save(whole | {"classifier.1.weight": torch.zeros(1)}, path)
    monkeypatch.setattr("benchmark.weights.store.sha256_of_file", lambda _: "b8a52dc0" + 56 * "0")
    lpips_model.cache_clear()
    again = lpips_model("squeeze").net.state_dict()
    assert all(torch.equal(alone[name], again[name]) for name in alone)


def test_a_trunk_that_lacks_layers_is_a_clear_error(
    squeeze: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lpips_model.cache_clear()
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "squeezenet1_1-b8a52dc0.pth")
    monkeypatch.setattr("benchmark.weights.store.sha256_of_file", lambda _: "b8a52dc0" + 56 * "0")
    with pytest.raises(WeightsError, match="it lacks"):
        lpips_model("squeeze")


def test_absent_trunks_are_unavailable_with_the_mending_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("benchmark.weights.store._place", lambda place: None)
    plan = plan_scorers(["lpips-vgg", "psnr"])
    assert plan.unavailable["lpips-vgg"].mend == "python -m benchmark weights fetch vgg16"
    assert list(plan.metrics) == ["psnr"]
