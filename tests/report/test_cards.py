"""Cards: generated, the same for the same inputs, true of the task, and valid Croissant."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestIndPower

from benchmark.errors import DataError, SpecError
from benchmark.fairness.power import detectable
from benchmark.report.cards import stale, write_card
from benchmark.report.cards.croissant import licence_url
from benchmark.report.cards.judging import judges_of
from benchmark.report.cards.markdown import grid
from benchmark.report.cards.power import deficit_se
from benchmark.report.cards.rows import of_run
from benchmark.spec.catalogue import TaskFolder, find_task, task_names

from .synthetic_run import PEOPLE, Options, write_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")

FACES = find_task("face-identity")


@pytest.fixture(scope="session")
def faces_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the version of the task that is there."""
    folder = tmp_path_factory.mktemp("cards") / "run"
    write_run(folder, Options(parts=True, gallery=False))
    path = folder / "manifest.json"
    manifest = _read(path)
    manifest["specification"]["version"] = FACES.spec.version
    path.write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def folder(faces_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    write_card(FACES, out=folder, run=faces_run)
    return folder


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _validated(path: Path) -> mlcroissant.Dataset:
    dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings
    return dataset


@pytest.mark.parametrize("name", task_names())
def test_the_card_of_every_task_is_up_to_date(name: str) -> None:
    task = find_task(name)
    assert stale(task.spec, task.folder / "card.md") == (), (
        f"python -m benchmark card --task {name} --run runs/RUN"
    )


@pytest.mark.parametrize("name", task_names())
def test_every_committed_croissant_file_is_valid_and_of_this_version(name: str) -> None:
    task = find_task(name)
    path = task.folder / "croissant.json"
    dataset = _validated(path)
    assert dataset.metadata.version == f"{task.spec.version}.0.0"
    assert _read(path)["rai:dataLimitations"] == list(task.spec.limits)


@pytest.mark.parametrize("name", task_names())
def test_a_card_without_a_run_is_complete_but_for_measurements(name: str, tmp_path: Path) -> None:
    task = find_task(name)
    files = write_card(task, out=tmp_path)
    assert files.samples is None
    shutil.copy(task.folder / "about.yaml", tmp_path)
    assert stale(task.spec, files.card) == ()
    text = files.card.read_text(encoding="utf-8")
    assert "give `--run`" in text
    assert not re.search(r"\bnan\b|\| None|: None|\{\{|\{%", text)
    assert "\n\n\n" not in text
    _validated(files.croissant)


def test_the_same_inputs_give_the_same_bytes(folder: Path, faces_run: Path, tmp_path: Path) -> None:
    write_card(FACES, out=tmp_path, run=faces_run)
    names = {path.name for path in folder.iterdir()}
    assert names == {"card.md", "croissant.json", "samples.csv"}
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_card_has_every_part_in_order(folder: Path) -> None:
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Who is in the data",
        "Who labelled it",
        "How the pictures came to be",
        "What is done to them",
        "What is measured",
        "Who judges, and how unequally",
        "What the statistics can find",
        "Self-tests of the metrics on these data",
        "Evidence that the probe can carry a claim",
        "What must not be concluded",
        "Use",
        "Licences",
        "How this card was made",
    ]
    assert "python -m benchmark card --task face-identity --run runs/face-identity-quick" in text


def test_people_and_pictures_are_counted_once(folder: Path) -> None:
    """However many systems there are: two pictures of each person."""
    text = (folder / "card.md").read_text(encoding="utf-8")
    for tone, people in PEOPLE.items():
        assert f"| tone level | sensitive | {tone} | {people} | {2 * people} |" in text


