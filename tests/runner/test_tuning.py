"""Equal budgets: what is tried, what is chosen, and that it is frozen before it is tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import TrainingError
from benchmark.files import content_key
from benchmark.progress import Reporter
from benchmark.runner import tuning
from benchmark.runner.plan import make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.run import Run
from benchmark.runner.store import Store
from benchmark.runner.tuning import ARMS, SEED, best_of_each, candidates, tune_and_test
from benchmark.runner.units import VALIDATION_SEED
from benchmark.spec.catalogue import find_task
from benchmark.training import Recipe


@pytest.fixture(scope="module")
def request_() -> Request:
    return resolve(find_task("low-light-recognition"), profile="quick", device="cpu")


def test_both_arms_get_as_many_candidates_and_the_prior_comes_first() -> None:
    found = candidates(5)
    assert len(found) == 5
    assert found[0] == {"matched": {}, "cals": {}}
    for choice in found[1:]:
        cals, matched = (Recipe.from_dict(choice[arm]) for arm in ("cals", "matched"))
        assert cals.gate == matched.gate
        rows = matched.table.weights()
        np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))
        assert np.ptp(cals.table.weights(), axis=0).min() > 0
    assert candidates(3) == found[:3]


def test_trials_see_other_people_than_the_test_and_other_seeds(request_: Request) -> None:
    trial = tuning._for_validation(request_.task, request_)
    plan = make_plan(
        resolve(trial, profile="quick", device="cpu", systems=("curve",), metrics=("accuracy",))
    )
    assert plan.data.payload["seed"] == VALIDATION_SEED
    assert {run.seed for run in plan.trainings} == {SEED}
    profile = request_.profile
    assert SEED not in profile.training.seeds
    assert plan.data.payload["subjects"] == profile.subjects // 2
    assert {u.payload["steps"] for u in plan.trainings.values()} == {
        profile.training.steps * 2 // 3
    }


def test_the_best_of_either_arm_is_frozen_and_then_tested(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the training of a candidate may break down, and then it has no score
    scores = {"matched": [np.nan, 0.7, 0.6], "cals": [0.4, 0.1, 0.9]}
    tested: list[Request] = []

    def judged(request: Request, choice: Any, endpoint: str, **options: Any) -> pd.DataFrame:
        number = candidates(3).index(choice)
        return pd.DataFrame(
            [{"host": "curve", "arm": arm, "score": scores[arm][number]} for arm in ARMS]
        )

    def executed(request: Request, plan: object, **options: Any) -> Run:
        (frozen,) = tmp_path.glob("study-tuned-*/frozen.json")
        assert frozen.is_file()
        tested.append(request)
        pd.DataFrame({"effect": [0.0]}).to_parquet(tmp_path / "effects.parquet")
        return Run(tmp_path, ())

    monkeypatch.setattr(tuning, "_scores", judged)
    monkeypatch.setattr(tuning, "execute", executed)
    found = tune_and_test(
        request_, 3, store=Store(tmp_path), runs=tmp_path, reporter=Reporter.silent()
    )
    taken = found.tried[found.tried["chosen"]].set_index("arm")["candidate"]
    assert taken.to_dict() == {"matched": 1, "cals": 2}
    choices = candidates(3)
    expected = {"matched": choices[1]["matched"], "cals": choices[2]["cals"]}
    (request,) = tested
    assert request.studies[0].recipes == expected
    assert {run.seed for run in request.systems if run.arm} == set(request_.profile.training.seeds)
    frozen = json.loads((found.folder / "frozen.json").read_text())
    assert frozen.pop("digest") == content_key(frozen) == found.digest
    assert frozen["chosen"] == {"curve": json.loads(json.dumps(expected))}


def test_a_candidate_whose_training_broke_down_is_never_the_best() -> None:
    tried = pd.DataFrame(
        {
            "host": "curve",
            "arm": ["matched", "cals"] * 3,
            "score": [np.nan, 0.2, 0.4, np.nan, 0.5, 0.2],
        }
    )
    assert best_of_each(tried, direction=1).tolist() == [False, True, False, False, True, False]
    assert best_of_each(tried, direction=-1).tolist() == [False, True, True, False, False, False]
    with pytest.raises(TrainingError, match="none of the 3 candidates of the arm cals"):
        best_of_each(tried.assign(score=[1.0, np.nan] * 3), direction=1)
