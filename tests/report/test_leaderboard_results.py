"""From runs to committed results and boards: nothing is lost, mixed, smuggled in or made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import DataError
from benchmark.fairness import AxisInfo, MetricInfo, Policy, analyse
from benchmark.files import sha256_of_file
from benchmark.report.leaderboard import add_result, read_result, read_results
from benchmark.report.leaderboard.board import Board, boards
from benchmark.report.leaderboard.history import history
from benchmark.report.leaderboard.limits import benefits, limits
from benchmark.report.leaderboard.protocol import protocol_of
from benchmark.report.leaderboard.tables import linked, worst_group

from .publishing import write_published
from .synthetic_run import Options


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("published") / "run")


@pytest.fixture(scope="module")
def results(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    add_result(run, folder, note="first")
    return folder


@pytest.fixture(scope="module")
def board(results: Path) -> Board:
    (found,) = boards(read_results(results))
    return found


def _bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def _edit(result: Path, change: Any) -> None:
    path = result / "result.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_same_run_gives_the_same_files_and_counts_once(
    run: Path, results: Path, tmp_path: Path
) -> None:
    folder, new = add_result(run, tmp_path, note="first")
    assert new
    assert _bytes(folder) == _bytes(results / "face-identity" / "quick-0001")
    again, new = add_result(run, tmp_path, note="another word")
    assert (again, new) == (folder, False)


def test_tables_survive_and_sample_rows_stay_out(run: Path, results: Path) -> None:
    result = read_result(results / "face-identity" / "quick-0001")
    written = pd.read_parquet(run / "groups.parquet")
    merged = written.merge(
        result.view.groups, on=["system", "arm", "metric", "axis", "group"], how="right"
    )
    assert len(merged) == len(result.view.groups) > 0
    np.testing.assert_allclose(merged["mean_x"], merged["mean_y"], rtol=1e-6)
    samples = pd.read_parquet(run / "samples.parquet")
    text = "".join(p.read_text() for p in result.folder.iterdir() if p.suffix in {".csv", ".json"})
    assert not [name for name in samples["sample"].unique() if f"{name}," in text]
    assert result.view.manifest.files["samples.parquet"] == sha256_of_file(run / "samples.parquet")


def test_ranks_over_results_are_those_of_one_run(run: Path, board: Board) -> None:
    """Cluster means are enough: the statistics of a run on its samples say the same."""
    samples = pd.read_parquet(run / "samples.parquet").assign(status="ok")
    statistics = board.view.manifest.statistics
    found = analyse(
        samples,
        metrics=[MetricInfo("detected", 1, "rate")],
        axes=[AxisInfo("tone_level", "sensitive", ("light", "medium", "dark"))],
        policy=Policy(bootstrap=int(statistics["replicates"]), permutations=99),
    )
    assert len(found.tiers) == 14
    for row in found.tiers.to_dict("records"):
        own = board.standing["detected", row["target"], (row["system"], row["arm"])]
        for column in ("tier", "rank", "rank_low", "rank_high"):
            assert own[column] == row[column], (row["system"], row["target"], column)


def test_limits_come_from_lower_bounds(run: Path, board: Board) -> None:
    samples = pd.read_parquet(run / "samples.parquet")
    metric = board.view.manifest.metric("id_cosine")
    gamma = board.view.by_key["gamma", ""]
    part = samples[samples["tone_level"] == "light"]
    means = part.groupby(["system", "cluster"])["id_cosine"].mean().unstack(0)
    change = means["gamma"] - means["input"]
    found = {one.group: one for one in benefits(board, gamma, metric)}["light"]
    assert found.value == pytest.approx(change.mean(), rel=1e-5)
    half = 2.0345153 * change.std(ddof=1) / np.sqrt(len(change))  # t quantile, 33 degrees
    assert found.high - found.low == pytest.approx(2 * half, rel=1e-4)
    assert limits(board, board.view.by_key["oracle", ""]) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["specification"].update(version=99), "version 99"),
        (lambda m: m["data"].update(source="reference"), "somebody's own"),
        (lambda m: m["data"].update(effect="none"), "shuffled"),
        (lambda m: m["data"].update(degradation={"planted": [1]}), "planted"),
        (lambda m: m["data"].update(subjects=53), "has 54 subjects, this run 53"),
        (lambda m: m["statistics"].update(replicates=100), "10000 replicates, this run 100"),
        (lambda m: m.update(profile="full"), "profile full of face-identity has 200 subjects"),
        (lambda m: m.update(profile="huge"), "no profile 'huge'"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    run = write_published(tmp_path / "run", Options(gallery=False), change)
    with pytest.raises(DataError, match=words) as refused:
        add_result(run, tmp_path / "results")
    assert refused.value.where == str(run)
    assert refused.value.mend
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["data"].update(seed=7), "other data than face-identity/quick-0001"),
        (
            lambda m: m["metrics"][1].update(available=False),
            "lacks what face-identity/quick-0001 is ranked by: id_cosine",
        ),
    ],
)
def test_a_changed_data_set_does_not_supersede_the_board(
    run: Path, tmp_path: Path, change: Any, words: str
) -> None:
    add_result(run, tmp_path / "results")
    other = write_published(tmp_path / "other", Options(gallery=False), change)
    with pytest.raises(DataError, match=words) as refused:
        add_result(other, tmp_path / "results")
    assert "python -m benchmark run --task face-identity --profile quick" in str(refused.value.mend)
    assert len(list((tmp_path / "results" / "face-identity").iterdir())) == 1


def test_a_run_whose_tables_were_edited_is_refused(tmp_path: Path) -> None:
    run = write_published(tmp_path / "run", Options(gallery=False))
    groups = pd.read_parquet(run / "groups.parquet")
    groups.assign(mean=1.0).to_parquet(run / "groups.parquet", index=False)
    with pytest.raises(DataError, match=r"groups\.parquet is not the file"):
        add_result(run, tmp_path / "results")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: (r / "groups.csv").write_text("system\n"), "not the file"),
        (lambda r: (r / "groups.csv").unlink(), "missing"),
        (lambda r: (r / "../x.csv").resolve().rename(r / "strange.csv"), "unknown file"),
        (lambda r: _edit(r, lambda c: c.update(number=7)), "number 7"),
        (lambda r: _edit(r, lambda c: c.update(extra=1)), "extra"),
        (lambda r: _edit(r, lambda c: c["clusters"].update({"dark": []})), "every cluster"),
        (lambda r: _edit(r, lambda c: c["manifest"].pop("task")), "task"),
    ],
)
def test_an_edited_result_is_refused(run: Path, tmp_path: Path, change: Any, words: str) -> None:
    folder, _ = add_result(run, tmp_path)
    (folder.parent / "x.csv").write_text("x")
    change(folder)
    with pytest.raises(DataError, match=words):
        read_results(tmp_path)


def test_other_judges_and_metric_versions_are_boards_of_their_own(tmp_path: Path) -> None:
    def other_judge(manifest: dict[str, Any]) -> None:
        manifest["instruments"][0]["identity"]["weights"] = "66" * 32

    def other_metric(manifest: dict[str, Any]) -> None:
        manifest["metrics"][1]["version"] = "2"

    plain = Options(gallery=False)
    for number, change in enumerate((lambda manifest: None, other_judge, other_metric)):
        run = write_published(tmp_path / f"run{number}", plain, change)
        add_result(run, tmp_path / "results")
    found = boards(read_results(tmp_path / "results"))
    assert [len(board.results) for board in found] == [1, 1, 1]
    assert [board.current for board in found] == [True, False, False]
    assert found[0].protocol.metrics[0] == "id_cosine=2"
    assert len({board.name for board in found}) == 3


def test_a_later_result_replaces_and_the_earlier_stays_in_the_history(
    run: Path, tmp_path: Path
) -> None:
    later = write_published(
        tmp_path / "later", Options(gallery=False), lambda m: m.update(run_id="later")
    )
    add_result(run, tmp_path / "results")
    add_result(later, tmp_path / "results")
    (board,) = boards(read_results(tmp_path / "results"))
    assert [result.number for result in board.results] == [1, 2]
    assert {result.number for result in board.source.values()} == {2}
    past = history(board).numbers
    assert {row["number"] for row in past} == {2}, "what stayed the same is listed once"
    assert len(board.view.groups) == len(board.results[0].view.groups)
    assert len(board.means) == len(board.results[0].means)


def test_the_history_says_what_a_system_had_before_it_was_measured_again(
    run: Path, tmp_path: Path
) -> None:
    add_result(run, tmp_path / "results")
    first = read_results(tmp_path / "results")[0]
    groups = first.view.groups.copy()
    mine = (groups["system"] == "gamma") & (groups["metric"] == "id_cosine")
    groups.loc[mine, "mean"] -= 0.125
    later = replace(
        first,
        name="face-identity/quick-0002",
        record=first.record.model_copy(update={"number": 2}),
        view=replace(first.view, groups=groups),
    )
    (board,) = boards([first, later])
    panel = history(board)
    gamma = [row for row in panel.numbers if row["system"] == "gamma"]
    assert [(row["number"], row["shown"]) for row in gamma] == [(2, True), (1, False)]
    for column in ("all", "worst"):
        assert gamma[1][column] - gamma[0][column] == pytest.approx(0.125)
    metric = board.view.manifest.metric("id_cosine")
    level, worst = worst_group(board.lines(metric)["gamma", ""], board.levels)
    assert (gamma[0]["worst_group"], gamma[0]["worst"]) == (level, worst.mean)
    assert len(panel.numbers) == len(first.view.manifest.systems) + 1
    shown = [cell.text for row in panel.table.rows for cell in row]
    assert shown.count("replaced by no. 2") == 1


def test_a_row_says_what_its_system_has_seen_of_real_data(board: Board) -> None:
    curve = board.view.by_key["curve", "cals"]
    assert linked(curve).note == "cals"
    trained = curve.model_copy(update={"seen": "trained"})
    assert linked(trained).note == "cals, trained on these data"


def test_a_board_without_a_baseline_is_not_built(results: Path) -> None:
    (result,) = read_results(results)
    for lacking in ("input", "oracle", "a classical method"):
        classical = {"gamma", "clahe", "lime"}
        gone = classical if lacking == "a classical method" else {lacking}
        systems = tuple(s for s in result.view.manifest.systems if s.system not in gone)
        manifest = result.view.manifest.model_copy(update={"systems": systems})
        with pytest.raises(DataError, match=lacking):
            boards([replace(result, view=replace(result.view, manifest=manifest))])


def test_the_protocol_does_not_depend_on_who_is_measured(board: Board) -> None:
    manifest = board.view.manifest
    fewer = manifest.model_copy(update={"systems": manifest.systems[:2], "comparisons": ()})
    assert protocol_of(fewer).key == protocol_of(manifest).key
    assert protocol_of(manifest.model_copy(update={"profile": "full"})).key != board.protocol.key
