from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import DataError
from benchmark.fairness import AxisInfo, Policy
from benchmark.fairness.adjust import holm
from benchmark.fairness.recognition import OUTCOME_COLUMNS, outcomes

LAMP = AxisInfo("lamp", "context", ("day", "sodium"))
EXPOSURE = AxisInfo("exposure", "context", ("dim", "dark"))
KIND = AxisInfo("kind", "sensitive", ("plate", "sign"))


def table(
    before: list[int],
    after: list[int],
    *,
    reference: int | float = 1,
    system: str = "gamma",
    arm: str = "",
    seed: int = -1,
    **columns: object,
) -> pd.DataFrame:
    """One sample a cluster unless told otherwise."""
    n = len(before)
    frame = pd.DataFrame(
        {
            "system": system,
            "arm": arm,
            "seed": seed,
            "sample": [f"s{i:04d}" for i in range(n)],
            "cluster": [f"c{i:04d}" for i in range(n)],
            "status": "ok",
            "accuracy": np.array(after, float),
            "accuracy_input": np.array(before, float),
            "accuracy_reference": float(reference),
            "confidence": 0.9,
        }
    )
    return frame.assign(**columns)


def one(frame: pd.DataFrame, **settings: object) -> pd.Series:
    """The row of everybody."""
    found = outcomes(frame, axes=[], protocol="frozen", judge="r", **settings)
    assert len(found) == 1
    return found.iloc[0]


def test_counts_and_rates_of_a_table_of_four_cells() -> None:
    # 50 right and right, 6 harmed, 18 helped, 26 wrong and wrong
    before, after = (
        [1] * 50 + [1] * 6 + [0] * 18 + [0] * 26,
        [1] * 50 + [0] * 6 + [1] * 18 + [0] * 26,
    )
    row = one(table(before, after, reference=1))
    assert tuple(row.index) == OUTCOME_COLUMNS
    assert (row["n"], row["n_clusters"]) == (100, 100)
    assert (row["worse"], row["better"]) == (6, 18)
    assert (row["accuracy_input"], row["accuracy"], row["accuracy_reference"]) == (0.56, 0.68, 1)
    assert row["delta"] == pytest.approx(0.12)
    assert row["net"] == pytest.approx(row["help_rate"] - row["harm_rate"])
    assert (row["harm_rate"], row["harm_n"]) == (0.06, 100)
    assert (row["help_rate"], row["help_n"]) == (0.18, 100)
    assert row["recovery"] == pytest.approx(0.12 / 0.44)
    assert row["delta_low"] < 0.12 < row["delta_high"]
    assert row["harm_low"] < 0.06 < row["harm_high"]
    assert row["help_low"] < 0.18 < row["help_high"]
    assert row["mcnemar_p"] == pytest.approx(
        0.0226558, rel=1e-5
    )  # binomial(24, 1/2): 6 or fewer, twice
    assert row["p_holm"] == row["mcnemar_p"]
    assert np.isnan(row["ece"])
    assert row["ece_n"] == 100


def test_nothing_changed_and_everything_lost() -> None:
    same = one(table([1, 0, 1, 1], [1, 0, 1, 1]))
    assert (same["delta"], same["mcnemar_p"], same["p_holm"]) == (0, 1, 1)
    assert same["delta_low"] < 0 < same["delta_high"]
    lost = one(table([1] * 30, [0] * 30))
    assert (lost["delta"], lost["harm_rate"], lost["help_rate"]) == (-1, 1, 0)
    assert (lost["help_low"], lost["harm_high"]) == (0, 1)
    assert np.isnan(lost["recovery"])  # input as good as the reference: there was nothing to win
    assert lost["delta_low"] == pytest.approx(-1, abs=0.05)


def test_recovery_needs_something_that_was_lost() -> None:
    before, after = [1] * 95 + [0] * 5, [1] * 98 + [0] * 2
    near = table(before, after)
    near["accuracy_reference"] = np.array([1] * 96 + [0] * 4, float)
    assert np.isnan(one(near)["recovery"])
    assert one(table(before, after))["recovery"] == pytest.approx(0.6)
    assert np.isnan(one(table(before, after, reference=np.nan))["recovery"])
    assert np.isnan(one(table(before, after).drop(columns="accuracy_reference"))["recovery"])


