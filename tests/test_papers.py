"""Printed numbers: complete, consistent with themselves, and never among ours."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.published.outputs import PUBLISHED_OUTPUTS
from benchmark.errors import UnknownNameError
from benchmark.metrics import metric_specs
from benchmark.papers import FLAGS, find_paper, paper_names, side_by_side, tables_on

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
    flagged = {row.system for table in SKF.tables for row in table.rows if row.flag}
    assert {"ISSR", "LLFlow-S", "LLFlow-S-SKF", "LLFlow-L", "LLFlow-L-SKF"} <= flagged
    rows = [row for table in SKF.tables for row in table.rows]
    assert all(row.flag for row in rows if row.system.startswith(("LLFlow", "ISSR")))
    assert not [row.ours for row in rows if row.system == "ISSR" and row.ours]


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
    assert rows["mine"].printed["psnr"] is None
    assert rows["mine"].measured["psnr"] == 30.0


def test_tables_are_found_by_their_data() -> None:
    names = {(paper.name, table.table) for paper, table in tables_on("lol-v1")}
    assert {("skf", "1"), ("skf", "2"), ("iat", "README")} <= names
    assert not tables_on("drive")


@pytest.mark.parametrize("command", [["list"], ["show", "skf"], ["show", "skf", "--table", "3"]])
def test_commands_print_them(command: list[str]) -> None:
    result = CliRunner().invoke(app, ["papers", *command])
    assert result.exit_code == 0, result.output
    assert "CVPR 2023" in result.output
