"""What the three tasks plan: shared trainings, observers, phantoms, lessons; what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import EquiluxError
from benchmark.metrics import judged_by
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import resolve
from benchmark.spec.catalogue import find_task, task_names

TASKS = ("face-identity", "low-light-recognition", "medical-structure")


def planned(task: str, **choices: object) -> Plan:
    request = resolve(find_task(task), **{"profile": "quick", "device": "cpu", **choices})  # type: ignore[arg-type]
    return make_plan(request)


def test_the_three_pillars_are_there() -> None:
    assert task_names() == TASKS


@pytest.mark.parametrize("task", TASKS)
def test_every_unit_comes_after_what_it_needs(task: str) -> None:
    seen: set[tuple[str, str]] = set()
    for unit in planned(task):
        assert set(unit.needs.values()) <= seen, unit.title
        seen.add(unit.need())


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_tasks_share_every_training(profile: str) -> None:
    keys = [
        {run: unit.key for run, unit in planned(task, profile=profile).trainings.items()}
        for task in TASKS
    ]
    assert keys[0]
    assert keys[0] == keys[1] == keys[2]


def test_observers_look_at_every_system_and_at_the_clean_pictures() -> None:
    plan = planned("face-identity")
    for name in ("representation", "distribution"):
        observed = plan.observed[name]
        judges = [judge["name"] for judge in observed.judges]
        systems = {None, *plan.enhancements}
        assert set(observed.units) == {(run, judge) for run in systems for judge in judges}
        assert len(judges) == 2
    aware = [judge["attribute_aware"] for judge in plan.observed["distribution"].judges]
    assert True in aware


def test_every_system_enhances_the_phantoms_and_nothing_else_changes() -> None:
    plan = planned("medical-structure")
    assert plan.null_test is not None
    assert set(plan.null_test.counts) == set(plan.enhancements)
    assert plan.null_test.data.key != plan.data.key
    assert plan.sanity is not None
    assert planned("face-identity").null_test is None
    assert planned("face-identity").sanity is None


def test_the_retrained_protocol_has_a_reader_for_every_system() -> None:
    frozen, retrained = (
        planned("low-light-recognition", protocol=name) for name in ("frozen", "retrained")
    )
    assert frozen.lessons is None
    assert retrained.lessons is not None
    readers = {unit.key for unit in retrained.lessons.readers.values()}
    assert len(readers) == len(retrained.enhancements)
    for run, unit in retrained.enhancements.items():
        assert unit.key == frozen.enhancements[run].key
        assert retrained.scores[run, "recognition"].key != frozen.scores[run, "recognition"].key
        assert retrained.scores[run, "psnr"].key == frozen.scores[run, "psnr"].key
    assert retrained.analysis.payload["protocol"] == "retrained"
    assert "accuracy_beyond_brightness" not in retrained.scorers.metrics


def test_a_task_without_recogniser_has_no_protocol() -> None:
    with pytest.raises(EquiluxError, match="no recogniser"):
        planned("face-identity", protocol="retrained")


def test_a_mapping_chooses_the_judges_that_can_answer(shared_data: Path) -> None:
    judges = {"segmenter": "lungs", "reader": "cifar10-resnet20"}
    assert judged_by("dice", judges) == "dice:lungs"
    assert judged_by("accuracy", judges) == "accuracy:cifar10-resnet20"
    assert judged_by("psnr", judges) == "psnr"
    assert judged_by("dice:frangi", judges) == "dice:frangi"
    plan = planned(
        "medical-structure",
        data=str(shared_data / "medical" / "cxr"),
        mapping="cxr",
        systems=("input", "oracle"),
        profile="smoke",
    )
    assert "dice:lungs" in plan.scorers.metrics
    assert "lesion_omission" not in plan.scorers.metrics
