"""What is claimed about arms, and above all what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.fairness import Analysis, MetricInfo, analyse
from benchmark.fairness.sources import Source, margin, over_repetitions, p_value

from .worlds import ARMS, ERROR, FOUND, LIGHT, QUICK, SCORE, TONE, World, draw

COMPARISONS = [("curve", "cals", "matched")]


def run(samples: pd.DataFrame, **changes: object) -> Analysis:
    settings = {
        "metrics": (SCORE, ERROR, FOUND),
        "axes": (TONE, LIGHT),
        "policy": QUICK,
        "comparisons": COMPARISONS,
        "seed": 1,
        **changes,
    }
    return analyse(samples, **settings)  # type: ignore[arg-type]


def effects(
    samples: pd.DataFrame, *, metric: str = "score", axis: str = "tone", **changes: object
) -> pd.DataFrame:
    table = run(samples, **changes).effects
    return table[(table.metric == metric) & (table.axis == axis)].set_index("target")


ARMED = World(clusters=48, systems=ARMS, noise=0.03)


def test_targets_of_every_axis() -> None:
    table = run(draw(replace(ARMED, clusters=12))).effects.query("metric == 'score'")
    targets = table.groupby("axis", sort=False).target.agg(list)
    assert targets[""] == ["overall"]
    assert targets["tone"] == [*TONE.levels, "gap", "range", "v_dc", "worst"]
    assert targets["lighting"] == list(LIGHT.levels)
    assert targets["tone*lighting"][-4:] == ["gap", "range", "v_dc", "worst"]


def test_effects_are_paired_differences() -> None:
    samples = draw(replace(ARMED, gap=0.1, arm_effect_dark=0.05))
    found = effects(samples)
    wide = samples.pivot_table(index=["seed", "sample", "tone"], columns="arm", values="score")
    mean = (wide["cals"] - wide["matched"]).groupby("tone").mean()
    for tone in TONE.levels:
        assert found.effect[tone] == pytest.approx(mean[tone])
    rest = mean[["light", "medium"]].mean()
    assert found.effect["gap"] == pytest.approx(rest - mean["dark"])
    arms = samples.groupby(["arm", "tone"]).score.mean().unstack()
    ranges = arms.max(axis=1) - arms.min(axis=1)
    assert found.effect["range"] == pytest.approx(ranges["cals"] - ranges["matched"])
    lowest = arms.min(axis=1)
    assert found.effect["worst"] == pytest.approx(lowest["cals"] - lowest["matched"])


def test_v_dc_effect_is_the_difference_of_the_gap_tables() -> None:
    found = run(draw(replace(ARMED, gap=0.1, arm_effect_dark=0.05)))
    v_dc = found.gaps.query("metric == 'score' and axis == 'tone'").set_index("arm").v_dc
    effect = found.effects.query("metric == 'score' and axis == 'tone' and target == 'v_dc'").effect
    assert effect.item() == pytest.approx(v_dc["cals"] - v_dc["matched"])


@pytest.mark.parametrize("metric", ["score", "error"])
def test_a_planted_improvement_of_the_worst_group_is_found(metric: str) -> None:
    samples = draw(replace(ARMED, gap=0.1, arm_effect_dark=0.06))
    found = effects(samples, metric=metric)
    for target in ("dark", "gap", "worst"):
        assert found.verdict[target] == "better", found.sentence[target]
    assert found.verdict["light"] == "no_evidence"
    assert found.effect["gap"] == pytest.approx(-0.06, abs=0.01)
    assert np.sign(found.effect["dark"]) == (1 if metric == "score" else -1)


def test_a_planted_harm_is_found() -> None:
    found = effects(draw(replace(ARMED, arm_effect=-0.1)))
    assert set(found.verdict[list(TONE.levels)]) == {"worse"}
    assert found.verdict["gap"] == "no_evidence"


def test_levelling_down_is_named_and_no_improvement() -> None:
    samples = draw(replace(ARMED, gap=0.1))
    fall = (samples.arm == "cals") & (samples.tone != "dark")
    samples.loc[fall, "score"] -= 0.06
    found = effects(samples)
    assert found.effect["gap"] < 0
    assert found.verdict["gap"] == "levelled_down"
    assert "levelled down, not an improvement" in found.sentence["gap"]
    assert found.verdict["light"] == "worse"


def test_identical_arms_have_no_effect_and_no_error() -> None:
    samples = draw(World(clusters=30, systems=ARMS[:3]))
    twin = samples.assign(arm="cals")
    found = effects(pd.concat([samples, twin]))
    assert (found.effect == 0).all()
    assert (found.p_value == 1).all()
    assert (found.verdict == "no_evidence").all()


def test_a_rate_that_never_changed_is_not_certain_never_to_change() -> None:
    samples = draw(World(clusters=30, systems=ARMS[:3])).assign(found=1.0)
    found = effects(pd.concat([samples, samples.assign(arm="cals")]), metric="found")
    assert found.effect["dark"] == 0
    assert found.ci_low["dark"] < -0.05


@pytest.mark.parametrize(("seeds", "words"), [(1, "single run: no claim"), (2, "2 runs: no claim")])
def test_few_runs_are_no_claim_however_large_the_effect(seeds: int, words: str) -> None:
    systems = tuple(one for one in ARMS if one[2] < seeds)
    table = run(draw(replace(ARMED, systems=systems, arm_effect=0.5))).effects
    assert set(table.verdict) == {"no_claim"}
    assert table.sentence.str.contains(words).all()
    assert (table.n_seeds == seeds).all()
    assert table.ci_low.notna().all()


def test_seeds_that_only_one_arm_has_are_left_out() -> None:
    samples = draw(ARMED)
    table = run(samples[(samples.arm != "cals") | (samples.seed < 2)]).effects
    assert set(table.n_seeds) == {2}


def failed(samples: pd.DataFrame, where: pd.Series) -> pd.DataFrame:
    """The samples, of which some rows are no outputs."""
    columns = ["score", "error", "found"]
    return samples.assign(
        status=samples.status.mask(where, "training_failed"),
        **{name: samples[name].mask(where) for name in columns},
    )


@pytest.mark.parametrize("broken", [[2], [0, 2]])
def test_a_run_whose_training_failed_is_no_run(broken: list[int]) -> None:
    samples = draw(replace(ARMED, arm_effect=0.5))
    where = (samples.arm == "cals") & samples.seed.isin(broken)
    found, without = run(failed(samples, where)), run(samples[~samples.seed.isin(broken)])
    assert set(found.effects.n_seeds) == {3 - len(broken)}
    assert set(found.effects.verdict) == {"no_claim"}
    # the sentence alone says how many pairs it is about
    pd.testing.assert_frame_equal(
        *(table.effects.drop(columns="sentence") for table in (found, without))
    )


def test_a_group_that_one_run_alone_measured_is_no_claim_and_the_others_keep_theirs() -> None:
    samples = draw(replace(ARMED, arm_effect=0.5))
    where = (samples.tone == "dark") & (samples.seed > 0)
    found = effects(failed(samples, where))
    assert found.n_seeds.to_dict() == {
        **{"light": 3, "medium": 3, "dark": 1},
        **dict.fromkeys(["gap", "range", "v_dc", "worst"], 1),
    }
    assert set(found.verdict[["light", "medium"]]) == {"better"}
    assert set(found.verdict[["dark", "gap", "range", "v_dc", "worst"]]) == {"no_claim"}
    assert "single run: no claim" in found.sentence["dark"]


def test_an_arm_that_was_not_run_is_no_claim() -> None:
    table = run(draw(replace(ARMED, systems=ARMS[:3], clusters=10))).effects
    assert set(table.verdict) == {"no_claim"}
    assert table.effect.isna().all()
    assert table.sentence.str.contains("no paired run").all()


def test_too_few_clusters_are_no_claim() -> None:
    found = effects(draw(replace(ARMED, clusters=6, arm_effect=0.5)))
    assert set(found.verdict) == {"no_claim"}
    assert "6 clusters are too few" in found.sentence["dark"]


def test_what_one_arm_lost_drops_out_of_both_and_is_said() -> None:
    samples = draw(ARMED)
    lost = (samples.arm == "cals") & (samples.cluster < "p012")
    samples.loc[lost, "score"] = np.nan
    found = effects(samples)
    kept = samples[samples.cluster >= "p012"]
    pd.testing.assert_series_equal(found.effect, effects(kept).effect)
    assert "on the 75% of pairs" in found.sentence["dark"]


def test_a_margin_turns_no_evidence_into_evidence_of_no_change() -> None:
    found = effects(draw(ARMED), metrics=[MetricInfo("score", 1, margin=0.2)])
    assert "no change as large as the margin 0.2" in found.sentence["dark"]


def test_sentences_carry_their_numbers() -> None:
    row = effects(draw(replace(ARMED, gap=0.1, arm_effect_dark=0.06))).loc["dark"]
    for part in (
        "score, tone",
        "cals instead of matched",
        "3 runs",
        f"{row.effect:+.3g}",
        "better",
    ):
        assert part in row.sentence


def test_runs_that_scatter_make_the_interval_honest() -> None:
    """Same data but for the scatter between runs: what looks sure must not be."""
    calm = effects(draw(replace(ARMED, arm_effect=0.03)))
    wild = effects(draw(replace(ARMED, arm_effect=0.03, seed_sd=0.05)))
    assert calm.verdict["light"] == "better"
    assert wild.verdict["light"] == "no_evidence"


def _sources(
    r: int, n: int, sd: tuple[float, float, float], tables: int, seed: int
) -> tuple[np.ndarray, tuple[Source, ...]]:
    rng = np.random.default_rng(seed)
    d = (
        rng.normal(0, sd[0], (r, 1, tables))
        + rng.normal(0, sd[1], (1, n, tables))
        + rng.normal(0, sd[2], (r, n, tables))
    )
    return d.mean(axis=(0, 1)), (over_repetitions(d.mean(axis=1)), over_repetitions(d.mean(axis=0)))


@pytest.mark.parametrize(
    "sd", [(0, 1, 0), (0, 1, 1), (0.2, 1, 1), (1, 1, 1), (2, 1, 0.5), (0.2, 0.0, 1)]
)
def test_three_runs_and_48_people_cover_whatever_dominates(sd: tuple[float, float, float]) -> None:
    mean, sources = _sources(3, 48, sd, 3000, 0)
    covered = (np.abs(mean) <= margin(sources, 0.05)).mean()
    assert covered >= 0.94
    assert (p_value(mean, sources) <= 0.05).mean() == pytest.approx(1 - covered, abs=1e-12)


def test_the_whole_engine_covers_with_three_runs() -> None:
    """200 null comparisons, every metric column another world, through the public door."""
    rng, people, worlds = np.random.default_rng(0), 24, 200
    base = draw(World(clusters=people, views=1, systems=ARMS))
    base = base[base.lighting == "bright"].reset_index(drop=True)
    person = pd.factorize(base.cluster)[0]
    run_of = pd.factorize(base.arm + base.seed.astype(str))[0]
    names = [f"m{i}" for i in range(worlds)]
    values = rng.normal(size=(people, worlds))[person] + rng.normal(0, 0.3, (6, worlds))[run_of]
    is_arm = (base.arm == "cals").to_numpy()[:, None]
    values += is_arm * rng.normal(0, 0.5, size=(people, worlds))[person]
    values += rng.normal(0, 0.3, size=values.shape)
    samples = base.drop(columns=["score", "error", "found"]).join(
        pd.DataFrame(values, columns=names)
    )
    few = replace(QUICK, bootstrap=99, permutations=99)
    infos = [MetricInfo(name, 1) for name in names]
    table = run(samples, metrics=infos, axes=[TONE], policy=few).effects
    rows = table[table.target.isin(["overall", "dark", "gap"])]
    # the planted person effect of the arm is what the mean over these very people hides: test
    # against 0, the mean over all people
    covered = ((rows.ci_low <= 0) & (rows.ci_high >= 0)).groupby(rows.target).mean()
    assert (covered >= 0.93).all(), covered


def test_p_value_of_one_source_is_that_of_the_t_test() -> None:
    x = np.random.default_rng(0).normal(0.3, 1, size=(12, 5))
    found = p_value(x.mean(axis=0), (over_repetitions(x),))
    np.testing.assert_allclose(found, stats.ttest_1samp(x, 0).pvalue, rtol=1e-6)


def test_degenerate_sources() -> None:
    nothing = Source(np.zeros(3), np.ones(3))
    np.testing.assert_array_equal(
        p_value(np.array([0.0, 1.0, np.nan]), (nothing,)), [1.0, 0.0, np.nan]
    )
    assert over_repetitions(np.ones((1, 4))).se.tolist() == [0, 0, 0, 0]
