"""Every metric is held to what it declares about itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from benchmark.data.evalset import EvalSet
from benchmark.metrics import SCORERS, Scorer, make_scorer
from benchmark.metrics.base import Column, MetricSpec

# pyiqa's metrics are many; these stand for with and without reference, batched and one by one
_PYIQA = ("pyiqa:cw_ssim", "pyiqa:piqe", "pyiqa:psnry", "pyiqa:ssim")
_NAMES = tuple(entry.name for entry in SCORERS if entry.origin == "equilux") + _PYIQA
# too large a pyramid for the 128 px of the fixture, or none of this scorer's business
_LARGE = {"ms_ssim"}


@dataclass(frozen=True)
class Scored:
    """A scorer with its answers to outputs from perfect to poor, by metric."""

    scorer: Scorer
    evalset: EvalSet
    outputs: dict[str, torch.Tensor]
    answers: dict[str, dict[str, Column]]

    def score(self, outputs: torch.Tensor, index: NDArray[np.int64]) -> dict[str, Column]:
        """Score some rows, preparing anew."""
        state = self.scorer.prepare(self.evalset)
        with torch.inference_mode():
            return self.scorer.score(outputs, index, self.evalset, state)


def to_batch(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def enlarge(evalset: EvalSet, factor: int) -> EvalSet:
    """The same with every pixel repeated."""

    def grow(images: NDArray[np.generic]) -> NDArray[np.generic]:
        return images.repeat(factor, axis=1).repeat(factor, axis=2)

    return replace(
        evalset,
        inputs=grow(evalset.inputs),
        references=grow(evalset.references),
        masks={name: grow(mask) for name, mask in evalset.masks.items()},
        gallery=grow(evalset.gallery),
        landmarks=(evalset.landmarks + 0.5) * factor - 0.5,
        gallery_landmarks=(evalset.gallery_landmarks + 0.5) * factor - 0.5,
    )


@pytest.fixture(scope="module", params=_NAMES)
def scored(request: pytest.FixtureRequest, evalset: EvalSet, trunks: None) -> Scored:
    scorer = make_scorer(request.param)
    lack = scorer.unavailable()
    if lack is not None:
        pytest.skip(f"{lack.reason}: {lack.mend}")
    if request.param in _LARGE:
        evalset = enlarge(evalset, 2)
    mild = evalset.references * 0.75 + evalset.inputs * 0.25
    outputs = {
        "perfect": to_batch(evalset.references),
        "mild": to_batch(mild.round().astype(np.uint8)),
        "poor": to_batch(evalset.inputs),
    }
    state = scorer.prepare(evalset)
    index = np.arange(len(evalset))
    with torch.inference_mode():
        answers = {
            name: scorer.score(batch, index, evalset, state) for name, batch in outputs.items()
        }
    return Scored(scorer, evalset, outputs, answers)


def specs(scored: Scored) -> tuple[MetricSpec, ...]:
    assert scored.scorer.specs
    return scored.scorer.specs


def test_answers_are_one_float64_column_per_declared_metric(scored: Scored) -> None:
    for answer in scored.answers.values():
        assert set(answer) == {spec.name for spec in specs(scored)}
        for values in answer.values():
            assert values.shape == (len(scored.evalset),)
            assert values.dtype == np.float64


def test_answers_lie_in_the_declared_range(scored: Scored) -> None:
    for spec in specs(scored):
        low, high = spec.range
        for answer in scored.answers.values():
            values = answer[spec.name][np.isfinite(answer[spec.name])]
            assert ((values >= low - 1e-6) & (values <= high + 1e-6)).all()
            if spec.kind == "rate":
                assert set(values) <= {0.0, 1.0}


def test_better_images_get_better_numbers(scored: Scored) -> None:
    for spec in specs(scored):
        if "reference" not in spec.needs and spec.name != "detected":
            continue  # without a reference, "better" is the metric's own opinion
        masks = {f"mask:{name}" for name in scored.evalset.masks}
        if "label" in spec.needs or not {n for n in spec.needs if n.startswith("mask:")} <= masks:
            continue  # nobody said what the fixture shows
        perfect, mild, poor = (
            scored.answers[name][spec.name] for name in ("perfect", "mild", "poor")
        )
        if np.isnan(perfect).all():  # the fixture is too small to resolve a threshold
            assert spec.name in {"tar", "tar_gain", "fmr"}
            continue
        if spec.ideal is not None:
            np.testing.assert_allclose(perfect, spec.ideal, atol=1e-4)
            assert (np.abs(mild) <= np.abs(poor)).all()
            continue
        oriented = [spec.direction * values for values in (perfect, mild, poor)]
        assert (oriented[0] >= oriented[1] - 1e-6).all()
        assert oriented[1].mean() >= oriented[2].mean()
        if spec.name != "id_switch":  # two people are too few to be confused
            assert oriented[0].mean() > oriented[2].mean()


def test_deterministic_metrics_repeat_themselves(scored: Scored) -> None:
    torch.manual_seed(1)
    again = scored.score(scored.outputs["poor"], np.arange(len(scored.evalset)))
    for spec in specs(scored):
        assert spec.deterministic
        np.testing.assert_array_equal(again[spec.name], scored.answers["poor"][spec.name])


def test_batch_invariant_metrics_do_not_look_at_their_neighbours(scored: Scored) -> None:
    single = scored.score(scored.outputs["poor"][2:3], np.array([2]))
    shuffled = scored.score(scored.outputs["poor"][[4, 2, 0]], np.array([4, 2, 0]))
    for spec in specs(scored):
        assert spec.batch_invariant
        whole = scored.answers["poor"][spec.name]
        np.testing.assert_allclose(single[spec.name], whole[2:3], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(shuffled[spec.name], whole[[4, 2, 0]], rtol=1e-6, atol=1e-6)


def test_no_images_give_no_numbers(scored: Scored) -> None:
    nothing = scored.score(scored.outputs["poor"][:0], np.arange(0))
    assert all(values.shape == (0,) for values in nothing.values())


def test_tiny_images_are_scored_or_unknown_never_fatal(scored: Scored) -> None:
    small = scored.evalset.references[:1, 48:56, 48:56]
    frame = pd.DataFrame({"sample": ["s"], "cluster": ["c"], "status": ["ok"]})
    tiny = EvalSet(
        frame,
        small,
        small,
        "tiny",
        landmarks=np.full((1, 5, 2), np.nan, np.float32),
        masks={"skin": np.zeros((1, 8, 8), bool)},
    )
    state = scored.scorer.prepare(tiny)
    with torch.inference_mode():
        found = scored.scorer.score(to_batch(small), np.array([0]), tiny, state)
    for spec in specs(scored):
        values = found[spec.name]
        assert values.shape == (1,)
        inside = (values >= spec.range[0] - 1e-6) & (values <= spec.range[1] + 1e-6)
        assert (np.isnan(values) | inside).all()


def test_declarations_are_complete(scored: Scored) -> None:
    for spec in specs(scored):
        assert spec.summary
        assert spec.version
        assert spec.licence
        assert spec.range[0] < spec.range[1]
        assert spec.direction in {1, -1}
        if spec.ratio_scale:  # ratios need a true zero
            assert spec.range[0] == 0
            assert spec.unit != "dB"
    identity = scored.scorer.identity()
    assert identity
    assert all(type(key) is str and type(value) is str for key, value in identity.items())
