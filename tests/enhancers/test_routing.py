"""The router: pictures go where p says, p is logged, and nothing invents faces unasked."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.assets.fitting import initialised
from benchmark.contexts.base import CONTEXTS, ContextPredictor
from benchmark.contexts.router import CLASSES
from benchmark.contexts.router.base import DegradationClassifier
from benchmark.enhancers import ENHANCERS, routing
from benchmark.enhancers.base import Enhancer
from benchmark.enhancers.nafnet import Folded
from benchmark.enhancers.restorers import RestorerSettings, load_restorer, train_restorer
from benchmark.enhancers.routing import GenerativeWarning, Router, Routes, build_systems
from benchmark.errors import EquiluxError, SpecError, WeightsError

NOTHING = {"soft": "input", "motion": "input", "dark": "input"}


class ByRed(DegradationClassifier):
    """The class is written into the red channel; a red of one is no answer."""

    def identity(self) -> dict[str, str]:
        return {}

    def predict(self, images: Tensor) -> Tensor:
        number = (images[:, 0, 0, 0] * 10).round().long()
        p = torch.eye(11)[number] * 0.6 + 0.08
        return torch.where(number[:, None] > 4, torch.nan, p[:, :5])


class Adds(Enhancer):
    """Adds a number to blue; refuses an empty batch, as real networks may."""

    def __init__(self, amount: float, purpose: str = "") -> None:
        self.amount, self.purpose = amount, purpose

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        assert len(images)
        assert references is None
        shift = torch.tensor([0.0, 0.0, self.amount])[:, None, None]
        return images + shift


class RightHalfFaces(ContextPredictor):
    """A face if green is bright."""

    def identity(self) -> dict[str, str]:
        return {}

    def predict(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        faces = (images[:, 1].mean((1, 2)) > 0.5).long() * CONTEXTS.index("face")
        return torch.eye(len(CONTEXTS))[faces]


def coded(numbers: list[int], green: float = 0.0) -> Tensor:
    images = torch.zeros(len(numbers), 3, 8, 8)
    images[:, 0] = torch.tensor(numbers)[:, None, None] / 10
    images[:, 1] = green
    return images


@pytest.fixture
def five(monkeypatch: pytest.MonkeyPatch) -> dict[str, Adds]:
    """Routes that add .1, .2 ... and a classifier that reads the code."""
    systems = {name: Adds((n + 1) / 10) for n, name in enumerate(CLASSES)}
    monkeypatch.setattr(routing, "build_systems", lambda routes: systems)
    monkeypatch.setattr(routing, "make_classifier", lambda name: ByRed())
    monkeypatch.setattr(routing, "make_predictor", lambda name: RightHalfFaces())
    return systems


def test_every_picture_goes_its_way_in_order(five: dict[str, Adds]) -> None:
    numbers = [4, 0, 3, 1, 0, 2, 10]
    outputs = Router().enhance(coded(numbers))
    added = (outputs - coded(numbers))[:, 2, 0, 0]
    # without an answer the route is that of "none"
    assert added.tolist() == pytest.approx([0.5, 0.1, 0.4, 0.2, 0.1, 0.3, 0.4])


def test_p_is_always_logged(five: dict[str, Adds], caplog: pytest.LogCaptureFixture) -> None:
    router = Router()
    with caplog.at_level(logging.INFO, logger="benchmark.router"):
        router.enhance(coded([4, 10]))
    first, second = (json.loads(record.message) for record in caplog.records)
    assert first["route"] == "dark"
    assert first["p"]["dark"] == pytest.approx(0.68)
    assert second["status"] == "no_answer"
    assert set(second["p"].values()) == {None}
    assert router.log[0].routes.tolist() == [4, 3]


def test_the_threshold_is_the_user_s(five: dict[str, Adds]) -> None:
    careful = Router(Routes(threshold=0.7))
    assert (careful.enhance(coded([0, 4])) - coded([0, 4]))[:, 2, 0, 0].tolist() == pytest.approx(
        [0.4, 0.4]
    )


def test_generative_restorers_need_to_be_allowed(five: dict[str, Adds]) -> None:
    with pytest.raises(SpecError, match="allow_generative"):
        Router(Routes(generative=["motion"]))
    five["soft"].purpose = "FaceSR"  # spandrel knows it, so it need not be declared
    with pytest.raises(SpecError, match="soft"):
        Router()


def test_they_warn_and_leave_faces_alone(five: dict[str, Adds]) -> None:
    allowed: dict[str, Any] = {"generative": ["motion"], "allow_generative": True}
    with pytest.warns(GenerativeWarning, match="not on faces"):
        router = Router(Routes(**allowed))
    images = torch.cat([coded([2, 4], green=0.0), coded([2, 4], green=0.9)])
    added = (router.enhance(images) - images)[:, 2, 0, 0]
    assert added.tolist() == pytest.approx([0.3, 0.5, 0.4, 0.5])
    assert router.log[0].status.tolist() == ["confident", "confident", "spared", "confident"]
    assert not router.log[0].abstained.any()
    with pytest.warns(GenerativeWarning, match="also on faces"):
        router = Router(Routes(**allowed, allow_generative_faces=True))
    added = (router.enhance(images) - images)[:, 2, 0, 0]
    assert added.tolist() == pytest.approx([0.3, 0.5, 0.3, 0.5])


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ("oracle", "clean picture"),
        ("router", "cannot be a route"),
        ("outputs:folder", "cannot be a route"),
        ("spandrel:/no/such.safetensors", "no such file"),
        ("package.module:factory", "module"),
        ("no-such-system", "no enhancer called"),
    ],
)
def test_routes_that_lead_nowhere_are_refused(system: str, message: str) -> None:
    with pytest.raises(EquiluxError, match=message):
        build_systems(Routes(**{**NOTHING, "dark": system}))


def test_classes_share_one_system() -> None:
    systems = build_systems(Routes(**NOTHING))
    assert len({id(system) for system in systems.values()}) == 1


def test_routes_are_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text("classifier: probe\nthreshold: 0.6\ndark: clahe\ngenerative: [soft]\n")
    routes = Routes.read(path)
    assert (routes.classifier, routes.threshold, routes.dark) == ("probe", 0.6, "clahe")
    for wrong, message in (
        ("threshold: 2.0\n", "threshold"),
        ("dimm: gamma\n", "dark|dimm"),
        ("generative: [blurry]\n", "no class"),
    ):
        path.write_text(wrong)
        with pytest.raises(SpecError, match=message):
            Routes.read(path)


def test_a_restorer_trains_and_is_read_again(tmp_path: Path) -> None:
    settings = RestorerSettings(width=8, count=2, held_out=2, size=32, crop=16, steps=1, batch=2)
    record = train_restorer("motion", tmp_path, settings=settings)
    assert record.card["psnr_input"] > 0
    assert record.card["nlpd_input"] > 0
    assert record.settings["width"] == 8
    assert set(record.card["faces"]) <= {"dark", "light"}
    image = torch.rand(1, 3, 30, 41)
    assert load_restorer("motion", tmp_path).enhance(image).shape == image.shape
    (tmp_path / "restorer-motion.safetensors").unlink()
    with pytest.raises(WeightsError, match="missing"):
        load_restorer("motion", tmp_path)


def test_a_folded_network_takes_any_size_and_reads_every_pixel() -> None:
    network = initialised(partial(Folded, width=4, levels=1, fold=4), 0)
    image = torch.rand(1, 3, 30, 41, requires_grad=True)
    output = network(image)
    assert output.shape == image.shape
    output.square().sum().backward()
    assert (image.grad != 0).all()
    # the last pixels do not depend on how far the picture is continued to a multiple of four
    with torch.no_grad():
        wider = torch.nn.functional.pad(image, (0, 3, 0, 2), mode="replicate")
        torch.testing.assert_close(network(wider)[..., :30, :41], output.detach())


def test_the_registered_router_runs_with_the_suite_s_own_parts() -> None:
    router = ENHANCERS.get("router")()
    images = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))
    outputs = router.enhance(images)
    assert outputs.shape == images.shape
    assert outputs.isfinite().all()
    assert {"restorer-soft", "restorer-motion", "router"} <= set(ENHANCERS.names())
