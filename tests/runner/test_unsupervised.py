"""Arms without references in a run: units without calibration, keyed by what guides them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.errors import UnknownNameError, WeightsError
from benchmark.files import sha256_of_file
from benchmark.registry import Entry
from benchmark.runner.request import Request, resolve
from benchmark.runner.trainings import plan_trainings
from benchmark.spec.catalogue import find_task
from benchmark.weights import WEIGHTS, WeightStore

_WEIGHTS = "sdag-reconstruction"


def request_for(*arms: str) -> Request:
    return resolve(find_task("face-identity"), profile="smoke", device="cpu", arms=arms)


def test_units_have_no_calibration_and_share_the_pool_with_paired_arms() -> None:
    shared, trainings = plan_trainings(request_for("zero-dce", "matched"))
    by_arm = {run.arm: unit for run, unit in trainings.items()}
    assert set(by_arm) == {"zero-dce", "matched"}
    assert set(by_arm["zero-dce"].needs) == {"pool"}
    assert set(by_arm["matched"].needs) == {"pool", "calibration"}
    assert by_arm["zero-dce"].needs["pool"] == by_arm["matched"].needs["pool"]
    assert len(shared) == 2
    assert len(plan_trainings(request_for("zero-dce"))[0]) == 1


def test_absent_weights_stop_the_run_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights fetch {_WEIGHTS}"):
        plan_trainings(request_for("zero-dce", "zero-dce+sdag"))


def test_other_weights_are_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []
    for number in range(2):
        file = tmp_path / f"{number}.pth"
        file.write_bytes(bytes([number]))
        weight = replace(WEIGHTS.get(_WEIGHTS), sha256=(sha256_of_file(file),))
        monkeypatch.setitem(WEIGHTS._entries, _WEIGHTS, Entry(_WEIGHTS, weight, "", "test"))
        monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path / f"store{number}"))
        WeightStore().add(_WEIGHTS, file)
        _, trainings = plan_trainings(request_for("zero-dce", "zero-dce+sdag"))
        keys.append({run.arm: unit.key for run, unit in trainings.items()})
    assert keys[0]["zero-dce"] == keys[1]["zero-dce"]
    assert keys[0]["zero-dce+sdag"] != keys[1]["zero-dce+sdag"]


def test_a_wrong_arm_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="matched"):
        request_for("matchd")