def test_a_failed_output_was_not_recognised() -> None:
    measured = ["accuracy", "accuracy_input", "accuracy_reference", "confidence"]
    good = table([1, 1, 0, 1], [1, 1, 0, 1], system="input")
    bad = table([1, 1, 0, 1], [1, 1, 1, 1], system="broken")
    bad.loc[[0, 2], "status"] = "nonfinite_output"
    bad.loc[[0, 2], measured] = np.nan
    found = outcomes(pd.concat([good, bad]), axes=[], protocol="frozen", judge="r")
    row = found.set_index("system").loc["broken"]
    assert (row["n"], row["accuracy"], row["accuracy_input"]) == (4, 0.5, 0.75)
    assert (row["worse"], row["better"], row["ece_n"]) == (1, 0, 2)
    assert row["accuracy_reference"] == 1


def test_a_picture_that_nobody_could_read_was_not_recognised_before_either() -> None:
    frame = table([1, 1, 0], [1, 1, 1])
    frame.loc[0, "status"] = "decode_error"
    frame.loc[0, ["accuracy", "accuracy_input", "accuracy_reference", "confidence"]] = np.nan
    row = one(frame)
    assert (row["n"], row["worse"], row["better"]) == (3, 0, 1)
    assert row["accuracy_reference"] == pytest.approx(2 / 3)


def test_a_sample_without_a_right_answer_is_not_counted() -> None:
    frame = table([1, 0, 1], [1, 1, 1], label=["a", "b", None])
    frame.loc[2, ["accuracy", "accuracy_input"]] = np.nan
    assert one(frame)["n"] == 2
    assert one(frame.drop(columns="label"))["n"] == 2
    frame.loc[2, "status"] = "missing_output"
    assert one(frame)["n"] == 2
    nobody = one(table([1, 1], [np.nan, np.nan], confidence=np.nan))  # type: ignore[list-item]
    assert nobody["n"] == 0
    assert np.isnan(nobody["mcnemar_p"])
    assert np.isnan(nobody["accuracy"])


def test_twins_of_a_scene_are_no_independent_evidence() -> None:
    frame = table([0] * 8, [1] * 8)
    apart = one(frame)
    assert apart["mcnemar_p"] == pytest.approx(2 / 2**8)
    together = one(frame.assign(cluster=["x"] * 4 + ["y"] * 4))
    assert (together["n"], together["n_clusters"]) == (8, 2)
    assert together["mcnemar_p"] == pytest.approx(0.5)
    assert together["delta_low"] < apart["delta_low"]


def test_an_arm_counts_the_average_of_its_runs() -> None:
    before = [0] * 10 + [1] * 10
    runs = [
        table(before, [1] * (5 + seed) + [0] * (5 - seed) + [1] * 9 + [0], arm="cals", seed=seed)
        for seed in range(3)
    ]
    row = one(pd.concat(runs))
    assert (row["n"], row["n_clusters"], row["better"], row["worse"]) == (20, 20, 6, 1)
    assert (row["harm_n"], row["help_n"], row["harm_rate"], row["help_rate"]) == (20, 20, 0.05, 0.3)
    assert row["delta"] == pytest.approx(5 / 20)
    # 5 pictures that always turned good, 1 twice, 1 once, 1 that always turned bad
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    sums = np.array([3, 3, 3, 3, 3, 2, 1, -3])
    expected = (np.abs(sums @ signs) >= sums.sum()).mean()
    assert row["mcnemar_p"] == pytest.approx(expected)


