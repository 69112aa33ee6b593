"""CIFAR-10 under low light, read by the published ResNet-20.

Measured on all 3,000 pictures (per cent): clean 81.6, dark 61.7; after gamma 59.7, LIME 67.3,
Zero-DCE 65.6, the exact linear gain 66.3, and one gamma to the clean picture's own brightness 54.5.
ResNet-56: 83.9, 61.8; 64.3, 73.0, 70.9, 71.2, 58.8. Brighter alone does not help.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.degradations import Acquisition, degrade
from benchmark.data.evalset import EvalSet
from benchmark.enhancers import ENHANCERS
from benchmark.fairness.recognition import outcomes
from benchmark.imaging.colour import to_linear, to_srgb
from benchmark.metrics import make_scorer
from benchmark.weights import WeightStore

_DARK = Acquisition(exposure=0.1, full_well=4000.0, read_noise=2.0)
_ALL = {"clean": 81.6, "dark": 61.73, "exact": 66.27, "brightness": 54.47}
_SOME = {"clean": 80.8, "dark": 62.8, "exact": 67.4, "gamma": 61.4, "brightness": 57.2}
_SOME |= {"zero-dce": 67.0, "lime": 64.8}


@dataclass(frozen=True)
class Read:
    """Pictures with what systems make of them, and the scores of the reader."""

    evalset: EvalSet
    samples: pd.DataFrame

    def accuracy(self, system: str) -> float:
        """Per cent."""
        column = "accuracy_reference" if system == "clean" else "accuracy"
        rows = self.samples["system"] == ("input" if system in {"clean", "dark"} else system)
        return 100 * float(self.samples.loc[rows, f"{column}:cifar10-resnet20"].mean())


def load(archive: Path, every: int) -> EvalSet:
    with zipfile.ZipFile(archive) as source:
        names = sorted(name for name in source.namelist() if name.endswith(".jpg"))[::every]
        pictures = [Image.open(io.BytesIO(source.read(name))).convert("RGB") for name in names]
    frame = pd.DataFrame({"sample": names, "cluster": names, "status": "ok", "light": "dark"})
    frame["label"] = [Path(name).parent.name for name in names]
    clean = np.stack([np.asarray(picture) for picture in pictures])
    dark = degrade(clean, frame, seed=0, strata={"dark": _DARK}, axis="light")
    return EvalSet(frame, dark, clean, f"cifar-{every}")


def exact_gain(images: torch.Tensor) -> torch.Tensor:
    return to_srgb((to_linear(images) / _DARK.exposure).clamp(0, 1))


def tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def read(evalset: EvalSet, systems: tuple[str, ...]) -> Read:
    scorer = make_scorer("recognition:cifar10-resnet20")
    state = scorer.prepare(evalset)
    inputs, clean = tensor(evalset.inputs), tensor(evalset.references)
    parts = []
    for system in systems:
        if system == "exact":
            outputs = exact_gain(inputs)
        else:
            outputs = ENHANCERS.get(system)().enhance(inputs, clean)
        outputs = (outputs.clamp(0, 1) * 255).round() / 255
        found = scorer.score(outputs, np.arange(len(evalset)), evalset, state)
        part = evalset.frame.assign(system=system, arm="", seed=-1, **found)
        parts.append(part)
    return Read(evalset, pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def archive(shared_data: Path, published_store: Callable[..., WeightStore]) -> Iterator[Path]:
    path = shared_data / "recognition" / "cifar10_test_3000_jpeg.zip"
    if not path.is_file():
        pytest.skip(f"no CIFAR pictures at {path}")
    store = published_store("cifar10-resnet20", "zero-dce")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQUILUX_WEIGHTS", str(store.folder))
        yield path


@pytest.fixture(scope="module")
def some(archive: Path) -> Read:
    """Every sixth picture: 500, 50 a class."""
    return read(load(archive, 6), ("input", "exact", "gamma", "brightness", "zero-dce", "lime"))


@pytest.mark.parametrize("system", list(_SOME))
def test_accuracy_before_and_after_every_enhancer(some: Read, system: str) -> None:
    """As measured on the same 500; one point is five pictures that another processor's rounding
    may turn."""
    assert some.accuracy(system) == pytest.approx(_SOME[system], abs=1.0)


def test_the_outcomes_say_who_gains_and_that_brighter_is_not_better(some: Read) -> None:
    table = outcomes(
        some.samples,
        axes=[],
        protocol="frozen",
        judge="cifar10-resnet20",
        suffix=":cifar10-resnet20",
    ).set_index("system")
    assert (table["n"] == 500).all()
    assert table.loc["input", "mcnemar_p"] == 1
    assert table.loc["zero-dce", "delta_low"] > 0
    assert table.loc["zero-dce", "recovery"] == pytest.approx(0.23, abs=0.08)
    assert table.loc["brightness", "delta_high"] < 0  # the right brightness, and more noise to see
    assert table.loc["brightness", "harm_rate"] > 2 * table.loc["exact", "harm_rate"]
    assert table.loc["input", "ece"] == pytest.approx(0.24, abs=0.03)  # far too sure in the dark


@pytest.mark.slow
def test_accuracy_on_all_3000(archive: Path) -> None:
    found = read(load(archive, 1), ("input", "exact", "brightness"))
    for system, expected in _ALL.items():
        assert found.accuracy(system) == pytest.approx(expected, abs=0.5)
