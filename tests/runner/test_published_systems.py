"""A published system in a run: planned by its weights, absent weights an error before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.enhancers.published.zero_dce import ZeroDce
from benchmark.errors import WeightsError
from benchmark.files import sha256_of_file
from benchmark.registry import Entry
from benchmark.runner.manifest import _description
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import resolve
from benchmark.runner.systems import SystemRun
from benchmark.spec.catalogue import find_task
from benchmark.weights import WEIGHTS


def planned() -> Plan:
    task = find_task("face-identity")
    systems = ("input", "zero-dce")
    return make_plan(resolve(task, profile="smoke", device="cpu", systems=systems))


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Random weights under the name of the published ones, declared as such."""
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    weight = WEIGHTS.get("zero-dce")
    path = tmp_path / weight.file
    torch.save(ZeroDce().state_dict(), path)
    declared = replace(weight, sha256=(sha256_of_file(path),))
    monkeypatch.setitem(WEIGHTS._entries, "zero-dce", Entry("zero-dce", declared, "", "test"))
    return path


def test_absent_weights_stop_the_plan_with_the_mending_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="python -m benchmark weights fetch zero-dce"):
        planned()


def test_the_weights_are_part_of_the_key(stored: Path) -> None:
    units = {run.system: unit for run, unit in planned().enhancements.items()}
    assert units["zero-dce"].payload["weights"] == {"zero-dce": sha256_of_file(stored)}
    assert "weights" not in units["input"].payload


def test_no_task_runs_a_published_system_by_default() -> None:
    from benchmark.enhancers.published import PUBLISHED
    from benchmark.spec.catalogue import task_names

    for name in task_names():
        assert not {system.name for system in PUBLISHED} & set(find_task(name).spec.systems)


def test_the_manifest_says_what_it_is_and_what_it_learned_from() -> None:
    request = resolve(find_task("face-identity"), profile="smoke", device="cpu")
    row = _description(request, SystemRun("zero-dce", "", -1, "zero-dce"))
    assert (row["kind"], row["parameters"]) == ("published", 79_416)
    assert row["licence"] == "CC-BY-NC-4.0"
    assert row["note"].endswith("trained on sice")
