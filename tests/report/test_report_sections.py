"""Sections that only some tasks have: there with their tables, absent without, and in words."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from benchmark.errors import DataError
from benchmark.report import print_summary
from benchmark.report.model import RunView, load_run
from benchmark.report.records import digest, show
from benchmark.report.sections import Section, sections
from benchmark.report.table import Table

from .synthetic_parts import PREDICTOR, PREDICTOR_CARD
from .synthetic_run import SYSTEMS, Options, write_run


@pytest.fixture(scope="session")
def parts(full: RunView) -> dict[str, Section]:
    return {section.slug: section for section in sections(full)}


def _table(section: Section, start: str) -> Table:
    every = (*section.tables, *section.details, *section.brief)
    return next(table for table in every if table.slug.startswith(start))


def _row(table: Table, name: str, note: str = "") -> list[str]:
    return next([c.text for c in r] for r in table.rows if (r[0].text, r[0].note) == (name, note))


def test_a_section_is_there_only_with_its_table(full: RunView, view: RunView) -> None:
    assert [s.slug for s in sections(full)] == [
        *("structure", "recognition", "representation", "distribution", "predictor")
    ]
    assert [s.slug for s in sections(view)] == ["structure"], "its metrics are always measured"
    assert sections(view)[0].findings == ()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("outcomes", "recognition"),
        ("representation", "representation"),
        ("distribution", "distribution"),
    ],
)
def test_without_its_table_a_section_leaves_no_trace(
    full_folder: Path, run_folder: Path, tmp_path: Path, name: str, slug: str
) -> None:
    folder = Path(shutil.copytree(full_folder, tmp_path / "run"))
    (folder / f"{name}.parquet").unlink()
    found = {section.slug for section in sections(load_run(folder))}
    assert found == {
        *("structure", "recognition", "representation", "distribution", "predictor")
    } - {slug}
    assert f"{slug}-section" not in (run_folder / "report.html").read_text(encoding="utf-8")


def test_optional_tables_are_read_strictly(full_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(full_folder, tmp_path / "run"))
    path = folder / "outcomes.parquet"
    table = pd.read_parquet(path)
    table.drop(columns="harm_n").to_parquet(path)
    with pytest.raises(DataError, match="columns are missing: harm_n"):
        load_run(folder)
    table.assign(system="nobody").to_parquet(path)
    with pytest.raises(DataError, match=r"systems in outcomes\.parquet.*nobody"):
        load_run(folder)
    table.to_parquet(path)
    (folder / "sanity.json").write_text('[{"metric": "ssim", "check": "x", "holds": "yes"}]')
    with pytest.raises(DataError, match=r"0\.holds"):
        load_run(folder)


def test_the_protocol_stands_beside_every_outcome(parts: dict[str, Section]) -> None:
    section = parts["recognition"]
    every = (*section.tables, *section.details, *section.brief)
    assert len(every) == 2 + 2 + 1
    assert all(table.caption.startswith("[frozen] judge sign-") for table in every)
    assert all(finding.startswith("[frozen]") for finding in section.findings)


def test_protocols_never_share_a_table(full_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(full_folder, tmp_path / "run"))
    path = folder / "outcomes.parquet"
    table = pd.read_parquet(path)
    other = table[table["judge"] == "sign-judge"].assign(protocol="retrained", accuracy=0.123)
    pd.concat([other, table]).to_parquet(path)
    section = next(s for s in sections(load_run(folder)) if s.slug == "recognition")
    assert len(section.tables) == 3
    for found in section.tables:
        after = {row[3].text for row in found.rows}
        assert (after == {"12.3"}) == found.caption.startswith("[retrained]")
        assert len(found.rows) == len(SYSTEMS)
    assert section.tables[0].caption.startswith("[frozen]"), "whatever the order of the rows"


def test_outcome_rows_say_what_the_table_says(full: RunView, parts: dict[str, Section]) -> None:
    row = full.outcomes.query("system == 'gamma' and axis == '' and judge == 'sign-judge'").iloc[0]
    cells = next(
        r for r in _table(parts["recognition"], "outcomes-frozen-sign-judge").rows
        if r[0].text == "gamma"
    )  # fmt: skip
    assert [cell.text for cell in cells[1:5]] == [
        "240", "58.0", f"{100 * row['accuracy']:.1f}", "97.0",
    ]  # fmt: skip
    assert cells[5].text == f"{100 * row['delta']:+.1f}"
    assert cells[6].text == "0.048"
    assert cells[6].hint == f"{row['worse']:.0f} worse, {row['better']:.0f} better"
    assert (cells[7].text, cells[7].note) == (f"{100 * row['harm_rate']:.1f}", "of 240")
    assert cells[10].text == "6.1"


def test_a_calibration_error_of_few_pictures_is_left_out(parts: dict[str, Section]) -> None:
    table = _table(parts["recognition"], "outcomes-strata-frozen-sign-judge")
    dim = next(row for row in table.rows if (row[0].text, row[1].text) == ("gamma", "dim"))
    assert dim[-1].text == "–"
    assert dim[-1].sort is None
    assert dim[-1].hint == "too few pictures"
    assert dim[8].note == "", "no corrected p here, so the raw one is shown as it is"


def test_both_kinds_of_error_stand_side_by_side(full: RunView, parts: dict[str, Section]) -> None:
    table = _table(parts["structure"], "errors-lesion_omission")
    assert [column.title for column in table.columns] == [
        *("system", "lost, all", "lost", "lost", "lost"),
        *("invented, all", "invented", "invented", "invented"),
    ]
    mean = {
        metric: full.groups.query(
            f"system == 'clahe' and metric == 'lesion_{metric}' and axis == ''"
        )["mean"].item()
        for metric in ("omission", "hallucination")
    }
    row = _row(table, "clahe")
    assert row[1] == f"{100 * mean['omission']:.0f}"
    assert row[5] == f"{mean['hallucination']:.2f}"


def test_the_null_test_joins_seeds_and_keeps_the_widest_interval(parts: dict[str, Section]) -> None:
    table = _table(parts["structure"], "phantoms")
    assert len(table.rows) == len(SYSTEMS)
    assert len(table.columns) == 1 + 3 * 2
    assert _row(table, "input")[1:] == ["0.00"] * 6
    assert _row(table, "curve", "cals")[1] == f"{0.25 * 2.5:.2f}"
    assert table.rows[1][1].note == "[0.00, 1.10]"


def test_a_metric_that_fails_its_self_test_is_named(parts: dict[str, Section]) -> None:
    table = _table(parts["structure"], "sanity")
    lesion, ssim = (
        next(row for row in table.rows if row[0].text == name)
        for name in ("lesion omission", "ssim")
    )
    assert [cell.text for cell in lesion[1:]] == ["–", "○ yes"]
    assert lesion[2].note == "painted on 12 images"
    assert (ssim[1].text, ssim[1].note) == ("✕ no", "blurred 0.912, deformed 0.915")
    assert parts["structure"].findings[1:] == (
        "Self-tests on this data: 1 of 1 metrics do not tell moved structure from blurred (ssim).",
        "Self-tests on this data: all metrics notice a painted lesion.",
    )


def test_hits_stand_beside_their_ceiling(parts: dict[str, Section]) -> None:
    section = parts["representation"]
    cells = next(r for r in _table(section, "shown").rows if r[0].text == "gamma")
    assert (cells[2].text, cells[2].note) == ("82.1", "78.0 of 95.0")
    assert cells[1].text == "–"
    assert "too much to correct" in cells[1].hint
    divergences = _table(section, "divergences")
    assert _row(divergences, "lime")[3:] == ["–"] * 8
    broken = next(row for row in divergences.rows if row[0].text == "lime")
    assert broken[-1].note == "no hit at all"


def test_uneven_hits_are_counted_and_the_least_shown_named(parts: dict[str, Section]) -> None:
    assert parts["representation"].findings == (
        "tone level still shown, judge face-attributes: groups are hit unevenly after 4 of 5 "
        "enhancers (RDP, p below 0.05, uncorrected); least shown: dark after curve cals, "
        "63 % corrected.",
    )


def test_where_nothing_could_be_measured_nothing_agrees(full_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(full_folder, tmp_path / "run"))
    path = folder / "parity.parquet"
    numbers = {"gap": float("nan"), "v_dc": float("nan"), "disagreement": False}
    pd.read_parquet(path).assign(**numbers).to_parquet(path)
    section = next(s for s in sections(load_run(folder)) if s.slug == "distribution")
    assert section.brief == section.tables == ()
    assert section.findings[0].endswith("groups were not compared (fewer than 100 images).")


def test_networks_that_disagree_are_flagged(parts: dict[str, Section]) -> None:
    section = parts["distribution"]
    table = _table(section, "parity")
    verdicts = {(row[0].text, row[0].note): row[-1].text for row in table.rows}
    assert {key for key, verdict in verdicts.items() if "disagree" in verdict} == {("gamma", "")}
    assert any("for 1 of 7 systems" in finding for finding in section.findings)
    missing = _table(section, "distances").rows[-1][-1]
    assert (missing.text, missing.hint) == ("–", "fewer than 100 images")


def test_the_lowest_recall_is_said(parts: dict[str, Section]) -> None:
    section = parts["predictor"]
    assert section.findings == (
        "Context predictor: right for 97.3 % of pictures; calibration error 2.1 %; lowest recall "
        "74.0 % (face recall, exposure dark, tone level dark).",
    )
    assert [table.caption for table in section.details] == [
        "Context predictor: by exposure",
        "Context predictor: face recall",
    ]


def test_a_record_of_any_shape_becomes_facts_and_grids() -> None:
    found = digest(PREDICTOR_CARD | {"deep": {"a": {"b": {"c": 1}}, "d": [1, 2]}, "empty": {}})
    assert ("accuracy", 0.9731) in found.facts
    assert ("deep, d", "1, 2") in found.facts
    assert [grid.title for grid in found.grids] == ["by exposure", "face recall", "deep, a"]
    assert found.grids[0].rows[0] == ("dark", 0.95, 480)
    assert [show(v) for v in (None, float("nan"), True, 0.123456, "x")] == [
        *("–", "–", "yes", "0.1235", "x")
    ]


@pytest.mark.parametrize("width", [80, 130])
def test_the_console_has_all_of_it(full_folder: Path, width: int) -> None:
    stream = io.StringIO()
    print_summary(full_folder, Console(file=stream, width=width))
    text = stream.getvalue()
    assert max(cell_len(line) for line in text.splitlines()) <= width
    for phrase in ("[frozen] judge sign-judge", "invented", "disagree", "Null test", "ceiling"):
        assert phrase in text
    assert "nan" not in text.lower()
    assert "…" not in text


def test_the_page_has_all_of_it_and_no_nan(full_folder: Path) -> None:
    html = (full_folder / "report.html").read_text(encoding="utf-8")
    shown = re.sub(r"data:image/webp[^\"]*", "", html)
    assert not re.search(r"\bnan\b", shown, re.IGNORECASE)
    for slug in ("structure", "recognition", "representation", "distribution", "predictor"):
        assert f'href="#{slug}-section"' in html
        assert f'id="{slug}-section"' in html
    figures = {path.stem for path in (full_folder / "figures").glob("part-*.svg")}
    assert figures == {
        "part-errors-lesion-omission",
        "part-outcomes-frozen-sign-judge",
        "part-hits-face-attributes-tone-level",
        "part-kid-tone-level",
    }
    assert all(f'id="{name}-title"' in html for name in figures)


def test_one_system_in_one_group_is_enough(tmp_path: Path) -> None:
    """The smallest tables that a run can have."""
    folder = write_run(tmp_path / "run", Options(parts=True, gallery=False))
    for name in ("outcomes", "representation", "divergences", "distribution", "parity"):
        path = folder / f"{name}.parquet"
        pd.read_parquet(path).query("system == 'lime'").iloc[:1].to_parquet(path)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"predictor": PREDICTOR | {"card": {"accuracy": 1.0}}}))
    found = sections(load_run(folder))
    assert [part.slug for part in found] == [
        *("structure", "recognition", "representation", "distribution", "predictor")
    ]
    assert found[-1].findings == ("Context predictor: right for 100.0 % of pictures.",)
    silent = {"accuracy": 0.0, "ece": None, "n": 96, "no_answer": 96}
    path.write_text(json.dumps(manifest | {"predictor": PREDICTOR | {"card": silent}}))
    (finding,) = sections(load_run(folder))[-1].findings
    assert finding == "Context predictor: right for 0.0 % of pictures; no answer to 96 of 96."


def test_every_table_of_answers_names_the_protocol(full: RunView) -> None:
    specification = {**full.manifest.specification, "protocol": "frozen"}
    manifest = full.manifest.model_copy(update={"specification": specification})
    view = replace(full, manifest=manifest)
    metric = manifest.metric("psnr")
    assert view.tag(metric) == ""
    assert view.tag(metric.model_copy(update={"name": "accuracy_gain"})) == "[frozen] "
    assert full.tag(metric.model_copy(update={"name": "accuracy_gain"})) == ""
