"""What goes to the Hub is what the Hub's own library reads, and names the worst group."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from benchmark.errors import UnknownNameError
from benchmark.report.leaderboard import add_result, export_system, read_results
from benchmark.report.leaderboard.board import boards

from .publishing import write_published
from .synthetic_run import Options


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    add_result(write_published(folder / "run", Options(gallery=False)), folder / "results")
    return folder / "results"


def test_the_hub_reads_the_model_index(results: Path) -> None:
    files = export_system(results, "gamma")
    name, found = model_index_to_eval_results(
        yaml.safe_load(files["model-index.yaml"])["model-index"]
    )
    assert name == "gamma"
    (board,) = boards(read_results(results))
    cell = board.lines(board.view.manifest.metric("detected"))["gamma", ""].overall
    values = {one.metric_name: one.metric_value for one in found}
    assert values["detected, all"] == pytest.approx(cell.mean, rel=1e-5)
    assert values["detected, worst group"] < values["detected, all"]
    assert {one.dataset_type for one in found} == {"equilux/face-identity"}


def test_a_model_card_with_both_parts_is_read_and_written_unchanged(results: Path) -> None:
    files = export_system(results, "curve", "cals")
    front = f"license: apache-2.0\n{files['model-index.yaml']}"
    card = huggingface_hub.ModelCard(f"---\n{front}---\n\n{files['model-card-section.md']}")
    assert card.data.model_name == "curve cals"
    assert len(card.data.eval_results) == front.count("value:")
    assert huggingface_hub.ModelCard(str(card)).data.to_dict() == card.data.to_dict()


def test_the_hub_reads_the_eval_results(results: Path) -> None:
    parse = getattr(huggingface_hub, "parse_eval_result_entries", None)
    if parse is None:
        pytest.skip("this release of huggingface_hub does not know .eval_results")
    content = yaml.safe_load(
        export_system(results, "clahe")[".eval_results/equilux-face-identity.yaml"]
    )
    entries = parse(content)
    assert {entry.task_id for entry in entries} >= {"id_cosine-all", "id_cosine-worst"}
    assert all(entry.dataset_id == "equilux/face-identity" for entry in entries)


def test_the_card_section_names_gaps_limits_and_provenance(results: Path) -> None:
    text = export_system(results, "curve", "cals")["model-card-section.md"]
    assert "| id cosine |" in text
    assert "by chance" in text
    assert "Limits, computed from lower bounds:" in text
    assert read_results(results)[0].record.run_manifest in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count(" | ") for line in rows} == {6}


def test_an_unknown_system_is_refused_with_the_nearest(results: Path) -> None:
    with pytest.raises(UnknownNameError, match="clahe"):
        export_system(results, "clahee")
