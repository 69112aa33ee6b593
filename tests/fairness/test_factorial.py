"""Main effects and interaction against the arithmetic of the four cell means, and on nulls."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmark.errors import DataError
from benchmark.fairness.factorial import Factorial, factorial_effects

from .worlds import FOUND, QUICK, SCORE, TONE, World, draw

DESIGN = Factorial(
    both="cals",
    first="context-static",
    second="matched",
    neither="matched-static",
    names=("context", "time"),
)
SYSTEMS = tuple(("curve", arm, seed) for arm in DESIGN.arms for seed in range(3))


def planted(context: float, time: float, interaction: float, **world: object) -> pd.DataFrame:
    """A table whose four arms differ by two main effects and an interaction in the score."""
    samples = draw(World(clusters=24, systems=SYSTEMS, noise=0.02, **world))  # type: ignore[arg-type]
    c = samples["arm"].isin([DESIGN.both, DESIGN.first])
    t = samples["arm"].isin([DESIGN.both, DESIGN.second])
    # +-1/2 coding: main effects are those at the average of the other factor
    shift = context * (c - 0.5) + time * (t - 0.5) + interaction * (c - 0.5) * (t - 0.5)
    return samples.assign(score=samples["score"] + shift)


def table(samples: pd.DataFrame, **changes: object) -> pd.DataFrame:
    settings = {"system": "curve", "metrics": [SCORE], "axes": [TONE], "policy": QUICK, "seed": 1}
    return factorial_effects(samples, DESIGN, **{**settings, **changes})  # type: ignore[arg-type]


def test_contrasts_are_those_of_the_cell_means() -> None:
    samples = planted(0.1, -0.05, 0.04)
    means = samples.groupby(["arm", "tone"])["score"].mean().unstack(0)
    found = table(samples).set_index(["contrast", "axis", "target"])["effect"]
    both, first, second, neither = (means[arm] for arm in DESIGN.arms)
    for tone in TONE.levels:
        expected = {
            "context": (both + first - second - neither)[tone] / 2,
            "time": (both - first + second - neither)[tone] / 2,
            "context x time": (both - first - second + neither)[tone],
        }
        for name, value in expected.items():
            assert found[name, "tone", tone] == pytest.approx(value)


def test_planted_effects_are_found_and_others_are_not() -> None:
    found = table(planted(0.1, 0.0, 0.0)).query("target == 'overall'").set_index("contrast")
    assert found.loc["context", "verdict"] == "better"
    assert found.loc["context", "ci_low"] < 0.1 < found.loc["context", "ci_high"]
    assert found.loc["time", "verdict"] == "no_evidence"
    assert found.loc["context x time", "verdict"] == "no_evidence"


def test_an_interaction_is_found_with_its_own_size() -> None:
    found = table(planted(0.0, 0.0, 0.2)).query("target == 'overall'").set_index("contrast")
    row = found.loc["context x time"]
    assert row["verdict"] == "better"
    assert row["ci_low"] < 0.2 < row["ci_high"]


def test_intervals_cover_nothing_where_nothing_differs() -> None:
    covered = []
    for seed in range(40):
        found = table(planted(0, 0, 0, seed=seed, seed_sd=0.01), axes=[])
        covered += list((found["ci_low"] < 0) & (found["ci_high"] > 0))
    # 120 intervals of three correlated contrasts, 95 % wanted
    assert sum(covered) >= 108


def test_rates_may_be_blended() -> None:
    found = table(planted(0, 0, 0), metrics=[FOUND]).query("target == 'overall'")
    assert found["effect"].abs().max() < 0.1
    assert (found["ci_low"] < found["ci_high"]).all()


def test_a_missing_arm_and_unpaired_seeds_are_refused() -> None:
    samples = planted(0, 0, 0)
    with pytest.raises(DataError, match="matched-static"):
        table(samples[samples["arm"] != "matched-static"])
    lost = (samples["arm"] == "cals") & (samples["seed"] == 2)
    with pytest.raises(DataError, match="same seeds"):
        table(samples[~lost])
