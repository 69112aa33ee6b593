"""The SKF study: paired effects, trainings done once, and scores that others confirm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.contexts import CONTEXTS
from benchmark.enhancers.hosts import HOSTS, TrainedHost
from benchmark.errors import UnknownNameError
from benchmark.progress import Reporter
from benchmark.runner import ablation
from benchmark.runner.ablation import (
    CONTRASTS,
    ROWS,
    SIZES,
    TABLES,
    Size,
    row_contrasts,
    row_effects,
    rows_of,
    run_ablation,
    score,
)
from benchmark.training.pool import TrainingPool


def test_effects_are_paired_by_seed() -> None:
    values = {"base": [20.0, 22.0, 21.0], "+SCH": [20.5, 22.7, 21.3]}
    rows = [
        {"row": row.name, "seed": seed, "context": "", "metric": "psnr", "value": value}
        for row in ROWS
        for seed, value in enumerate(values.get(row.name, values["base"]))
    ]
    found = {row["row"]: row for row in rows_of(row_effects(pd.DataFrame(rows)), "psnr")}
    apart = np.array([0.5, 0.7, 0.3])
    low, high = stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart))
    assert found["+SCH"]["effect"] == pytest.approx(0.5)
    assert (found["+SCH"]["ci_low"], found["+SCH"]["ci_high"]) == pytest.approx((low, high))
    assert found["base"]["effect"] == found["+SE"]["effect"] == 0


def test_contrasts_are_means_of_rows_paired_by_seed() -> None:
    rng = np.random.default_rng(3)
    values = {row.name: rng.normal(20, 1, 3) for row in ROWS}
    rows = [
        {"row": name, "seed": seed, "context": "", "metric": "psnr", "value": value}
        for name, each in values.items()
        for seed, value in enumerate(each)
    ]
    found = row_contrasts(pd.DataFrame(rows)).set_index("contrast")
    assert set(found.index) == set(CONTRASTS)
    some, others = CONTRASTS["SCH by regions, not globally"]
    apart = np.mean([values[n] for n in some], 0) - np.mean([values[n] for n in others], 0)
    low, high = stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart))
    row = found.loc["SCH by regions, not globally"]
    assert row["effect"] == pytest.approx(apart.mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))


def test_every_table_and_contrast_names_rows_that_there_are() -> None:
    names = {row.name for row in ROWS}
    assert names == {name for table in TABLES.values() for name in table}
    assert all(names.issuperset((*some, *others)) for some, others in CONTRASTS.values())


def tiny_pool(count: int, side: int, *, seed: int, reporter: Reporter) -> TrainingPool:
    del reporter
    number = count * len(CONTEXTS)
    shape = (number, side, side, 3)
    references = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return TrainingPool(
        inputs=references // 3,
        references=references,
        landmarks=np.full((number, 5, 2), np.nan, np.float32),
        labels=np.arange(number) % len(CONTEXTS),
        samples=tuple(f"{seed}-{n}" for n in range(number)),
    )


def test_scores_are_scikit_image_s() -> None:
    rng = np.random.default_rng(0)
    references = rng.integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
    pool = TrainingPool(
        inputs=references // 3,
        references=references,
        landmarks=np.full((4, 5, 2), np.nan, np.float32),
        labels=np.array([0, 1, 1, 3]),
        samples=tuple("abcd"),
    )
    host = HOSTS.get("curve")
    enhancer = TrainedHost(host, host.factory(0).state_dict())
    table = score(enhancer, pool).set_index(["metric", "context"])["value"]
    images = torch.as_tensor(pool.inputs).permute(0, 3, 1, 2).float() / 255
    outputs = enhancer.enhance(images).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    expected = [
        peak_signal_noise_ratio(r / 255.0, o.astype(float), data_range=1)
        for r, o in zip(references, outputs, strict=True)
    ]
    assert table["psnr", ""] == pytest.approx(np.mean(expected), abs=1e-3)
    assert table["psnr", CONTEXTS[1]] == pytest.approx(np.mean(expected[1:3]), abs=1e-3)
    assert ("psnr", CONTEXTS[2]) not in table.index


def test_a_study_runs_end_to_end_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "_pool", tiny_pool)
    size = Size(samples=1, side=32, steps=2, seeds=1, scored=1)
    first = run_ablation("curve", size, runs=tmp_path)
    assert set(first.scores["row"]) == {row.name for row in ROWS}
    assert first.scores["value"].notna().all()
    assert (first.folder / "effects.parquet").is_file()

    def never(*args: object, **options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(ablation, "train_arm", never)
    again = run_ablation("curve", size, runs=tmp_path)
    pd.testing.assert_frame_equal(first.scores, again.scores)


def test_trainings_of_another_source_or_knowledge_are_not_taken_for_these(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = [ablation._unit("curve", row, 0, 2) for row in ROWS]
    before = ablation._decided_by(units)
    assert before == ablation._decided_by(units)
    assert {frozenset(unit["assets"]) for unit in before["units"]} == {
        frozenset(),
        frozenset({"probe-scenes"}),
    }
    monkeypatch.setattr(ablation, "source_digest", lambda stage: "changed")
    assert before != ablation._decided_by(units)


def test_a_host_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="drbm"):
        run_ablation("drbm", SIZES["smoke"], runs=tmp_path)


def test_the_command_says_what_it_would_do() -> None:
    result = CliRunner().invoke(app, ["study", "skf", "--profile", "smoke", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "11 rows x 2 seeds of curve" in result.output
