"""The arm ``own`` in a run: planned without a calibration, absent weights an error before work."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import UnknownNameError, WeightsError
from benchmark.runner.plan import make_plan
from benchmark.runner.request import resolve
from benchmark.runner.trainings import plan_trainings
from benchmark.spec.catalogue import find_task


def test_a_run_plans_a_training_without_calibration() -> None:
    task = find_task("face-identity")
    request = resolve(task, profile="smoke", device="cpu", hosts=("mirnet",), arms=("own",))
    shared, trainings = plan_trainings(request)
    assert [unit.stage for unit in shared] == ["pool"]
    assert trainings
    for run, unit in trainings.items():
        assert (run.enhancer, run.arm) == ("mirnet", "own")
        assert unit.payload["host"] == "mirnet"
        assert unit.payload["weights"] == {}
    assert make_plan(request).enhancements


def test_a_host_without_losses_of_its_own_is_refused() -> None:
    task = find_task("face-identity")
    with pytest.raises(UnknownNameError, match="no own objective called 'curve'"):
        resolve(task, profile="smoke", device="cpu", hosts=("curve",), arms=("own",))


def test_absent_weights_of_an_objective_stop_the_plan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    task = find_task("face-identity")
    request = resolve(task, profile="smoke", device="cpu", hosts=("enlightengan",), arms=("own",))
    with pytest.raises(WeightsError, match="weights fetch vgg16"):
        plan_trainings(request)
