"""Hit rates, ceilings, corrected hits and divergences of what a judge names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.fairness import Policy
from benchmark.fairness.correction import confusion, corrected, to_simplex
from benchmark.fairness.divergence import DIVERGENCE_COLUMNS
from benchmark.fairness.representation import REPRESENTATION_COLUMNS, representation

LEVELS = ("light", "medium", "dark")
QUICK = Policy(bootstrap=499, permutations=499)
Codes = NDArray[np.int64]


def people(sizes: Sequence[int], levels: Sequence[str] = LEVELS) -> pd.DataFrame:
    """One image a person, ``sizes`` people a group."""
    tone = np.repeat(np.array(levels), sizes)
    names = [f"{i:05d}" for i in range(len(tone))]
    return pd.DataFrame({"sample": names, "cluster": names, "tone": tone})


def named(codes: Sequence[int] | Codes, k: int = 3) -> NDArray[np.float32]:
    """Probabilities of a judge that is sure; -1 is a failed output."""
    p = np.full((len(codes), k), 0.05, np.float32)
    codes = np.asarray(codes)
    p[np.arange(len(codes)), codes] = 0.9
    p[codes < 0] = np.nan
    return p


def table(
    samples: pd.DataFrame,
    systems: Mapping[str, Codes],
    originals: Codes | None = None,
    *,
    levels: Sequence[str] = LEVELS,
    policy: Policy = QUICK,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    truth = samples["tone"].map({name: i for i, name in enumerate(LEVELS)}).to_numpy()
    return representation(
        samples,
        {(name, "", -1): named(codes) for name, codes in systems.items()},
        named(truth if originals is None else originals),
        axis="tone",
        levels=levels,
        judge_levels=LEVELS,
        judge="eye",
        policy=policy,
        seed=7,
    )


def one(frame: pd.DataFrame, **where: str) -> pd.Series:
    chosen = frame[np.logical_and.reduce([frame[name] == value for name, value in where.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def hits(sizes: Sequence[int], right: Sequence[int], *, wrong: Sequence[int]) -> Codes:
    """Codes with the first ``right`` of every group correct and the rest ``wrong``."""
    return np.concatenate(
        [
            np.where(np.arange(n) < k, g, w)
            for g, (n, k, w) in enumerate(zip(sizes, right, wrong, strict=True))
        ]
    )


def test_golden_divergences() -> None:
    sizes = (100, 100, 100)
    rates, divergences = table(people(sizes), {"s": hits(sizes, (50, 30, 20), wrong=(1, 0, 0))})
    assert tuple(rates.columns) == REPRESENTATION_COLUMNS
    assert tuple(divergences.columns) == DIVERGENCE_COLUMNS
    assert rates["hit"].tolist() == pytest.approx([0.5, 0.3, 0.2])
    assert rates["hits"].tolist() == [50, 30, 20]
    rdp = one(divergences, kind="rdp")
    assert rdp["chi2"] == pytest.approx(0.14)
    assert rdp["cheb"] == pytest.approx(0.1667, abs=1e-4)
    assert rdp["tv_l1"] == pytest.approx(0.3333, abs=1e-4)
    assert rdp["tv"] == pytest.approx(0.1667, abs=1e-4)
    assert rdp["kl"] == pytest.approx(0.06896, abs=1e-5)
    # independent images and large counts: the textbook test on the 2 x 3 table
    assert rdp["test"] == "chi2"
    assert rdp["statistic"] == pytest.approx(21.0)
    assert rdp["p_value"] == pytest.approx(2.7536e-5, rel=1e-3)
    assert rdp["n"] == 300


def test_a_perfect_restorer_before_an_unfair_judge() -> None:
    """The judge alone makes a hit-rate gap; ceiling and correction take it out."""
    sizes = (100, 100, 100)
    sees = hits(sizes, (95, 80, 68), wrong=(1, 0, 1))
    rates, divergences = table(people(sizes), {"oracle": sees}, sees)
    assert rates["hit"].tolist() == pytest.approx([0.95, 0.80, 0.68])
    assert rates["ceiling"].tolist() == pytest.approx([0.95, 0.80, 0.68])
    assert one(divergences, kind="rdp")["p_value"] < 1e-4
    assert rates["hit_relative"].tolist() == pytest.approx([1, 1, 1])
    assert rates["corrected"].tolist() == pytest.approx([1, 1, 1])
    assert rates["corrected_low"].tolist() == pytest.approx([1, 1, 1])
    assert (rates["flip_rate"] == 0).all()
    assert (rates["drift"] == 0).all()
    flip = one(divergences, kind="flip")
    assert (flip["chi2"], flip["statistic"], flip["p_value"]) == (0.0, 0.0, 1.0)


def test_the_correction_recovers_what_the_outputs_show() -> None:
    matrix = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]])
    true = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    judged = (true @ matrix)[:, None]
    assert corrected(judged, matrix)[:, 0] == pytest.approx(true)
    # a share of outputs that does not exist stays missing
    assert corrected(0.8 * judged, matrix)[:, 0] == pytest.approx(0.8 * true)


def test_no_hit_among_many_is_not_certainty() -> None:
    sizes = (50, 50, 50)
    rates, _ = table(people(sizes), {"s": hits(sizes, (0, 50, 25), wrong=(1, 0, 1))})
    light, medium = one(rates, group="light"), one(rates, group="medium")
    assert (light["corrected"], light["corrected_low"]) == (0.0, 0.0)
    assert (
        light["corrected_high"]
        == pytest.approx(light["hit_high"])
        == pytest.approx(0.0713, abs=1e-3)
    )
    assert (
        medium["corrected_low"]
        == pytest.approx(medium["hit_low"])
        == pytest.approx(0.9287, abs=1e-3)
    )


def test_the_corrected_interval_covers() -> None:
    rng, covered, trials = np.random.default_rng(0), np.zeros(3), 120
    matrix = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.0, 0.25, 0.75]])
    shown = np.array([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    sizes = (80, 80, 80)
    truth = np.repeat([0, 1, 2], sizes)

    def draw(rows: NDArray[np.float64]) -> Codes:
        return (rows.cumsum(axis=1) > rng.random((len(rows), 1))).argmax(axis=1)

    for _ in range(trials):
        originals, outputs = draw(matrix[truth]), draw(matrix[draw(shown[truth])])
        rates, _ = table(
            people(sizes), {"s": outputs}, originals, policy=Policy(bootstrap=199, permutations=99)
        )
        low, high = rates["corrected_low"].to_numpy(), rates["corrected_high"].to_numpy()
        covered += (low <= np.diag(shown)) & (np.diag(shown) <= high)
    assert (covered / trials >= 0.89).all()  # 93 % less two standard errors of 120 trials


def test_not_applicable() -> None:
    sizes = (40, 40, 40)
    poor = hits(sizes, (38, 15, 39), wrong=(1, 2, 1))
    rates, _ = table(people(sizes), {"s": poor}, poor)
    medium = one(rates, group="medium")
    assert medium["ceiling"] == pytest.approx(0.375)
    assert np.isnan(medium["hit_relative"])
    assert medium["reason"] == "the judge misses most originals of the group"
    blind = hits(sizes, (21, 20, 39), wrong=(1, 0, 1))  # cannot tell light from medium
    rates, _ = table(people(sizes), {"s": blind}, blind)
    assert rates["corrected"].isna().all()
    assert rates["corrected_low"].isna().all()
    assert rates["reason"].str.startswith("not corrected").all()


def test_a_failed_output_is_a_miss_and_no_flip() -> None:
    sizes = (40, 40, 40)
    codes = np.repeat([0, 1, 2], sizes)
    codes[80:100] = -1
    rates, divergences = table(people(sizes), {"s": codes})
    dark = one(rates, group="dark")
    assert (dark["n"], dark["hits"], dark["hit"], dark["flip_rate"]) == (40, 20, 0.5, 0.0)
    assert dark["corrected"] == pytest.approx(0.5)
    assert dark["judged_share"] == pytest.approx(0.2)
    assert dark["test_share"] == pytest.approx(1 / 3)
    assert one(divergences, kind="flip")["n"] == 100
    assert one(divergences, kind="pr")["p_value"] < 0.01


def test_flips_and_their_direction() -> None:
    sizes = (50, 50, 50)
    codes = np.repeat([0, 1, 2], sizes)
    codes[100:110] = 1  # ten dark faces become medium
    codes[50:54] = 0  # four medium ones light
    rates, divergences = table(people(sizes), {"s": codes})
    assert rates["flip_rate"].tolist() == pytest.approx([0, 0.08, 0.2])
    assert rates["drift"].tolist() == pytest.approx([4 / 150, 6 / 150, -10 / 150])
    assert rates["drift"].sum() == pytest.approx(0)
    flip = one(divergences, kind="flip")
    assert flip["statistic"] == pytest.approx(4 + 10)
    assert flip["test"] == "bowker, clusters flipped"


def test_all_missed() -> None:
    sizes = (20, 20, 20)
    rates, divergences = table(people(sizes), {"s": hits(sizes, (0, 0, 0), wrong=(1, 2, 0))})
    assert (rates["hit"] == 0).all()
    rdp = one(divergences, kind="rdp")
    assert np.isnan([rdp["chi2"], rdp["chi2_corrected"], rdp["p_value"]]).all()
    assert rdp["reason"] == "no hits"
    assert one(divergences, kind="pr")["chi2"] == pytest.approx(0)


def test_nothing_judged() -> None:
    rates, divergences = table(people((20, 20, 20)), {"s": np.full(60, -1)})
    assert (rates["hit"] == 0).all()
    assert rates[["flip_rate", "drift", "judged_share"]].isna().all(axis=None)
    assert one(divergences, kind="pr")["reason"] == "nothing could be judged"
    assert one(divergences, kind="flip")["reason"] == "nothing could be judged"


def test_originals_that_cannot_be_judged_are_no_misses() -> None:
    sizes = (40, 40, 40)
    truth = np.repeat([0, 1, 2], sizes)
    originals = truth.copy()
    originals[:10] = -1
    rates, _ = table(people(sizes), {"s": originals}, originals)
    assert rates["n"].tolist() == [30, 40, 40]
    assert rates["hit"].tolist() == [1, 1, 1]
    assert rates["ceiling"].tolist() == [1, 1, 1]
    originals[:40] = -1
    rates, _ = table(people(sizes), {"s": truth}, originals)
    assert one(rates, group="light")["reason"] == "no original could be judged"
    rates, divergences = table(people(sizes), {"s": truth}, np.full(120, -1))
    assert rates["hit"].isna().all()
    assert (rates["reason"] == "no original could be judged").all()
    assert divergences["chi2"].isna().all()


def test_one_empty_and_tiny_groups() -> None:
    rates, divergences = table(people((30,), ("light",)), {"s": np.zeros(30, int)})
    assert one(rates, group="dark")["reason"] == "empty"
    assert np.isnan(one(rates, group="dark")["hit"])
    assert one(divergences, kind="rdp")["reason"].startswith("single group")
    assert one(divergences, kind="pr")["reason"] == "not in the test set: medium, dark"
    sizes = (30, 30, 3)
    rates, divergences = table(people(sizes), {"s": np.repeat([0, 1, 2], sizes)})
    assert one(rates, group="dark")["reason"] == "insufficient data"
    assert one(rates, group="dark")["hit"] == 1
    rdp = one(divergences, kind="rdp")
    assert (rdp["reason"], rdp["n"]) == ("left out: dark", 60)


def test_other_levels() -> None:
    samples = people((20, 20, 20))
    samples.loc[:4, "tone"] = "unknown"
    codes = np.repeat([0, 1, 2], 20)
    rates, _ = table(samples, {"s": codes}, codes)
    assert rates["n"].tolist() == [15, 20, 20]
    more = (*LEVELS, "other")
    samples.loc[:9, "tone"] = "other"
    rates, divergences = table(samples, {"s": codes}, codes, levels=more)
    assert one(rates, group="other")["reason"] == "no level of the judge"
    assert np.isnan(one(rates, group="other")["hit"])
    assert one(divergences, kind="pr")["reason"] == "no level of the judge: other"
    with pytest.raises(DataError, match="tells light, medium, dark apart"):
        table(samples, {"s": codes}, codes, levels=("other",))


def test_shapes_are_checked() -> None:
    samples = people((10, 10, 10))
    with pytest.raises(DataError, match="30 samples"):
        table(samples, {"s": np.zeros(29, int)})
    samples.loc[0, "sample"] = samples.loc[1, "sample"]
    with pytest.raises(DataError, match="two rows"):
        table(samples, {"s": np.zeros(30, int)})


def test_seeds_are_repetitions_not_people() -> None:
    samples, truth = people((40, 40, 40)), np.repeat([0, 1, 2], 40)
    rng = np.random.default_rng(0)
    runs = {
        ("host", "cals", seed): named(np.where(rng.random(120) < 0.7, truth, 0))
        for seed in range(3)
    }
    options = {"axis": "tone", "levels": LEVELS, "judge_levels": LEVELS, "judge": "eye"}
    rates, divergences = representation(
        samples, runs, named(truth), policy=QUICK, seed=1, **options
    )
    assert len(rates) == 3
    assert rates["n"].tolist() == [40, 40, 40]
    alone = [
        representation(samples, {k: v}, named(truth), policy=QUICK, seed=1, **options)[0]["hit"]
        for k, v in runs.items()
    ]
    assert rates["hit"].to_numpy() == pytest.approx(np.mean(alone, axis=0))
    # averages over seeds are no counts: the textbook test does not apply
    assert one(divergences, kind="rdp")["test"] == "chi2, labels shuffled"


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    samples = people((30, 30, 30)).assign(cluster=[f"p{i % 30}" for i in range(90)])
    codes = rng.integers(0, 3, 90)
    order = rng.permutation(90)
    first = table(samples, {"b": codes, "a": codes[::-1].copy()})
    shuffled = samples.iloc[order].reset_index(drop=True)
    second = table(shuffled, {"a": codes[::-1][order].copy(), "b": codes[order]})
    for one_table, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one_table, other)


def test_bias_corrected_chi2_of_independent_draws() -> None:
    """With shares drawn at random, the correction is (K - 1) / n."""
    rng = np.random.default_rng(4)
    samples = people((100, 100, 100))
    codes = rng.integers(0, 3, 300)
    _, divergences = table(samples, {"s": codes})
    pr = one(divergences, kind="pr")
    assert pr["chi2"] - pr["chi2_corrected"] == pytest.approx(2 / 300, rel=0.15)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ((0.2, 0.3, 0.5), (0.2, 0.3, 0.5)),
        ((1.2, -0.1, -0.1), (1, 0, 0)),
        ((1, 1, 0), (0.5, 0.5, 0)),
    ],
)
def test_to_simplex(x: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert to_simplex(np.array(x)) == pytest.approx(expected)


def test_confusion_of_a_group_that_was_never_judged() -> None:
    found = confusion(np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert found[0] == pytest.approx([0.5, 0.5])
    assert np.isnan(found[1]).all()
