"""The gate's tests against scipy and by hand, its verdicts at the margins, its error rates."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from benchmark.fairness.adjust import holm
from benchmark.fairness.arms import Paired
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import partition
from benchmark.fairness.gate import Losses, adjusted, deciding_n, losses, verdicts, worst_bound
from benchmark.fairness.gate_rates import (
    LARGEST_FALSE_BLOCKS,
    SMALLEST_DETECTION,
    Rates,
    World,
    simulate,
)
from benchmark.fairness.model import MetricInfo
from benchmark.fairness.moments import moments
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Layout
from benchmark.spec.gate import GatePolicy, Margin

NAMES = ("a", "b", "c")
POLICY = GatePolicy(
    format=1,
    metrics={"psnr": Margin(harm=0.1, non_inferior=0.3), "gmsd": Margin(harm=0.1, non_inferior=1)},
    axes=["group"],
    replicates=400,
)


def compare(
    before: Floats,
    after: Floats,
    *,
    metric: str = "psnr",
    direction: int = 1,
    kind: str = "value",
    crossed: bool = False,
    policy: GatePolicy = POLICY,
) -> Losses:
    """One metric of ``[K, n]`` clusters in three groups."""
    k, n = before.shape
    groups = np.repeat(np.arange(k), n)
    clusters = np.tile(np.arange(n), k) if crossed else np.arange(k * n)
    parts = partition(groups, clusters, NAMES[:k])
    # cells are sorted by cluster, then group
    order = np.lexsort((groups, clusters))
    one, two = (x.ravel()[order][:, None, None] for x in (before, after))
    ones = np.isfinite(one + two).astype(float)
    data = Paired((-1,), np.nan_to_num(two) * ones, np.nan_to_num(one) * ones, ones, np.ones(1))
    layout = Layout(
        "group",
        "sensitive",
        NAMES[:k],
        np.arange(k),
        np.zeros(k, dtype=np.int64),
        ("",),
        np.ones(k, dtype=bool),
    )
    info = MetricInfo(metric, direction, kind=kind)  # type: ignore[arg-type]
    return losses(layout, Bootstrap(parts, 0, policy.replicates), data, [info], policy)


def said(found: Losses, policy: GatePolicy = POLICY) -> dict[str, str]:
    return {
        target: row[0]
        for target, row in zip(
            found.targets, verdicts(found, adjusted(found.p, found.kinds), policy), strict=True
        )
    }


@pytest.fixture
def world() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(3)
    before = 20 + rng.normal(size=(3, 40)) * 3 + np.array([[0.0], [-1.0], [1.0]])
    return before, before + rng.normal(size=before.shape) * 0.3


def test_a_group_is_tested_by_the_paired_t_test_against_the_margin(
    world: tuple[Floats, Floats],
) -> None:
    before, after = world
    after[1] -= 0.25
    found = compare(before, after)
    for group in range(3):
        d = after[group] - before[group]
        expected = stats.ttest_1samp(d, -0.1, alternative="less")
        assert found.p[group, 0] == pytest.approx(expected.pvalue, rel=1e-6)
        reach = stats.t.isf(0.05, 39) * d.std(ddof=1) / 40**0.5
        assert found.high[group, 0] == pytest.approx(-d.mean() + reach)
        assert found.sd[group, 0] == pytest.approx(d.std(ddof=1))


def test_the_pinned_contrast_is_a_difference_in_differences(world: tuple[Floats, Floats]) -> None:
    before, after = world
    after[1] -= 0.7  # b is the baseline's worst group, and stays it
    found = compare(before, after)
    d = after - before
    expected = d[[0, 2]].mean(axis=1).mean() - d[1].mean()
    row = found.kinds.index("gap")
    assert found.loss[row, 0] == pytest.approx(expected)
    se = np.sqrt(sum((w**2) * d[g].var(ddof=1) / 40 for g, w in enumerate((0.5, 1.0, 0.5))))
    assert found.sd[row, 0] == pytest.approx(se * 40**0.5)
    assert said(found)["gap"] == said(found)["b"] == "fail"


def test_people_who_are_in_every_group_are_compared_with_themselves(
    world: tuple[Floats, Floats],
) -> None:
    before, after = world
    found = compare(before, after, crossed=True)
    d = after - before
    contrast = (d[0] + d[2]) / 2 - d[1]
    row = found.kinds.index("gap")
    assert found.sd[row, 0] == pytest.approx(contrast.std(ddof=1))


def test_lower_is_better_turns_harm_around(world: tuple[Floats, Floats]) -> None:
    before, after = world
    up = compare(before, after + 0.5, metric="gmsd", direction=-1)
    down = compare(before, after - 0.5, metric="gmsd", direction=-1)
    assert said(up)["a"] == "fail"
    assert said(down)["a"] == "pass"
    assert up.loss[0, 0] == pytest.approx((after - before)[0].mean() + 0.5)


def test_three_verdicts(world: tuple[Floats, Floats]) -> None:
    before, _ = world
    wobble = np.resize([0.4, -0.4], 40)
    quiet = before + 0.05 * wobble
    assert set(said(compare(before, quiet)).values()) == {"pass"}
    noisy = before.copy()
    noisy[2] += 10 * wobble
    assert said(compare(before, noisy))["c"] == "inconclusive"
    lost = quiet.copy()
    lost[2] -= 0.5
    assert said(compare(before, lost))["c"] == "fail"


def test_a_loss_without_scatter_is_certain(world: tuple[Floats, Floats]) -> None:
    before, _ = world
    assert said(compare(before, before)) == dict.fromkeys(
        ("a", "b", "c", "gap", "v_dc", "levelled_down"), "pass"
    )
    assert said(compare(before, before - 0.2))["a"] == "fail"
    assert said(compare(before, before - 0.05))["a"] == "pass"


def test_levelled_down_is_named_even_within_the_margins(world: tuple[Floats, Floats]) -> None:
    before, after = world
    best, worst = before.mean(axis=1).argmax(), before.mean(axis=1).argmin()
    after = before + (after - before - (after - before).mean(axis=1, keepdims=True)) / 3
    after[best] -= 0.12  # less than it could be blocked for with certainty
    found = compare(before, after)
    assert said(found)["levelled_down"] == "fail"
    assert {said(found)[NAMES[best]], said(found)["gap"]} == {"pass"}
    raised = after.copy()
    raised[worst] += 0.5
    assert said(compare(before, raised))["levelled_down"] == "pass"


def test_a_rearrangement_that_the_pinned_contrast_misses_is_seen_by_v_dc() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(size=(3, 60)) * 0.1 + np.array([[20.0], [19.9], [20.1]])
    after = before + np.array([[-2.0], [0.0], [2.0]])  # b still 0 behind the mean of the others
    found = compare(before, after)
    assert found.loss[found.kinds.index("gap"), 0] == pytest.approx(0, abs=1e-9)
    assert said(found)["v_dc"] == "fail"
    assert said(found)["gap"] == "pass"


def test_a_rate_without_a_single_flip_is_not_certain() -> None:
    before = np.zeros((2, 12))
    before[:, :6] = 1
    policy = POLICY.model_copy(update={"metrics": {"hit": Margin(harm=0.02, non_inferior=0.1)}})
    found = compare(before, before, metric="hit", kind="rate", policy=policy)
    assert found.sd[0, 0] == pytest.approx(12**0.5 / 14)
    assert said(found, policy)["a"] == "inconclusive"


def test_a_group_below_the_smallest_size_is_never_judged(world: tuple[Floats, Floats]) -> None:
    before, after = (x[:, :7] for x in world)
    found = compare(before, after - 5)
    assert np.isnan(found.p).all()
    assert set(said(found).values()) == {"inconclusive"}


def test_missing_pairs_drop_out_of_both(world: tuple[Floats, Floats]) -> None:
    before, after = world
    after[0, :5] = np.nan
    found = compare(before, after)
    assert found.n[0, 0] == 35
    assert found.before[0, 0] == pytest.approx(before[0, 5:].mean())


def test_groups_and_what_lies_between_them_are_two_families(world: tuple[Floats, Floats]) -> None:
    found = compare(*world)
    one = adjusted(found.p, found.kinds)
    np.testing.assert_allclose(one[:3, 0], holm(found.p[:3, 0]))
    np.testing.assert_allclose(one[3:, 0], holm(found.p[3:, 0]))
    two = adjusted(np.repeat(found.p, 2, axis=1), found.kinds)
    np.testing.assert_allclose(two[:3].ravel(), holm(np.repeat(found.p[:3, 0], 2)))


def test_the_number_that_would_decide() -> None:
    needed = deciding_n(loss=0.0, sd=0.5, harm=0.1, allowed=0.2, n=20, policy=POLICY)
    assert needed == 54  # metrics specification, fact 10
    lucky = deciding_n(loss=-0.3, sd=0.5, harm=0.1, allowed=0.2, n=20, policy=POLICY)
    assert lucky == needed
    assert deciding_n(loss=0.2, sd=0.5, harm=0.2, allowed=0.2, n=20, policy=POLICY) == 0
    assert deciding_n(loss=0.6, sd=0.5, harm=0.1, allowed=0.2, n=8, policy=POLICY) == 9
    assert deciding_n(loss=np.nan, sd=0.5, harm=0.1, allowed=0.2, n=8, policy=POLICY) == 0


def test_floors_look_at_the_worst_bound() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(90, 1))
    parts = partition(np.repeat(np.arange(3), 30), np.arange(90), NAMES)
    values[parts.cell_group == 2] -= 2
    found = moments(parts, values)
    group, bound = worst_bound(found, MetricInfo("x", 1), 0, np.full(3, 30.0), POLICY) or (0, 0.0)
    mine = values[parts.cell_group == 2, 0]
    expected = mine.mean() - stats.t.isf(0.05, 29) * mine.std(ddof=1) / 30**0.5
    assert (group, bound) == (2, pytest.approx(expected))
    small = replace(found, n=np.full((3, 1), 7.0))
    assert worst_bound(small, MetricInfo("x", 1), 0, np.full(3, 7.0), POLICY) is None


def test_margins_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="at least harm"):
        Margin(harm=0.2, non_inferior=0.1)


@pytest.mark.parametrize("design", ["nested", "crossed"])
def test_error_rates_are_those_promised(design: str) -> None:
    world = World(groups=7 if design == "nested" else 3, design=design)  # type: ignore[arg-type]
    same = simulate(world, loss=0.0, pairs=1000, replicates=199)
    # the promise must not be refuted: the exact rate is what benchmarks/gate.py measures
    assert same.blocked_interval[0] <= LARGEST_FALSE_BLOCKS
    assert same.blocked <= 2 * LARGEST_FALSE_BLOCKS
    worse = simulate(world, loss=0.5, pairs=1000, replicates=199)
    assert worse.blocked >= SMALLEST_DETECTION
    # what thresholds without statistics would do of the same pairs
    assert same.by_mean > 0.3
    assert same.by_gap > 0.1


def test_the_command_keeps_its_promises_and_says_when_it_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "gate.py"
    specification = importlib.util.spec_from_file_location("gate_benchmark", path)
    assert specification is not None
    assert specification.loader is not None
    command = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "gate_benchmark", command)
    specification.loader.exec_module(command)
    monkeypatch.setattr(command, "LINES", command.LINES[:1])
    monkeypatch.setattr(sys, "argv", ["gate.py", "--pairs", "100"])
    assert command.main() == 0
    assert "kept" in capsys.readouterr().out
    always = Rates(100, 1.0, (0.96, 1.0), 0.0)
    monkeypatch.setattr(command, "simulate", lambda *_, **__: always)
    assert command.main() == 1
    assert "BROKEN" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_rates() -> None:
    world = World(groups=3, clusters=12, rate=0.7)
    margin = Margin(harm=0.02, non_inferior=0.1)
    one, two = (simulate(world, loss=0.2, margin=margin, pairs=60, replicates=99) for _ in "ab")
    assert one == two
    assert one.blocked > 0
