"""A plan names every unit once, in an order in which each finds what it needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.assets import AssetRecord, load_record
from benchmark.errors import SpecError, WeightsError
from benchmark.runner import trainings as module
from benchmark.runner.plan import Plan, make_plan
from benchmark.runner.request import resolve
from benchmark.spec.catalogue import find_task


def planned(**choices: object) -> Plan:
    request = resolve(find_task("face-identity"), profile="quick", device="cpu", **choices)  # type: ignore[arg-type]
    return make_plan(request)


def test_every_unit_comes_after_what_it_needs() -> None:
    seen: set[tuple[str, str]] = set()
    for unit in planned():
        assert set(unit.needs.values()) <= seen, unit.title
        assert unit.need() not in seen, unit.title
        seen.add(unit.need())


def test_arms_of_a_seed_differ_in_the_schedule_alone() -> None:
    trainings = planned().trainings
    for seed in (0, 1, 2):
        cals, matched = (
            next(u for run, u in trainings.items() if (run.arm, run.seed) == (arm, seed))
            for arm in ("cals", "matched")
        )
        assert dict(cals.payload) | {"arm": "matched"} == dict(matched.payload)
        assert cals.needs == matched.needs


def test_leaving_a_system_out_keeps_the_keys_of_the_others() -> None:
    whole, part = planned(), planned(systems=("input", "gamma"))
    keys = {unit.title: unit.key for unit in part.enhancements.values()}
    assert keys == {u.title: u.key for u in whole.enhancements.values() if u.title in keys}
    assert part.trainings == {}
    assert part.analysis.key != whole.analysis.key


def test_photographs_without_a_skin_mask_leave_its_metrics_unavailable(tmp_path: Path) -> None:
    rows = ["a_front.png,a,white,neutral_front,f", "a_side.png,a,white,smiling_front,f"]
    header = "file_name,identity,ethnicity,view,gender"
    (tmp_path / "metadata.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    plan = planned(data=str(tmp_path), mapping="london", systems=("input",))
    assert {"ita_shift", "ita_shift_abs"} <= set(plan.scorers.unavailable)
    assert "skin" not in plan.scorers.scorers
    assert "psnr" in plan.scorers.metrics
    assert "ita_shift" in planned().scorers.metrics


def test_new_weights_invalidate_what_looked_through_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {unit.title + unit.stage: (unit.stage, unit.key) for unit in planned()}

    def other(name: str) -> AssetRecord:
        record = load_record(name)
        fresh = record.model_copy(update={"sha256": "0" * 64})
        return fresh if name == "face-embedder" else record

    monkeypatch.setattr(module, "load_record", other)
    after = {unit.title + unit.stage: (unit.stage, unit.key) for unit in planned()}
    moved = {stage for title, (stage, key) in after.items() if before[title][1] != key}
    assert {"calibrate", "train"} <= moved
    assert not moved & {"data", "prepare", "pool"}


def with_study(**changes: object) -> Plan:
    task = find_task("face-identity")
    hosts = [study.model_copy(update=changes) for study in task.spec.hosts]
    task = replace(task, spec=task.spec.model_copy(update={"hosts": hosts}))
    return make_plan(resolve(task, profile="quick", device="cpu"))


def test_a_recipe_in_the_task_reaches_every_arm_and_its_calibration() -> None:
    plain, scaled = planned(), with_study(recipe={"scale": "calib_mag"})
    assert all(u.payload["recipe"] == {"scale": "calib_mag"} for u in scaled.trainings.values())
    assert {u.key for u in plain.shared} & {u.key for u in scaled.shared} == {plain.shared[0].key}
    assert not any("recipe" in unit.payload for unit in plain)


def test_balance_shares_the_calibration_and_a_recipe_of_one_arm_leaves_the_other() -> None:
    plain = planned()
    balanced = with_study(recipes={"cals": {"context_balance": "grad_share"}})
    assert {u.key for u in plain.shared} == {u.key for u in balanced.shared}
    keys = {run: unit.key for run, unit in plain.trainings.items()}
    changed = {r.arm for r, unit in balanced.trainings.items() if unit.key != keys[r]}
    assert changed == {"cals"}


def test_an_impossible_recipe_is_refused_before_any_work() -> None:
    with pytest.raises(SpecError, match="no scael"):
        with_study(recipe={"scael": "none"})


def test_people_of_another_seed_are_other_data() -> None:
    task = find_task("face-identity")
    probe = task.spec.probe.model_copy(update={"seed": 5})
    other = replace(task, spec=task.spec.model_copy(update={"probe": probe}))
    plan = make_plan(resolve(other, profile="quick", device="cpu"))
    assert plan.data.key != planned().data.key
    assert plan.data.payload["seed"] == 5
    assert [u.key for u in plan.shared] == [u.key for u in planned().shared]


@pytest.mark.parametrize(
    ("changes", "looked_through"),
    [
        ({}, {"face-embedder", "sign-reader"}),
        ({"host": "curve+skf"}, {"face-embedder", "sign-reader", "probe-scenes"}),
        ({"host": "curve+blind"}, {"face-embedder", "sign-reader"}),
        ({"recipe": {"terms": ["charbonnier", "sch"]}}, {"probe-scenes"}),
        (
            {"recipe": {"terms": ["charbonnier"], "adversary": {"form": "semantic"}}},
            {"probe-scenes"},
        ),
    ],
)
def test_a_training_is_another_when_what_it_looks_through_is(
    changes: dict[str, object], looked_through: set[str]
) -> None:
    trainings = with_study(**changes).trainings
    assert trainings
    assert all(set(unit.payload["assets"]) == looked_through for unit in trainings.values())


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (["nlpd", "identity"], "no fidelity term"),
        (["charbonnier", "chroma", "sch"], "share an objective family"),
    ],
)
def test_terms_that_do_not_go_together_are_refused_before_any_work(
    terms: list[str], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        with_study(recipe={"terms": terms})


def test_absent_weights_of_a_loss_term_are_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="weights fetch vgg16"):
        with_study(recipe={"terms": ["charbonnier", "lpips-vgg"]})