def test_the_judges_own_error_is_the_oracle_row(folder: Path, faces_run: Path) -> None:
    text = (folder / "card.md").read_text(encoding="utf-8")
    groups = pd.read_parquet(faces_run / "groups.parquet").query(
        "system == 'oracle' and metric == 'detected' and axis == 'tone_level'"
    )
    row = next(line for line in text.splitlines() if line.startswith("| `detected` | % |"))
    for mean in groups["mean"]:
        assert f" {100 * mean:.1f} [" in row
    judged = text[: text.index("## What the statistics can find")]
    assert "| `psnr` | dB |" not in judged, "a formula has no judge"


def test_ceilings_of_attribute_judges_and_readers_are_in_the_card(folder: Path) -> None:
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert "| `face-attributes` | sees the group | tone level | dark | 95.0 | 100 |" in text
    assert text.count("| `sign-judge` | reads rightly | illumination | dim | 97.0 | 120 |") == 1
    assert "| `sign-reader` | reads rightly | – | everyone | 97.0 | 240 |" in text


def test_a_failed_self_test_is_in_the_card(folder: Path) -> None:
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert "| `ssim` | a blurred image scores better than the same image deformed as well " in text
    assert "| **fails** | blurred 0.912, deformed 0.915 |" in text


def test_croissant_lists_the_rows_and_can_be_loaded(folder: Path, faces_run: Path) -> None:
    dataset = _validated(folder / "croissant.json")
    expected = of_run(pd.read_parquet(faces_run / "samples.parquet"))
    records = list(dataset.records("samples"))
    assert len(records) == len(expected) == 2 * sum(PEOPLE.values())
    assert {r["samples/sample"].decode() for r in records} == set(expected["sample"])
    groups = {r["groups/group"]: r for r in dataset.records("groups")}
    assert groups["light"]["groups/subjects"] == PEOPLE["light"]
    document = _read(folder / "croissant.json")
    content = (folder / "samples.csv").read_bytes()
    assert document["distribution"][0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_every_field_is_one_that_the_format_knows(folder: Path) -> None:
    """The validator drops what it does not know, so nothing may be dropped."""
    document = _read(folder / "croissant.json")
    known = _validated(folder / "croissant.json").metadata.to_json()
    assert set(document) == set(known)
    assert {key for key in document if key.startswith("rai:")} >= {
        *("rai:dataCollection", "rai:dataBiases", "rai:personalSensitiveInformation"),
        *("rai:dataSocialImpact", "rai:dataLimitations", "rai:annotationsPerItem"),
        *("rai:dataAnnotationProtocol", "rai:dataUseCases", "rai:dataReleaseMaintenancePlan"),
    }


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({"version": 98}, "version 98"),
        ({"limits": ["Something new."]}, "limit 'Something new.'"),
        ({"title": "Another"}, "title"),
    ],
)
def test_a_stale_card_is_noticed(folder: Path, change: dict[str, Any], lacking: str) -> None:
    assert stale(FACES.spec, folder / "card.md") == ()
    assert lacking in stale(FACES.spec.model_copy(update=change), folder / "card.md")


def test_a_new_metric_stratum_or_size_makes_a_card_stale(folder: Path) -> None:
    spec = FACES.spec.model_dump()
    spec["metrics"]["secondary"].append("delta_e")
    spec["degradation"]["strata"]["dim"]["exposure"] = 0.2
    spec["profiles"]["quick"]["subjects"] = 51
    changed = type(FACES.spec).model_validate(spec)
    assert stale(changed, folder / "card.md") == ("metric delta_e", "stratum dim", "profile quick")
    assert stale(FACES.spec, folder / "nothing.md") == ("nothing.md is missing",)


def test_a_run_of_another_version_is_refused(faces_run: Path, tmp_path: Path) -> None:
    spec = FACES.spec.model_copy(update={"version": 97})
    with pytest.raises(DataError, match="the task of version 97"):
        write_card(TaskFolder(spec, FACES.folder), out=tmp_path, run=faces_run)
    assert not list(tmp_path.iterdir())


def test_without_its_human_half_there_is_no_card(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="human half") as caught:
        write_card(TaskFolder(FACES.spec, tmp_path), out=tmp_path)
    assert "about.yaml" in str(caught.value)


