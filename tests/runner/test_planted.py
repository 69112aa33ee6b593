"""From pixels to verdicts: a planted harm is found, and where nothing differs nothing is called."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch

from benchmark.data.build import degraded
from benchmark.data.evalset import EvalSet
from benchmark.data.views import OK, Views
from benchmark.enhancers.classical import Gamma
from benchmark.fairness import AxisInfo, MetricInfo, Policy, analyse
from benchmark.metrics import make_scorer
from benchmark.probes.faces import FaceProbe
from benchmark.runner.outputs import enhance_all, to_batch

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
LEVELS = ("light", "medium", "dark")


@pytest.fixture(scope="module")
def equal_people() -> Views:
    """Twenty people whose recorded tones are shuffled: no group can differ in truth."""
    samples = FaceProbe(
        split="test", identities=20, views=1, effect="none", supersample=1, size=64
    ).render()
    frame = samples.frame.rename(columns={"identity": "cluster"}).assign(status=OK)
    return Views(frame, samples.images, samples.landmarks, {"skin": samples.skin})


def verdicts(views: Views, planted: list[dict[str, Any]]) -> pd.DataFrame:
    """The gap rows of gamma's PSNR, SSIM and skin tone after degradation with a planted harm."""
    stratum = {"exposure": 0.1, "full_well": 1000.0, "read_noise": 4.0}
    rule = {"axis": "exposure", "strata": {"dim": stratum}, "planted": planted}
    numbers = views.frame["view"].to_numpy()
    evalset = degraded(views, numbers, {"degradation": rule, "seed": 3})
    outputs = enhance_all(Gamma(), evalset, device=CPU)
    table = evalset.frame.assign(system="gamma", arm="", seed=-1, **scores(evalset, outputs.images))
    result = analyse(
        table,
        metrics=[
            MetricInfo("psnr", 1),
            MetricInfo("ssim", 1),
            MetricInfo("ita_shift_abs", -1),
        ],
        axes=[AxisInfo("tone_level", "sensitive", LEVELS)],
        policy=Policy(bootstrap=999, permutations=1999),
        seed=1,
    )
    return result.gaps.set_index("metric")


def scores(evalset: EvalSet, images: Any) -> dict[str, Any]:
    """Columns of three scorers."""
    rows = evalset.frame.index.to_numpy()
    columns: dict[str, Any] = {}
    for name in ("psnr", "ssim", "skin"):
        scorer = make_scorer(name)
        columns |= scorer.score(to_batch(images, CPU), rows, evalset, scorer.prepare(evalset))
    return columns


def test_nothing_is_called_unfair_where_no_group_differs(equal_people: Views) -> None:
    gaps = verdicts(equal_people, [])
    assert set(gaps["verdict"]) == {"no_evidence"}
    assert (gaps["p_holm"] > 0.05).all()


def test_planted_read_noise_is_found_in_its_group(equal_people: Views) -> None:
    harm = {"axis": "tone_level", "group": "dark", "exposure": 1.0, "read_noise": 2.5}
    gaps = verdicts(equal_people, [harm])
    for metric in ("psnr", "ssim"):
        assert gaps.loc[metric, "verdict"] == "gap"
        assert gaps.loc[metric, "worst_group"] == "dark"
        assert gaps.loc[metric, "gap"] > 3 * gaps.loc[metric, "null_mean"]


def test_planted_underexposure_is_found_in_its_group(equal_people: Views) -> None:
    harm = {"axis": "tone_level", "group": "light", "exposure": 0.4, "read_noise": 1.0}
    gaps = verdicts(equal_people, [harm])
    assert gaps.loc["psnr", "verdict"] == "gap"
    assert gaps.loc["psnr", "worst_group"] == "light"
