"""Ranks are shared unless a difference is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from benchmark.fairness import analyse
from benchmark.fairness.adjust import holm
from benchmark.fairness.sources import Source, p_value
from benchmark.fairness.tiers import _places, _rejected

from .worlds import ARMS, ERROR, LIGHT, QUICK, SCORE, TONE, World, draw

SYSTEMS = (("good", "", -1), ("same", "", -1), ("bad", "", -1), *ARMS)


def _tiers(samples: pd.DataFrame, metric: str = "score", target: str = "overall") -> pd.DataFrame:
    found = analyse(samples, metrics=(SCORE, ERROR), axes=(TONE, LIGHT), policy=QUICK).tiers
    return found[(found.metric == metric) & (found.target == target)]


def _world(clusters: int = 36, seed_sd: float = 0.0) -> pd.DataFrame:
    samples = draw(World(clusters=clusters, systems=SYSTEMS, seed_sd=seed_sd))
    samples.loc[samples.system == "bad", "score"] -= 0.2
    samples.loc[samples.system == "bad", "error"] += 0.2
    return samples


@pytest.mark.parametrize(
    ("metric", "target"), [("score", "overall"), ("error", "overall"), ("score", "worst")]
)
def test_a_worse_system_is_in_a_lower_tier_and_equal_ones_share_theirs(
    metric: str, target: str
) -> None:
    tiers = _tiers(_world(), metric, target).set_index(["system", "arm"])
    assert tiers.tier["bad", ""] == 2
    assert tiers["rank"]["bad", ""] == 5
    assert tiers.rank_low["bad", ""] == 5
    assert (tiers.drop(("bad", "")).tier == 1).all()
    assert ((tiers.rank_low <= tiers["rank"]) & (tiers["rank"] <= tiers.rank_high)).all()


def test_rows_come_in_order_of_rank() -> None:
    tiers = _tiers(_world())
    assert tiers["rank"].is_monotonic_increasing
    assert tiers.tier.is_monotonic_increasing
    assert tiers.value.is_monotonic_decreasing


def test_scatter_between_runs_widens_the_rank_interval_of_trained_systems() -> None:
    calm, wild = (
        _tiers(_world(seed_sd=sd)).set_index(["system", "arm"]).loc[("curve", "cals")]
        for sd in (0.0, 0.3)
    )
    assert wild.n_seeds == 3
    assert wild.rank_high - wild.rank_low >= calm.rank_high - calm.rank_low
    assert wild.rank_high - wild.rank_low >= 3


def test_a_run_whose_training_failed_is_not_counted() -> None:
    samples = _world()
    samples.loc[(samples.arm == "cals") & (samples.seed == 1), "score"] = float("nan")
    tiers = _tiers(samples).set_index(["system", "arm"])
    assert tiers.n_seeds["curve", "cals"] == 2
    assert tiers.n_seeds["curve", "matched"] == 3


def test_a_copy_shares_rank_and_tier() -> None:
    one = draw(World(clusters=20, systems=(("a", "", -1),)))
    tiers = _tiers(pd.concat([one, one.assign(system="b")]))
    assert tiers["rank"].tolist() == [1, 1]
    assert tiers.tier.tolist() == [1, 1]


def test_systems_without_a_value_are_not_ranked() -> None:
    samples = draw(World(clusters=20, systems=(("a", "", -1), ("b", "", -1))))
    samples.loc[samples.system == "b", "score"] = float("nan")
    tiers = _tiers(samples)
    assert tiers.system.tolist() == ["a"]


def test_coverage_stands_beside_the_rank() -> None:
    samples = draw(World(clusters=20, systems=(("a", "", -1), ("b", "", -1))))
    samples.loc[(samples.system == "b") & (samples.cluster < "p010"), "score"] = float("nan")
    coverage = _tiers(samples).set_index("system").coverage
    assert coverage.to_dict() == {"a": 1.0, "b": 0.5}


@pytest.mark.parametrize("seed", range(20))
def test_stepping_down_rejects_what_adjusted_p_values_reject(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = 400
    difference = rng.normal(size=m) * rng.choice([0, 1, 5], m)
    sources = (
        Source(
            rng.gamma(2, size=m) * rng.choice([0, 0.4], m, p=[0.1, 0.9]), rng.choice([7.0, 53.0], m)
        ),
        Source(rng.choice([0, 0.2], m), rng.choice([1.0, 2.0], m)),
    )
    expected = holm(p_value(difference, sources)) <= 0.05
    assert 0 < expected.sum() < m
    np.testing.assert_array_equal(_rejected(difference, sources, 0.05), expected)


def test_places_are_ranks_that_ties_share() -> None:
    values = np.random.default_rng(0).integers(0, 9, (200, 12)).astype(float)
    expected = rankdata(-values, method="min", axis=1).T
    np.testing.assert_array_equal(_places(values), expected)