MAPPING = """
format: 2
name: volunteers
title: Volunteers | <b>of our lab</b>
licence: LicenseRef-consent
source: recorded in our lab with consent
image: file_name
identity: person
axes:
  - {column: tone, role: sensitive, source: self-reported, levels: [light, dark], caution: few dark}
headline_axis: tone
notes: [Only adults.]
"""


def test_real_people_are_counted_and_never_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = [(f"p{i}.png", f"Erika {i // 2}", "light" if i < 40 else "dark") for i in range(60)]
    pd.DataFrame(rows, columns=["file_name", "person", "tone"]).to_csv(
        data / "metadata.csv", index=False
    )
    (data / "mapping.yaml").write_text(MAPPING)
    files = write_card(FACES, out=tmp_path / "out", data=str(data))
    assert files.samples is None
    text = files.card.read_text(encoding="utf-8")
    assert "| tone | sensitive | light | 20 | 40 |" in text
    assert "| tone | sensitive | dark | 10 | 20 |" in text
    assert "the people themselves | few dark |" in text
    assert (
        text.index("Only adults.")
        < text.index("take the place of")
        < text.index(FACES.spec.limits[0])
    )
    both = text + files.croissant.read_text(encoding="utf-8")
    assert "Erika" not in both
    assert ".png" not in both
    document = _read(files.croissant)
    assert document["license"] == "LicenseRef-consent"
    assert "distribution" not in document
    dataset = mlcroissant.Dataset(jsonld=files.croissant)
    assert not dataset.metadata.ctx.issues.errors
    assert [r["groups/subjects"] for r in dataset.records("groups")][:2] == [20, 10]


def test_the_standard_error_of_a_deficit_matches_simulation() -> None:
    sizes, sd = [12, 30, 34], 2.0
    rng = np.random.default_rng(1)
    means = [rng.normal(0, sd, (20_000, n)).mean(1) for n in sizes]
    simulated = float((means[0] - (means[1] + means[2]) / 2).std())
    se, df = deficit_se(sd, sizes)
    assert se == pytest.approx(simulated, rel=0.02)
    assert df == 73


def test_two_groups_need_what_a_t_test_needs() -> None:
    se, df = deficit_se(1.0, [50, 50])
    wanted = TTestIndPower().solve_power(nobs1=50, alpha=0.05, power=0.9)
    assert float(detectable(se, df)) == pytest.approx(wanted, rel=0.01)


def test_metrics_know_their_judges() -> None:
    assert judges_of("psnr") == ()
    assert judges_of("detected") == ("dlib-hog",)
    assert judges_of("tar") == ("dlib", "dlib-hog")
    assert judges_of("id_cosine") == ("dlib",)
    assert judges_of("lpips-squeeze") == ("lpips-squeeze",)


def test_cells_of_a_card_cannot_break_its_tables() -> None:
    text = grid(("a", "b"), [("x|y\nz", "<script>"), (float("nan"), None)])
    assert text.splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| x\\|y z | &lt;script> |",
        "| – | – |",
    ]
    assert grid(("a",), []) == ""


@pytest.mark.parametrize(
    ("licence", "url"),
    [
        ("Apache-2.0", "https://spdx.org/licenses/Apache-2.0.html"),
        ("LicenseRef-x", "LicenseRef-x"),
        ("for research only", "for research only"),
        ("https://example.org/terms", "https://example.org/terms"),
    ],
)
def test_licences_are_linked_where_they_have_a_page(licence: str, url: str) -> None:
    assert licence_url(licence) == url


def test_the_command_prints_what_it_wrote(faces_run: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from benchmark.cli.app import app

    arguments = ["card", "--task", "face-identity", "--run", str(faces_run), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert [Path(line).name for line in result.output.splitlines()] == [
        *("card.md", "croissant.json", "samples.csv")
    ]
