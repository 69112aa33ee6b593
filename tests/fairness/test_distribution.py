"""Distance of every group from its references, and what two networks make of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.fairness import Policy
from benchmark.fairness.distribution import (
    DISTRIBUTION_COLUMNS,
    PARITY_COLUMNS,
    distribution,
    parity,
)
from tests.fairness.test_kernel import shifted_gaussians

LEVELS = ("light", "medium", "dark")
QUICK = Policy(bootstrap=499, permutations=99)
Floats = NDArray[np.float64]


def twins(people: int = 50, views: int = 2) -> pd.DataFrame:
    rows = [(f"p{c:03d}", t, v) for c in range(people) for t in LEVELS for v in range(views)]
    frame = pd.DataFrame(rows, columns=["cluster", "tone", "view"])
    return frame.assign(sample=[f"{c}-{t}-{v}" for c, t, v in rows])


def measure(
    samples: pd.DataFrame,
    systems: Mapping[str, Floats],
    originals: Floats,
    *,
    net: str = "one",
    aware: bool = True,
) -> pd.DataFrame:
    return distribution(
        samples,
        {(name, "", -1): features for name, features in systems.items()},
        originals,
        axis="tone",
        levels=LEVELS,
        net=net,
        attribute_aware=aware,
        policy=QUICK,
        seed=3,
    )


@pytest.fixture(name="world")
def _world() -> tuple[pd.DataFrame, Floats, Floats]:
    """Samples, features of references, and of outputs that are off for the dark group."""
    samples, rng = twins(), np.random.default_rng(0)
    x = rng.normal(size=(len(samples), 32))
    off = 0.3 * (samples["tone"] == "dark").to_numpy()[:, None]
    return samples, x, x + off + 0.3 * rng.normal(size=x.shape)


def test_the_group_that_was_moved_is_the_worst(world: tuple[pd.DataFrame, Floats, Floats]) -> None:
    samples, x, y = world
    found = measure(samples, {"s": y, "oracle": x.copy()}, x)
    assert tuple(found.columns) == DISTRIBUTION_COLUMNS
    s = found[found["system"] == "s"].set_index("group")
    assert s["kid"].idxmax() == "dark"
    assert s.loc["dark", "ci_low"] > s.loc["light", "ci_high"]
    assert (s["ci_low"] <= s["kid"]).all()
    assert (s["kid"] <= s["ci_high"]).all()
    assert (s["n"] == 100).all()
    oracle = found[found["system"] == "oracle"]
    assert (oracle[["precision", "recall"]] == 1).all(axis=None)
    assert (oracle[["kid", "se", "ci_low", "ci_high"]] == 0).all(axis=None)


def test_two_networks_agree_or_are_flagged(world: tuple[pd.DataFrame, Floats, Floats]) -> None:
    samples, x, y = world
    one = measure(samples, {"s": y, "oracle": x.copy()}, x)
    same = measure(samples, {"s": y, "oracle": x.copy()}, x, net="two", aware=False)
    light = 0.4 * (samples["tone"] == "light").to_numpy()[:, None]
    other = measure(samples, {"s": x + light, "oracle": x.copy()}, x, net="two", aware=False)
    agree = parity([one, same])
    assert tuple(agree.columns) == PARITY_COLUMNS
    assert not agree["disagreement"].any()
    s = agree[agree["system"] == "s"]
    assert (s["worst_group"] == "dark").all()
    assert (s["v_dc"] > 0).all()
    assert (s["reason"] == "").all()
    odd = parity([one, other]).set_index(["system", "features"])
    assert odd.loc["s", "disagreement"].all()
    assert odd.loc[("s", "two"), "worst_group"] == "light"
    assert not odd.loc["oracle", "disagreement"].any()
    assert (odd.loc["oracle", "gap"] == 0).all()


def test_a_gap_of_noise_is_called_so() -> None:
    samples, rng, excess = twins(), np.random.default_rng(2), []
    for _ in range(20):
        x = rng.normal(size=(len(samples), 16))
        found = parity([measure(samples, {"s": x + 0.5 * rng.normal(size=x.shape)}, x)])
        assert found["gap"].iloc[0] > 0
        excess.append(found["v_dc"].iloc[0])
        assert (found["v_dc"].iloc[0] > 0) or found["reason"].iloc[0] == "gap within noise"
    assert np.mean(np.array(excess) > 0) < 0.3


def test_what_is_missing_is_said(world: tuple[pd.DataFrame, Floats, Floats]) -> None:
    samples, x, y = world
    y = y.copy()
    y[(samples["tone"] == "medium").to_numpy().nonzero()[0][:3]] = np.nan
    found = measure(samples, {"s": y}, x).set_index("group")
    assert found.loc["medium", "reason"] == "insufficient data: 97 images, 100 needed"
    assert found.loc["medium", "coverage"] == pytest.approx(0.97)
    assert np.isnan(found.loc["medium", "kid"])
    row = parity([measure(samples, {"s": y}, x, aware=False)]).iloc[0]
    assert row["reason"] == "left out: medium"
    assert row["worst_group"] == "dark"
    alone = measure(samples[samples["tone"] == "dark"], {"s": y[100:200]}, x[100:200])
    assert alone.set_index("group").loc["light", "reason"] == "empty"
    row = parity([alone]).iloc[0]
    assert row["reason"].startswith("single group")
    assert row["worst_group"] == ""
    assert parity([measure(samples, {"s": x + 1}, x)]).iloc[0]["reason"] != ""


def test_one_network_is_not_enough(world: tuple[pd.DataFrame, Floats, Floats]) -> None:
    samples, x, y = world
    one = measure(samples, {"s": y}, x)
    assert parity([one]).iloc[0]["reason"] == "one network only"
    blind = [measure(samples, {"s": y}, x, net=net, aware=False) for net in ("one", "two")]
    assert (parity(blind)["reason"] == "no network knows the attribute").all()


def test_few_people_are_not_many_images() -> None:
    samples, rng = twins(people=5, views=20), np.random.default_rng(0)
    x = rng.normal(size=(300, 8))
    found = measure(samples, {"s": x + 1}, x)
    assert (found["reason"] == "insufficient data: 5 clusters, 8 needed").all()


def test_rows_may_come_in_any_order(world: tuple[pd.DataFrame, Floats, Floats]) -> None:
    samples, x, y = world
    order = np.random.default_rng(1).permutation(len(x))
    first = measure(samples, {"s": y}, x)
    second = measure(samples.iloc[order].reset_index(drop=True), {"s": y[order]}, x[order])
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    with pytest.raises(DataError, match="300 samples"):
        measure(samples, {"s": y[:9]}, x)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_intervals_cover(shift: float) -> None:
    """Pairs that resemble each other, two views a person; nominal 95 %."""
    rng, d, inside, trials = np.random.default_rng(9), 32, 0, 400
    frame = pd.DataFrame({"cluster": [f"p{i // 2:03d}" for i in range(100)], "tone": "dark"})
    frame["sample"] = [f"{i:03d}" for i in range(100)]
    truth = shifted_gaussians(shift, d)
    for _ in range(trials):
        person = np.repeat(rng.normal(size=(50, d)), 2, axis=0)
        x = np.sqrt(0.5) * (person + rng.normal(size=person.shape))
        y = shift + np.sqrt(0.8) * x + np.sqrt(0.2) * rng.normal(size=x.shape)
        row = measure(frame, {"s": y}, x).set_index("group").loc["dark"]
        inside += int(row["ci_low"] <= truth <= row["ci_high"])
    assert inside / trials >= 0.93
