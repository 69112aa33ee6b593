"""What tells schedules what a picture is of is the user's choice, and part of what was trained."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.contexts import CONTEXTS
from benchmark.contexts.cnn import CnnPredictor
from benchmark.errors import EquiluxError, UnknownNameError, WeightsError
from benchmark.progress import Reporter
from benchmark.runner import manifest
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.store import Store
from benchmark.runner.study import plan_study
from benchmark.spec.catalogue import find_task
from benchmark.training.pools import run_pool


def requested(contexts: str | None = None, **choices: object) -> Request:
    task = find_task("low-light-recognition")
    return resolve(task, profile="smoke", device="cpu", contexts=contexts, **choices)  # type: ignore[arg-type]


def keys(plan: Plan) -> dict[str, str]:
    return {f"{unit.stage} {unit.title}": unit.key for unit in plan}


def test_another_predictor_is_another_pool_and_other_trainings() -> None:
    default, oracle = keys(make_plan(requested())), keys(make_plan(requested("oracle")))
    changed = {title for title, key in oracle.items() if default[title] != key}
    assert {title.split()[0] for title in changed} >= {"pool", "calibrate", "train", "analyse"}
    assert not {title.split()[0] for title in changed} & {"data", "prepare"}
    assert keys(make_plan(requested("cnn"))) == default
    # systems that learn nothing are not enhanced again
    assert default["enhance lime"] == oracle["enhance lime"]


def test_new_weights_of_the_predictor_are_another_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_plan(requested()).shared[0]
    monkeypatch.setattr(CnnPredictor, "identity", lambda self: {"predictor": "cnn", "sha256": "0"})
    assert make_plan(requested()).shared[0].key != before.key


def test_a_task_may_say_it_and_the_command_line_has_the_last_word() -> None:
    task = find_task("low-light-recognition")
    task = replace(task, spec=task.spec.model_copy(update={"contexts": "shuffled"}))
    for said, asked in ((None, "shuffled"), ("oracle", "oracle")):
        request = resolve(task, profile="smoke", device="cpu", contexts=said)
        assert make_plan(request).shared[0].payload["predictor"] == asked


def test_a_study_of_cals_takes_it_for_every_task() -> None:
    tasks = ("face-identity", "low-light-recognition")
    planned = plan_study(tasks, profile="smoke", device="cpu", contexts="oracle")
    pools = [plan.shared[0] for _, plan in planned]
    assert pools[0].payload["predictor"] == "oracle"
    assert pools[0].key == pools[1].key


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("oracel", UnknownNameError, "oracle"),
        ("cnn:somewhere", UnknownNameError, "takes no model"),
        ("clip", WeightsError, "needs a model"),
    ],
)
def test_a_wrong_name_is_refused(name: str, error: type[EquiluxError], message: str) -> None:
    with pytest.raises(error, match=message):
        requested(name)


def test_an_absent_model_stops_the_plan_only_where_something_is_trained() -> None:
    with pytest.raises(WeightsError, match="no such folder"):
        make_plan(requested("clip:/no/such/folder"))
    assert make_plan(requested("clip:/no/such/folder", systems=("lime",))).shared == ()


def test_a_run_says_what_the_predictor_knew(tmp_path: Path) -> None:
    request = requested("oracle", systems=("curve",))
    plan, store = make_plan(request), Store(tmp_path)
    pool = plan.shared[0]
    silent = Reporter(Console(file=io.StringIO()))
    payload = {**pool.payload, "samples": 6, "size": 32}
    store.build(*pool.need(), lambda out: run_pool(payload, out=out, reporter=silent))
    found = manifest._predictor(request, plan, store)
    assert found is not None
    assert (found["name"], found["sha256"]) == ("oracle", "")
    assert found["card"]["accuracy"] == 1
    assert set(found["card"]["by_context"]) == set(CONTEXTS)
    assert found["measured_on"] == "the training pictures of this run"
    held_out = manifest._predictor(requested(systems=("curve",)), plan, store)
    assert held_out is not None
    assert held_out["name"] == "context-cnn"
    assert manifest._predictor(requested("oracle", systems=("lime",)), plan, store) is None