def world(systems: int, scenes: int, seed: int) -> pd.DataFrame:
    """Scenes seen under two lamps at two exposures; systems that change nothing on average."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [range(scenes), LAMP.levels, EXPOSURE.levels], names=["scene", "lamp", "exposure"]
    ).to_frame(index=False)
    index["sample"] = [f"{s:03d}-{a}-{b}" for s, a, b in index.to_numpy()]
    index["cluster"] = [f"c{s:03d}" for s in index["scene"]]
    index["kind"] = np.where(index["scene"] % 2, "plate", "sign")
    before = (random.random(len(index)) < 0.6).astype(float)
    frames = []
    for number in range(systems):
        after = np.where(random.random(len(index)) < 0.3, random.random(len(index)) < 0.6, before)
        frames.append(
            index.assign(
                system=f"s{number}",
                arm="",
                seed=-1,
                status="ok",
                accuracy=after.astype(float),
                accuracy_input=before,
                accuracy_reference=1.0,
                confidence=random.random(len(index)),
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_every_stratum_and_every_crossing_with_a_context_has_a_row() -> None:
    frame = world(2, 12, seed=0)
    found = outcomes(frame, axes=[KIND, LAMP, EXPOSURE], protocol="frozen", judge="sign-judge")
    first = found[found["system"] == "s0"]
    assert list(first["axis"].unique()) == [
        "",
        "kind",
        "lamp",
        "exposure",
        "kind*lamp",
        "kind*exposure",
        "lamp*exposure",
    ]
    assert list(first.loc[first["axis"] == "lamp*exposure", "group"]) == [
        "day*dim",
        "day*dark",
        "sodium*dim",
        "sodium*dark",
    ]
    assert len(first) == 1 + 3 * 2 + 3 * 4
    assert set(found["protocol"]) == {"frozen"}
    assert set(found["judge"]) == {"sign-judge"}
    for axis, rows in first.groupby("axis"):
        assert rows["n"].sum() == 48
        assert rows["worse"].sum() == first.iloc[0]["worse"], axis
    # each row is what the samples of that stratum alone would have given
    part = frame[
        (frame["lamp"] == "day") & (frame["exposure"] == "dark") & (frame["system"] == "s0")
    ]
    alone = one(part)
    row = first[first["group"] == "day*dark"].iloc[0]
    numbers = [c for c in OUTCOME_COLUMNS[6:] if c != "p_holm"]
    pd.testing.assert_series_equal(
        row[numbers].astype(float), alone[numbers].astype(float), check_names=False
    )


def test_the_hypotheses_of_an_axis_share_a_correction() -> None:
    frame = pd.concat([world(3, 20, seed=1), world(1, 20, seed=1).assign(system="same")])
    same = frame["system"] == "same"
    frame.loc[same, "accuracy"] = frame.loc[same, "accuracy_input"]
    found = outcomes(frame, axes=[LAMP, EXPOSURE], protocol="frozen", judge="r")
    for _, rows in found.groupby("axis"):
        changed = rows[rows["system"] != "same"]
        np.testing.assert_allclose(changed["p_holm"], holm(changed["mcnemar_p"]))
        assert (rows.loc[rows["system"] == "same", "p_holm"] == 1).all()


def test_another_judge_has_columns_of_its_own() -> None:
    frame = table([1, 1, 0], [1, 0, 0])
    for name in ("accuracy", "accuracy_input", "accuracy_reference", "confidence"):
        frame[f"{name}:other"] = 1 - frame[name] if name != "confidence" else 0.5
    row = outcomes(frame, axes=[], protocol="frozen", judge="other", suffix=":other").iloc[0]
    assert (row["worse"], row["better"]) == (0, 1)
    assert one(frame)["worse"] == 1


def test_the_order_of_rows_changes_nothing_and_missing_columns_are_named() -> None:
    frame = world(2, 12, seed=2)
    settings = {"axes": [LAMP], "protocol": "frozen", "judge": "r"}
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(outcomes(frame, **settings), outcomes(shuffled, **settings))
    with pytest.raises(DataError, match="confidence"):
        outcomes(frame.drop(columns="confidence"), **settings)
    none = outcomes(frame.iloc[:0], **settings)
    assert list(none.columns) == list(OUTCOME_COLUMNS)
    assert none.empty
    wide = outcomes(frame, **settings, policy=Policy(alpha=0.01))
    assert (wide["delta_high"] > outcomes(frame, **settings)["delta_high"]).all()


def test_no_system_is_called_better_or_worse_by_chance_in_any_stratum() -> None:
    """Family-wise error of a whole axis under no effect: 4 systems x 2 lamps, twins in scenes."""
    families = 100
    rejected = [
        (outcomes(world(4, 16, seed=s), axes=[LAMP], protocol="frozen", judge="r"))
        for s in range(100, 100 + families)
    ]
    hits = [(t.loc[t["axis"] == "lamp", "p_holm"] <= 0.05).any() for t in rejected]
    assert np.mean(hits) <= 0.1  # 5 % and two standard errors
