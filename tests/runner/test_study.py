"""Plans of the studies: what tasks share, what arms share, what options reach."""

from __future__ import annotations

from benchmark.runner.study import CALS, CONTROLS, SDAG, plan_study


def test_tasks_share_every_training_of_the_study() -> None:
    tasks = ("face-identity", "low-light-recognition")
    plans = [plan for _, plan in plan_study(tasks, profile="quick", device="cpu")]
    keys = [{unit.key for unit in plan.trainings.values()} for plan in plans]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 3 * len((*CALS.arms, *CONTROLS))
    assert plans[0].data.key != plans[1].data.key


def test_options_reach_the_trainings() -> None:
    ((request, plan),) = plan_study(
        ("low-light-recognition",),
        profile="smoke",
        device="cpu",
        seeds=(4, 5),
        recipe={"scale": "ema_mag"},
    )
    assert {run.seed for run in plan.trainings} == {4, 5}
    assert {u.payload["recipe"]["scale"] for u in plan.trainings.values()} == {"ema_mag"}
    assert all(baseline == CALS.second for _, _, baseline in request.comparisons)


def test_an_iterative_arm_is_steered_by_a_pool_of_its_own() -> None:
    ((_, plan),) = plan_study(
        ("low-light-recognition",), profile="smoke", device="cpu", arms=("matched", "cals-iter")
    )
    needs = {run.arm: unit.needs for run, unit in plan.trainings.items()}
    assert "validation" not in needs["matched"]
    pools = {unit.need(): unit for unit in plan.shared if unit.stage == "pool"}
    steering, learnt = (pools[needs["cals-iter"][role]] for role in ("validation", "pool"))
    assert steering.payload["seed"] != learnt.payload["seed"]


def test_guidance_is_compared_with_its_absence() -> None:
    ((request, plan),) = plan_study(
        ("low-light-recognition",), profile="smoke", device="cpu", arms=SDAG, baseline=SDAG[0]
    )
    assert request.comparisons == (("curve", SDAG[1], SDAG[0]),)
    assert {run.arm for run in plan.trainings} == set(SDAG)
