"""The report on the tables of the real statistics engine, not on imitations."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmark.fairness import AxisInfo, MetricInfo, Policy, analyse
from benchmark.report import print_summary, render_report
from benchmark.report.highlights import effect_sentence
from benchmark.report.model import RunView, load_run

from .synthetic_run import LEVELS, METRICS, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("runs") / "engine")
    found = analyse(
        pd.read_parquet(folder / "samples.parquet"),
        metrics=[
            MetricInfo(name, direction, kind="rate" if name == "detected" else "value")
            for name, (direction, _) in METRICS.items()
        ],
        axes=[
            AxisInfo("tone_level", "sensitive", tuple(LEVELS["tone_level"])),
            AxisInfo("illumination", "context", tuple(LEVELS["illumination"])),
        ],
        policy=Policy(bootstrap=199, permutations=199),
        comparisons=[("curve", "cals", "matched")],
    )
    for name in ("groups", "gaps", "effects", "tiers", "strata"):
        getattr(found, name).to_parquet(folder / f"{name}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> RunView:
    return load_run(folder)


def test_the_engine_and_the_report_agree_on_columns_and_words(folder: Path) -> None:
    html = render_report(folder).read_text(encoding="utf-8")
    for word in (
        "▲ GAP",
        "deficit of the baseline",
        "worst group of tone level",
        "95 % &lt;",
        "illumination: mean of all",
    ):
        assert word in html
    shown = re.sub(r"data:image/webp[^\"]*", "", html)
    assert not re.search(r"\bnan\b", shown, re.IGNORECASE)


def test_the_arm_sentence_is_made_of_the_effect_table(engine: RunView) -> None:
    comparison = engine.manifest.comparisons[0]
    text = effect_sentence(engine, comparison, engine.manifest.metric("id_cosine"))
    rows = engine.effects.query("metric == 'id_cosine' and axis in ('', 'tone_level')")
    for target in ("overall", "worst", "range"):
        row = rows[rows["target"] == target].iloc[0]
        assert f"{row['effect']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]" in text
        assert row["verdict"].replace("_", " ") in text
    assert "(3 seeds)" in text


def test_the_summary_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    print_summary(folder, Console(width=80))
    out = capsys.readouterr().out
    assert "curve cals" in out
    assert "nan" not in out.lower()
