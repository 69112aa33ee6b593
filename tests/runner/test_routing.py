"""The router's study: costs, groups and comparisons against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from benchmark.cli.router_study import short_names, unequal, verdicts
from benchmark.contexts.router import CLASSES
from benchmark.contexts.router.base import DegradationClassifier, decide
from benchmark.contexts.router.evaluation import best_guess, summary
from benchmark.contexts.router.samples import RouterSet
from benchmark.enhancers.base import Enhancer
from benchmark.enhancers.classical import Gamma, Identity
from benchmark.runner import routing
from benchmark.runner.routing import classify, route_quality, run_router_study, study_tables

PEOPLE, VIEWS, SIDE = 9, 2, 24


@pytest.fixture(scope="module")
def samples() -> RouterSet:
    """Nine people in two views; light ones first, every class a fixed change of the picture."""
    rng = np.random.default_rng(0)
    count = PEOPLE * VIEWS
    clean = rng.integers(40, 200, (count, SIDE, SIDE, 3)).astype(np.uint8)
    shifts = np.array([5, 20, -20, 0, -35])[None, :, None, None, None]
    inputs = (clean[:, None].astype(int) + shifts).astype(np.uint8)
    frame = pd.DataFrame(
        {
            "sample": [f"s{n}" for n in range(count)],
            "cluster": [f"p{n // VIEWS}" for n in range(count)],
            "context": "face",
            "tone_level": np.where(np.arange(count) < count // 2, "light", "dark"),
            "illumination": np.where(np.arange(count) % 2, "even", "left"),
        }
    )
    return RouterSet(clean, inputs, frame)


class Shift(Enhancer):
    """Undoes one class exactly."""

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        return images + self.levels / 255


SYSTEMS: dict[str, Enhancer] = dict(
    zip(CLASSES, (Shift(-4), Shift(-18), Gamma(1.5), Identity(), Shift(30)), strict=True)
)


def oracle(samples: RouterSet) -> np.ndarray:
    return np.eye(5)[samples.labels]


def test_oracle_routing_costs_nothing(samples: RouterSet) -> None:
    decision = decide(oracle(samples))
    quality = route_quality(samples, SYSTEMS, np.stack([decision.routes, samples.labels]))
    tables = study_tables(samples, {"oracle": decision}, quality)
    assert (tables["costs"]["wrong"] == 0).all()
    assert (tables["costs"]["psnr"] == 0).all()
    assert (tables["costs"]["nlpd"] == 0).all()
    assert tables["scores"]["accuracy"].iloc[0] == 1
    assert len(tables["versus"]) == 0


def test_costs_are_scikit_image_s(samples: RouterSet) -> None:
    p = oracle(samples)
    p[3] = np.eye(5)[4]  # a clean picture is taken for a dark one
    p[10] = 0.2  # and nobody is sure about a soft one
    decision = decide(p)
    quality = route_quality(samples, SYSTEMS, np.stack([decision.routes, samples.labels]))
    assert np.isfinite(quality["psnr"]).sum() == len(p) + 2
    pictures = study_tables(samples, {"x": decision}, quality)["pictures"]
    inputs = samples.flat()

    def psnr(row: int, system: Enhancer) -> float:
        image = torch.from_numpy(inputs[row]).permute(2, 0, 1)[None].float() / 255
        output = system.enhance(image).clamp(0, 1)[0].permute(1, 2, 0).numpy()
        clean = (samples.clean[row // 5] / 255).astype(np.float32)
        return peak_signal_noise_ratio(clean, output, data_range=1.0)

    rounding = 10 * np.log10(12 * 255**2)
    assert pictures["psnr"][3] == pytest.approx(psnr(3, SYSTEMS["dark"]) - rounding, abs=1e-3)
    expected = psnr(10, SYSTEMS["none"]) - psnr(10, SYSTEMS["soft"])
    assert pictures["psnr"][10] == pytest.approx(expected, abs=1e-3)
    assert pictures["nlpd"][3] > 0
    assert pictures["decision"][10] == "unsure"


def test_groups_and_comparisons(samples: RouterSet) -> None:
    wrong = oracle(samples)
    dark = np.repeat((samples.frame["tone_level"] == "dark").to_numpy(), 5)
    wrong[dark & (samples.labels == 0)] = np.eye(5)[2]
    decisions = {"right": decide(oracle(samples)), "wrong": decide(wrong)}
    routes = np.stack([d.routes for d in decisions.values()])
    tables = study_tables(samples, decisions, route_quality(samples, SYSTEMS, routes))
    groups = tables["groups"].query("classifier == 'wrong' and axis == 'tone_level'")
    found = groups.set_index("group")["mean"]
    assert (found["light"], found["dark"]) == pytest.approx((1.0, 0.8))
    assert (groups["ci_low"] <= groups["mean"]).all()
    crossed = tables["groups"].query("axis == 'tone_level*illumination'")
    assert set(crossed["group"]) == {
        f"{t}*{i}" for t in ("light", "dark") for i in ("even", "left")
    }
    versus = tables["versus"].iloc[0]
    apart = np.array(
        [
            np.mean([0.2 if dark[5 * n] else 0.0 for n in range(VIEWS * p, VIEWS * (p + 1))])
            for p in range(PEOPLE)
        ]
    )
    low, high = stats.t.interval(0.95, PEOPLE - 1, apart.mean(), stats.sem(apart))
    assert versus["effect"] == pytest.approx(apart.mean())
    assert (versus["ci_low"], versus["ci_high"]) == pytest.approx((low, high))
    confused = tables["confusion"].query("classifier == 'wrong' and truth == 'soft'")
    assert confused.set_index("route")["n"].to_dict() == {
        **dict.fromkeys(CLASSES, 0),
        "soft": 9,
        "motion": 9,
    }


def test_an_interval_is_of_the_number_beside_it(samples: RouterSet) -> None:
    """One person has half of the views, and is never read: shares of pictures, not of people."""
    frame = samples.frame.assign(cluster=["p0"] * PEOPLE + [f"p{n}" for n in range(1, PEOPLE + 1)])
    unequal = RouterSet(samples.clean, samples.inputs, frame)
    p = oracle(unequal)
    p[: 5 * PEOPLE] = np.roll(p[: 5 * PEOPLE], 1, axis=1)
    decisions = {"right": decide(oracle(unequal)), "half": decide(p)}
    routes = np.stack([d.routes for d in decisions.values()])
    tables = study_tables(unequal, decisions, route_quality(unequal, SYSTEMS, routes))
    half = tables["scores"].set_index("classifier").loc["half"]
    assert half["accuracy"] == half["best_guess"] == 0.5
    assert half["ci_low"] < 0.5 < half["ci_high"]
    assert tables["versus"]["effect"].tolist() == [0.5]


def test_a_best_guess_counts_though_it_is_not_believed(samples: RouterSet) -> None:
    p = np.full((len(samples.labels), 5), 0.15) + 0.25 * oracle(samples)
    p[:9] = np.nan
    assert best_guess(decide(p), samples.labels) == 1 - 9 / len(p)
    # nobody is sure, and all are left alone
    assert summary(decide(p), samples.labels)["accuracy"] == 0.2
    assert np.isnan(best_guess(decide(p[:0]), samples.labels[:0]))


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["cnn", "clip:/a/b/vit", "probe on /a/b/vit"], ["cnn", "clip:vit", "probe on vit"]),
        (["vlm:hub:some/model@0123", "clip:hub:x/y@9"], ["vlm:some/model", "clip:x/y"]),
        (["clip:/a/vit", "clip:/b/vit"], ["clip:/a/vit", "clip:/b/vit"]),
    ],
)
def test_models_are_called_by_their_last_name(names: list[str], short: list[str]) -> None:
    assert list(short_names(names).values()) == short


class Reads(DegradationClassifier):
    """Knows the shift of a class from the mean difference to a constant picture."""

    def identity(self) -> dict[str, str]:
        return {"classifier": "reads"}

    def predict(self, images: Tensor) -> Tensor:
        assert images.ndim == 4
        return torch.eye(5)[torch.arange(len(images)) % 5]


def test_classifying_keeps_the_order(samples: RouterSet) -> None:
    seen: list[int] = []
    decision = classify(Reads(), samples, threshold=0.5, advance=seen.append)
    assert (decision.routes == samples.labels).all()
    assert sum(seen) == len(samples)


def test_the_study_runs_to_its_tables(
    samples: RouterSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(routing, "router_samples", lambda *args, **options: samples)
    monkeypatch.setattr(routing, "build_systems", lambda routes: SYSTEMS)
    monkeypatch.setattr(routing, "make_classifier", lambda name: Reads())
    found = run_router_study(routing.SIZES["smoke"], runs=tmp_path)
    assert found.scores["classifier"].tolist() == ["cnn", "probe"]
    assert pd.read_parquet(found.folder / "pictures.parquet").shape[0] == 2 * 5 * len(samples)
    assert {p.stem for p in found.folder.glob("*.parquet")} == {
        *("scores", "confusion", "groups", "gaps", "costs", "versus", "pictures")
    }


def test_a_gap_is_told_with_its_verdict_and_one_group_is_not_compared() -> None:
    row = {"classifier": "cnn", "axis": "tone", "best_group": "light", "worst_group": "dark"}
    row |= {"gap": 0.14, "ci_low": 0.02, "ci_high": 0.2, "null_mean": 0.05, "verdict": "gap"}
    alone = row | {"gap": float("nan"), "verdict": "single_group"}
    assert unequal(pd.DataFrame([row, alone])) == [
        "cnn, tone: dark is 0.140 behind light (0.020..0.200; 0.050 by chance alone): "
        "the groups differ by more than chance explains"
    ]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.2, "small network beats"), (-0.2, -0.1, "it beats"), (-0.1, 0.1, "no evidence")],
)
def test_verdicts_follow_the_interval(low: float, high: float, words: str) -> None:
    versus = pd.DataFrame(
        [{"classifier": "cnn", "other": "vlm:x", "effect": 0, "ci_low": low, "ci_high": high}]
    )
    assert words in verdicts(versus, ["vlm:x"])[0]
    assert "is not said here" in verdicts(versus, [])[0]
