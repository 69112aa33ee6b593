"""Printed numbers: complete, consistent with themselves, and never among ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.published.outputs import PUBLISHED_OUTPUTS
from benchmark.errors import UnknownNameError
from benchmark.metrics import metric_specs
from benchmark.papers import (
    FLAGS,
    find_paper,
    not_printed,
    paper_names,
    side_by_side,
    tables_on,
)

SKF = find_paper("skf")


def column(table: int, name: str, rows: tuple[str, ...]) -> np.ndarray:
    found = SKF.tables[table]
    at = found.columns.index(name)
    values = {row.system: row.values[at] for row in found.rows}
    return np.array([values[row] for row in rows])


def test_every_paper_can_be_read_and_refers_to_what_there_is() -> None:
    known = {*ENHANCERS.names(), *(each.name for each in PUBLISHED_OUTPUTS)}
    metrics = set(metric_specs())
    for paper in map(find_paper, paper_names()):
        declared = {c.ours for c in paper.columns if c.ours}
        assert all(metric in metrics or metric.startswith("pyiqa:") for metric in declared)
        for table in paper.tables:
            assert {row.ours for row in table.rows if row.ours} <= known
            assert {row.flag for row in table.rows if row.flag} <= set(FLAGS)
    with pytest.raises(UnknownNameError, match="skf"):
        find_paper("skff")


def test_the_numbers_add_up_to_what_the_paper_says_of_them() -> None:
    hosts = (
        "RetinexNet",
        "KinD",
        "DRBN",
        "KinD++",
        "HWMNet",
        "SNR-LLIE-Net",
        "LLFlow-S",
        "LLFlow-L",
    )
    guided = tuple(f"{host}-SKF" for host in hosts)
    gain = column(0, "psnr", guided) - column(0, "psnr", hosts)
    assert gain.mean() == pytest.approx(1.750, abs=0.002)  # the text's mean over the eight
    assert gain[5] == pytest.approx(0.423, abs=1e-9)  # where the text has 0.552
    assert (column(1, "psnr", guided) - column(1, "psnr", hosts)).mean() == pytest.approx(
        1.651, abs=0.001
    )
    # the same rows in other tables
    assert column(8, "psnr", ("base", "all")) == pytest.approx([18.970, 20.363])
    margins = [
        column(12, "psnr", (f"{h}-SKF",)) - column(12, "psnr", (f"{h} large",))
        for h in ("HWMNet", "LLFlow-S", "LLFlow-L")
    ]
    assert np.mean(margins) == pytest.approx(1.307, abs=0.001)


def test_flags_are_where_they_belong() -> None:
    for paper in map(find_paper, paper_names()):
        for table in paper.tables:
            for row in table.rows:
                host = row.system.partition("-")[0] if "on KinD++" not in table.title else "KinD++"
                takes = {"LLFlow": "brightness", "KinD": "illumination", "KinD++": "illumination"}
                expected = f"ground-truth-{takes[host]}" if host in takes else None
                if host == "ISSR":
                    expected = "reported-only"
                    assert row.ours is None
                # MEF, LIME, NPE and DICM have no ground truth that could be taken from
                assert row.flag == (expected if table.dataset else None), (table.title, row)


def test_printed_and_measured_stay_apart() -> None:
    measured = {
        "zero-dce": {"psnr": 14.9, "psnr_gtmean": 20.9},
        "mine": {"psnr": 30.0},
        "llflow-s-skf": {"psnr": 25.8},
    }
    rows = {row.system: row for row in side_by_side(SKF, SKF.tables[0], measured)}
    assert rows["Zero-DCE"].printed["psnr"] == 14.861
    assert rows["Zero-DCE"].measured == {
        **dict.fromkeys(("ssim_uniform", "lpips-alex", "pyiqa:niqe")),
        "psnr": 14.9,
        "psnr_gtmean": 20.9,
    }
    assert rows["ISSR"].measured["psnr"] is None
    assert rows["LLFlow-S-SKF"].flag == "ground-truth-brightness"
    assert rows["LLFlow-S-SKF"].label == "LLFlow-S-SKF (1)"
    assert set(rows) == {row.system for row in SKF.tables[0].rows}
    assert not_printed(measured, "lol-v1") == ["mine"]


def test_tables_are_found_by_their_data() -> None:
    names = {(paper.name, table.table) for paper, table in tables_on("lol-v1")}
    assert {("skf", "1"), ("skf", "2"), ("iat", "README"), ("llflow", "README")} <= names
    assert not tables_on("drive")


@pytest.mark.parametrize("command", [["list"], ["show", "skf"], ["show", "skf", "--table", "3"]])
def test_commands_print_them(command: list[str]) -> None:
    result = CliRunner().invoke(app, ["papers", *command])
    assert result.exit_code == 0, result.output
    assert "CVPR 2023" in result.output


def test_a_table_for_a_page_has_the_digits_that_were_printed() -> None:
    result = CliRunner().invoke(app, ["papers", "show", "llflow", "--markdown"])
    assert result.exit_code == 0, result.output
    assert "| KinD (2) | 20.87 | 0.80 | 0.17 |" in result.output
    assert "(2) its authors' test on LOL takes the illumination ratio" in result.output


def on_disk(folder: Path) -> Path:
    """Two pairs that are laid out as LOL v1 is."""
    for part, light in (("low", 20), ("high", 120)):
        (folder / part).mkdir(parents=True)
        for number in (1, 22):
            pixels = np.random.default_rng(number).integers(0, light, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / part / f"{number}.png")
    return folder


def test_everything_at_hand_is_measured_beside_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    lol = on_disk(tmp_path / "lol")
    places = ["--cache", str(tmp_path / "cache"), "--runs", str(tmp_path / "runs")]
    name = "outputs:high"
    asked = ["--all", "--system", f"outputs:{lol / 'high'}"]
    command = ["papers", "compare", "--data", str(lol), *asked, *places]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    # of classical methods one is printed; of the rest there are our numbers alone
    alone = result.output.partition("In none of these tables")[2]
    assert [line.split()[0] for line in alone.splitlines()[3:6]] == ["gamma", "clahe", name]
    assert "14 of the 15 test scenes" in result.output
    assert "lpips-alex is not measured here" in result.output
    assert "weights fetch alexnet" in result.output
    assert "zero-dce:" not in result.output
    again = CliRunner().invoke(app, [*command, "--json"])
    content = json.loads(again.output)
    assert content["not_printed"][name]["psnr"] == 100
    assert {table["paper"] for table in content["tables"]} == {"skf", "iat", "llflow"}


def test_the_page_has_the_printed_numbers_of_the_papers() -> None:
    page = (Path(__file__).parents[1] / "docs" / "published-enhancers.md").read_text("utf-8")
    sections = page.partition("## Beside what papers print")[2].split("\n\n")
    found = 0
    for paper, table in tables_on("lol-v1"):
        number = f"table {table.table}" if table.table.isdigit() else table.table
        title = f"{paper.source}: {number}, {table.title}"
        if title not in sections:
            continue
        heads, _, *lines = (
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in sections[sections.index(title) + 1].splitlines()
        )
        rows = side_by_side(paper, table, {})
        assert [line[0] for line in lines] == [row.label for row in rows]
        for at, head in enumerate(heads):
            if head.endswith(" printed"):
                column = [row.printed[head.removesuffix(" printed")] for row in rows]
                assert [float(line[at]) if line[at] != "-" else None for line in lines] == column
                found += 1
    assert found == 11
