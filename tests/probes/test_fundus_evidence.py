"""What the fundus probe promises is kept, and the measurements notice when it is not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from datasets import load_from_disk
from typer.testing import CliRunner

from benchmark.cli.probe import app
from benchmark.errors import EquiluxError, UnknownNameError
from benchmark.probes import PROBES, ProbeSettings
from benchmark.probes.evidence import inquiry
from benchmark.probes.fundus import PIGMENTATIONS
from benchmark.probes.fundus.evidence import fundus_findings, murray_exponents, solved_exponents
from benchmark.probes.fundus.eye import make_eye


def test_every_promise_is_kept_on_a_few_eyes() -> None:
    done: list[int] = []
    found = fundus_findings(ProbeSettings(4, 1), advance=done.append)
    assert sum(done) == 4
    assert [promise.what for promise in found.promises if not promise.kept] == []
    assert found.holds
    groups = found.numbers["groups"]
    assert list(groups) == list(PIGMENTATIONS)
    # the one way in which pigment matters: over a dark ground vessels stand out less
    assert groups["light"]["vessels"] > groups["medium"]["vessels"] > groups["dark"]["vessels"]
    assert json.loads(json.dumps(found.numbers, allow_nan=False)) == found.numbers


def test_exponents_of_known_calibres() -> None:
    exact = np.array([[2 ** (1 / 3), 1, 1], [2**0.5, 1, 1], [(8 + 27) ** (1 / 3), 2, 3]])
    np.testing.assert_allclose(solved_exponents(exact), [3, 2, 3], rtol=1e-6)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_the_law_is_measured_and_not_assumed(exponent: float) -> None:
    tree = make_eye("test", 1, seed=0).veins
    # a tree with another law: ends of equal calibre, r^x adds up
    ends = (tree.radius / tree.radius.min()) ** 3
    other = replace(tree, radius=tree.radius.min() * 3 * ends ** (1 / exponent) / 3)
    assert float(np.median(murray_exponents(other))) == pytest.approx(exponent, abs=0.25)


def test_evidence_of_unknown_and_silent_probes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UnknownNameError, match="fundus"):
        inquiry("fundsu")
    entry = PROBES.entry("fundus")
    monkeypatch.setattr(PROBES, "entry", lambda _: replace(entry, meta={}))
    with pytest.raises(EquiluxError, match="without evidence"):
        inquiry("fundus")


def test_commands_render_and_measure(tmp_path: object) -> None:
    runner = CliRunner()
    out = f"{tmp_path}/eyes"
    done = runner.invoke(app, ["render", "fundus", "--out", out, "--subjects", "1", "--views", "1"])
    assert done.exit_code == 0, done.output
    dataset = load_from_disk(out)
    assert len(dataset) == 3
    assert {"image", "vessels_mask", "pigmentation"} <= set(dataset.column_names)
    assert dataset[0]["image"].size == (256, 256)
    done = runner.invoke(app, ["evidence", "fundus", "--subjects", "2", "--views", "1", "--json"])
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.output[done.output.index("{") :])
    assert numbers["holds"] is True
