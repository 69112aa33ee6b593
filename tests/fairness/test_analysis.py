"""From a samples table to verdicts: planted truths, an independent oracle, and every odd case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame

from benchmark.errors import DataError, SpecError
from benchmark.fairness import Analysis, AxisInfo, MetricInfo, Policy, analyse, metric_frame

from .worlds import ARMS, ERROR, FOUND, LIGHT, QUICK, SCORE, TONE, World, draw

METRICS = (SCORE, ERROR, FOUND)
TABLES = ("groups", "gaps", "effects", "tiers", "pairs", "strata")
CROSSING = "tone*lighting"
FAST = replace(QUICK, bootstrap=199, permutations=199)


def run(samples: pd.DataFrame, **changes: object) -> Analysis:
    settings = {"metrics": METRICS, "axes": (TONE, LIGHT), "policy": QUICK, "seed": 1, **changes}
    return analyse(samples, **settings)  # type: ignore[arg-type]


def pick(table: pd.DataFrame, **values: object) -> pd.Series:
    """The one row of ``table`` with these values."""
    use = np.logical_and.reduce([table[name] == value for name, value in values.items()])
    assert use.sum() == 1, values
    return table[use].iloc[0]


def test_columns_are_those_of_the_contract() -> None:
    found = run(draw(World(clusters=12)))
    columns = {name: " ".join(getattr(found, name)) for name in TABLES}
    assert columns["groups"] == (
        "system arm metric axis group n_items n_clusters mean ci_low ci_high ci_method sd p10 "
        "failures coverage size_class worst_frequency mde"
    )
    assert columns["gaps"] == (
        "system arm metric axis best_group worst_group gap ci_low ci_high null_mean null_p95 "
        "excess p_value p_holm family_size v_dc v_dc_low v_dc_high sd_dc noise_share cochran_q "
        "cochran_p gap_to_overall ratio worst_frequency mde verdict reason"
    )
    assert columns["effects"] == (
        "system metric axis target arm baseline n_seeds effect ci_low ci_high p_value p_holm "
        "family_size verdict sentence"
    )
    assert found.effects.empty


def test_every_group_of_every_axis_and_crossing_has_a_row() -> None:
    groups = run(draw(World(clusters=12))).groups
    per_axis = groups[groups.metric == "score"].groupby("axis", sort=False).group.agg(list)
    assert per_axis[""] == [""]
    assert per_axis["tone"] == list(TONE.levels)
    assert per_axis[CROSSING] == [f"{t}*{i}" for t in TONE.levels for i in LIGHT.levels]


@pytest.mark.parametrize("nested", [True, False])
def test_means_and_gaps_are_those_of_fairlearn(nested: bool) -> None:
    """Every cluster has equally many images, so means over clusters and over images agree."""
    samples = draw(World(clusters=36, nested=nested, gap=0.1))
    oracle = MetricFrame(
        metrics=lambda y_true, y_pred: float(np.mean(y_pred)),
        y_true=samples["score"],
        y_pred=samples["score"],
        sensitive_features=samples["tone"],
    )
    found = run(samples)
    means = found.groups.query("metric == 'score' and axis == 'tone'").set_index("group")["mean"]
    for tone in TONE.levels:
        assert means[tone] == pytest.approx(oracle.by_group[tone])
    gap = pick(found.gaps, metric="score", axis="tone")
    assert gap.gap == pytest.approx(oracle.difference())
    assert gap.worst_group == oracle.by_group.idxmin()
    rate = MetricFrame(
        metrics=lambda y_true, y_pred: float(np.mean(y_pred)),
        y_true=samples["found"],
        y_pred=samples["found"],
        sensitive_features=samples["tone"],
    )
    assert pick(found.gaps, metric="found", axis="tone").ratio == pytest.approx(rate.ratio())


def test_a_person_with_many_images_weighs_as_much_as_one_with_few() -> None:
    samples = draw(World(clusters=12))
    many = samples[samples.cluster == "p003"]
    copies = [many.assign(sample=many["sample"] + f"-copy{i}") for i in range(20)]
    more = run(pd.concat([samples, *copies]))
    once = run(samples)
    np.testing.assert_allclose(more.groups["mean"], once.groups["mean"])


@pytest.mark.parametrize("nested", [True, False])
def test_a_planted_gap_is_found_and_its_group_named(nested: bool) -> None:
    gaps = run(draw(World(clusters=90, nested=nested, gap=0.12))).gaps
    for metric in ("score", "error"):
        row = pick(gaps, metric=metric, axis="tone")
        assert row.verdict == "gap"
        assert row.worst_group == "dark"
        assert row.worst_frequency > 0.95
        assert row.ci_low < 0.12 < row.ci_high
        assert row.gap > row.null_p95
        assert row.p_holm <= 0.05
        assert row.sd_dc == pytest.approx(0.12 / np.sqrt(3), rel=0.35)


def test_pairing_by_person_finds_a_gap_that_strangers_would_hide() -> None:
    crossed = pick(run(draw(World(clusters=30, gap=0.03))).gaps, metric="score", axis="tone")
    nested = run(draw(World(clusters=90, nested=True, gap=0.03)))
    assert crossed.verdict == "gap"
    row = pick(nested.gaps, metric="score", axis="tone")
    assert row.verdict == "no_evidence"
    assert "could go unnoticed" in row.reason
    assert row.mde > 0.03


@pytest.mark.parametrize("nested", [True, False])
def test_no_gap_is_claimed_where_none_is(nested: bool) -> None:
    """20 worlds x 3 metrics: at 5 % per family hardly more than three false alarms."""
    alarms = 0
    for seed in range(20):
        world = World(clusters=30, nested=nested, seed=seed)
        gaps = run(draw(world), metrics=METRICS[1:], axes=[TONE], policy=FAST).gaps
        alarms += bool((gaps[gaps.axis == "tone"].verdict == "gap").any())
    assert alarms <= 4


def test_the_context_itself_is_no_gap_of_a_crossing() -> None:
    gaps = run(draw(World(clusters=36, dim=0.3))).gaps
    assert pick(gaps, metric="score", axis="lighting").verdict == "gap"
    row = pick(gaps, metric="score", axis=CROSSING)
    assert row.verdict == "no_evidence"
    assert row.gap < 0.1
    assert row.best_group.split("*")[1] == row.worst_group.split("*")[1]


def test_direction_turns_worst_around_and_nothing_else() -> None:
    gaps = run(draw(World(clusters=36, gap=0.1))).gaps
    up, down = (pick(gaps, metric=m, axis="tone") for m in ("score", "error"))
    for name in ("worst_group", "best_group", "p_value", "verdict", "worst_frequency"):
        assert up[name] == down[name]
    for name in ("gap", "ci_low", "ci_high", "null_mean", "v_dc", "mde", "cochran_q"):
        assert up[name] == pytest.approx(down[name])


def test_the_same_bytes_for_any_order_of_rows() -> None:
    samples = draw(World(clusters=15, systems=(("input", "", -1), *ARMS)))
    comparisons = [("curve", "cals", "matched")]
    one = run(samples, comparisons=comparisons)
    two = run(samples.sample(frac=1, random_state=0), comparisons=comparisons)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name), check_exact=True)


def test_a_system_has_the_same_numbers_whoever_is_beside_it() -> None:
    alone = draw(World(clusters=15))
    beside = pd.concat([alone, alone.assign(system="twin", score=0.5)])
    one, two = run(alone), run(beside)
    for name in ("groups", "gaps", "pairs", "strata"):
        mine = getattr(two, name).query("system == 'input'").reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(one, name), mine, rtol=1e-10, atol=1e-12)


def test_another_seed_moves_the_draws_but_not_the_estimates() -> None:
    samples = draw(World(clusters=15))
    one, two = run(samples), run(samples, seed=2)
    assert (one.gaps.p_value != two.gaps.p_value).any()
    np.testing.assert_array_equal(one.groups["mean"], two.groups["mean"])


def test_failures_lower_coverage_and_never_become_values() -> None:
    samples = draw(World(clusters=36))
    lost = (samples.tone == "dark") & (samples.cluster < "p004")
    samples.loc[lost, "status"] = "missing_output"
    samples.loc[lost, "score"] = 0.0
    found = run(samples)
    dark = pick(found.groups, metric="score", axis="tone", group="dark")
    assert dark.failures == lost.sum()
    assert dark.coverage == pytest.approx(1 - 4 / 36)
    assert dark.n_clusters == 32
    use = (samples.tone == "dark") & ~lost
    assert dark["mean"] == pytest.approx(samples[use].groupby("cluster").score.mean().mean())
    row = pick(found.gaps, metric="score", axis="tone")
    assert row.verdict == "unequal_coverage"
    assert "89% of dark but 100% of" in row.reason
    assert (
        pick(
            run(samples, policy=replace(QUICK, max_coverage_gap=0.2)).gaps,
            metric="score",
            axis="tone",
        ).verdict
        == "no_evidence"
    )


def test_a_group_that_was_never_measured_is_not_forgotten() -> None:
    """All dark faces undetected: two groups remain, and calling them fair would be a scandal."""
    samples = draw(World(clusters=36))
    samples.loc[samples.tone == "dark", "score"] = np.nan
    found = run(samples)
    row = pick(found.gaps, metric="score", axis="tone")
    assert row.verdict == "unequal_coverage"
    assert "0% of dark" in row.reason
    dark = pick(found.groups, metric="score", axis="tone", group="dark")
    assert (dark.size_class, dark.coverage, dark.failures) == ("empty", 0, 0)
    assert np.isnan(dark["mean"])


def test_infinite_values_are_missing_values() -> None:
    samples = draw(World(clusters=12))
    samples.loc[samples.index[0], "score"] = np.inf
    everybody = pick(run(samples).groups, metric="score", axis="")
    assert np.isfinite(everybody["mean"])
    assert everybody.coverage < 1


@pytest.mark.parametrize(
    ("clusters", "size_class"), [(7, "insufficient"), (8, "small"), (29, "small"), (30, "full")]
)
def test_size_classes(clusters: int, size_class: str) -> None:
    found = run(draw(World(clusters=clusters)))
    assert set(found.groups.query("axis == 'tone'").size_class) == {size_class}
    verdicts = set(found.gaps.query("axis == 'tone'").verdict)
    assert (verdicts == {"insufficient"}) == (size_class == "insufficient")


def test_an_insufficient_group_is_shown_but_is_never_the_worst() -> None:
    samples = draw(World(clusters=36, gap=0.3))
    samples = samples[(samples.tone != "dark") | (samples.cluster < "p005")]
    found = run(samples)
    dark = pick(found.groups, metric="score", axis="tone", group="dark")
    assert (dark.size_class, dark.n_clusters) == ("insufficient", 5)
    assert np.isfinite(dark["mean"])
    assert np.isnan(dark.worst_frequency)
    assert pick(found.gaps, metric="score", axis="tone").worst_group != "dark"


def test_a_small_worst_group_is_tentative() -> None:
    samples = draw(World(clusters=40, gap=0.2))
    samples = samples[(samples.tone != "dark") | (samples.cluster < "p012")]
    row = pick(run(samples).gaps, metric="score", axis="tone")
    assert row.worst_group == "dark"
    assert "worst group tentative: dark is small (12 clusters)" in row.reason


def test_an_uncertain_worst_group_is_tentative() -> None:
    samples = draw(World(clusters=60, seed=2))
    samples["letter"] = list("abcdefghij" * (len(samples) // 10))
    found = run(samples, axes=[AxisInfo("letter", "sensitive")])
    row = pick(found.gaps, metric="score", axis="letter")
    assert row.worst_frequency < 0.5
    share = f"{row.worst_frequency:.0%} of replicates"
    assert f"worst group tentative: {row.worst_group} is it in {share}" in row.reason
    letters = found.groups.query("metric == 'score' and axis == 'letter'")
    assert letters.worst_frequency.sum() == pytest.approx(1)
    assert letters.worst_frequency.max() == row.worst_frequency


def test_one_group_is_no_comparison() -> None:
    samples = draw(World(clusters=12))
    row = pick(run(samples[samples.tone == "dark"]).gaps, metric="score", axis="tone")
    assert row.verdict == "single_group"
    for name in ("gap", "v_dc", "p_value", "ratio", "gap_to_overall", "worst_frequency", "mde"):
        assert np.isnan(row[name])
    assert row.family_size == 0


def test_declared_levels_without_samples_are_empty_rows() -> None:
    tone = AxisInfo("tone", "sensitive", ("light", "medium", "dark", "albino"))
    row = pick(
        run(draw(World(clusters=12)), axes=[tone]).groups,
        metric="score",
        axis="tone",
        group="albino",
    )
    assert (row.size_class, row.n_items, row.n_clusters) == ("empty", 0, 0)
    assert np.isnan(row.coverage)


def test_unknown_and_excluded_levels_are_shown_but_not_compared() -> None:
    samples = draw(World(clusters=36))
    samples.loc[samples.cluster < "p010", "tone"] = "green"
    samples.loc[samples.cluster.between("p010", "p019"), "tone"] = None
    samples.loc[samples.tone.isin(["green"]) | samples.tone.isna(), "score"] = -5
    tone = replace(TONE, excluded=("medium",))
    found = run(samples, axes=[tone])
    rows = found.groups.query("metric == 'score' and axis == 'tone'")
    assert list(rows.group) == ["light", "medium", "dark", "green", "unknown"]
    assert rows["mean"].notna().all()
    row = pick(found.gaps, metric="score", axis="tone")
    assert {row.best_group, row.worst_group} == {"light", "dark"}


def test_a_metric_that_is_nowhere_defined_is_insufficient() -> None:
    samples = draw(World(clusters=12)).assign(score=np.nan)
    found = run(samples)
    assert set(found.groups.query("metric == 'score'").size_class) == {"empty"}
    row = pick(found.gaps, metric="score", axis="tone")
    assert row.verdict == "insufficient"
    assert np.isnan(row.gap)


def test_identical_values_are_no_gap_and_no_error() -> None:
    found = run(draw(World(clusters=36)).assign(score=0.7, error=0.1, found=1.0))
    row = pick(found.gaps, metric="score", axis="tone")
    assert (row.gap, row.p_value, row.v_dc, row.verdict) == (0, 1, 0, "no_evidence")
    assert row.worst_frequency == pytest.approx(1 / 3)
    everybody = pick(found.groups, metric="found", axis="")
    assert everybody["mean"] == 1
    assert everybody.ci_low < 1 == everybody.ci_high


def test_one_cluster_a_group() -> None:
    found = run(draw(World(clusters=1)))
    assert set(found.gaps.verdict) == {"insufficient"}
    assert set(found.groups.query("metric == 'score'").ci_method) == {"none"}


def test_no_rows_at_all() -> None:
    found = run(draw(World(clusters=12)).iloc[:0])
    assert all(getattr(found, name).empty for name in TABLES)


def test_family_sizes_count_the_tests_of_one_system_family_and_kind_of_axis() -> None:
    samples = draw(World(clusters=12, systems=(("a", "", -1), ("b", "", -1))))
    tone_two = replace(TONE, name="tone_two")
    found = run(
        samples.assign(tone_two=samples.tone),
        metrics=[SCORE, ERROR, replace(FOUND, family="detection")],
        axes=[TONE, tone_two, LIGHT],
    )
    sizes = found.gaps.query("system == 'a'").set_index(["metric", "axis"]).family_size
    assert sizes["score", "tone"] == 4
    assert sizes["found", "tone"] == 2
    assert sizes["score", "lighting"] == 2
    assert sizes["found", CROSSING] == 2


def test_floor_is_pointed_out() -> None:
    metric = MetricInfo("score", 1, floor=0.55)
    row = pick(run(draw(World(clusters=36, gap=0.2)), metrics=[metric]).gaps, axis="tone")
    assert "dark is beyond the floor 0.55" in row.reason


def test_max_t_pairs_name_who_differs_from_whom() -> None:
    pairs = run(draw(World(clusters=36, gap=0.1))).pairs.query(
        "metric == 'score' and axis == 'tone'"
    )
    by_pair = pairs.set_index(["group_a", "group_b"])
    assert by_pair.p_adjusted["light", "medium"] > 0.05
    assert by_pair.p_adjusted["light", "dark"] <= 0.01
    assert by_pair.difference["light", "dark"] == pytest.approx(0.1, abs=0.03)


def test_simpsons_paradox_is_flagged() -> None:
    """Dark faces do better in either light but were photographed mostly in the dim."""
    samples = draw(World(clusters=120, nested=True, gap=-0.1, dim=0.5, noise=0.01))
    number = samples.cluster.str[1:].astype(int)
    dark, dim = samples.tone == "dark", samples.lighting == "dim"
    rare = (number // 3) % 4 == 0
    samples = samples[rare | (dark == dim)]
    found = run(samples)
    assert pick(found.gaps, metric="score", axis="tone").worst_group == "dark"
    strata = found.strata.query("metric == 'score'").set_index("stratum")
    assert strata.reversal.all()
    assert strata.gap["*mean"] == pytest.approx(strata.gap[["bright", "dim"]].mean())
    assert strata.gap["*max"] == strata.gap[["bright", "dim"]].max()
    assert not run(draw(World(clusters=36, gap=0.2))).strata.reversal.any()


def test_strata_that_cannot_be_compared_are_listed() -> None:
    samples = draw(World(clusters=12))
    samples = samples[(samples.lighting == "bright") | (samples.tone == "dark")]
    strata = run(samples).strata.query("metric == 'score'").set_index("stratum")
    assert strata.skipped["dim"] == "fewer than two groups"
    assert strata.skipped["*mean"] == "dim"
    assert strata.gap["*mean"] == strata.gap["bright"]


def test_metric_frame_is_fairlearns() -> None:
    samples = draw(World(clusters=6, systems=(("input", "", -1), *ARMS)))
    frame = metric_frame(samples, "score", sensitive_features="tone", system="input")
    assert isinstance(frame, MetricFrame)
    mine = samples[samples.system == "input"].groupby("tone").score.mean()
    np.testing.assert_allclose(frame.by_group.sort_index(), mine.sort_index())
    sliced = metric_frame(
        samples,
        ["score", "error"],
        sensitive_features=["tone"],
        control_features=["lighting"],
        system="curve",
        arm="cals",
    )
    assert sliced.by_group.shape == (6, 2)
    with pytest.raises(DataError, match="no column nose"):
        metric_frame(samples, "nose", sensitive_features="tone", system="input")
    with pytest.raises(DataError, match="no samples of 'curve', arm 'uniform'"):
        metric_frame(samples, "score", sensitive_features="tone", system="curve", arm="uniform")


def test_wrong_tables_are_refused_with_a_reason() -> None:
    samples = draw(World(clusters=8))
    with pytest.raises(DataError, match="lacks the column"):
        run(samples.drop(columns="tone"))
    with pytest.raises(DataError, match="two rows for sample"):
        run(pd.concat([samples, samples.iloc[:1]]))
    with pytest.raises(DataError, match="outside"):
        run(samples.assign(found=samples.found * 2))
    with pytest.raises(DataError, match="no cluster"):
        run(samples.assign(cluster=samples.cluster.where(samples.index > 0)))


def test_wrong_policies_are_refused() -> None:
    with pytest.raises(SpecError):
        Policy(n_min=31)
    with pytest.raises(SpecError):
        Policy(alpha=0)
    with pytest.raises(SpecError):
        Policy(bootstrap=10)
