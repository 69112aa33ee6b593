"""A plan names every unit once, in an order in which each finds what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.assets import AssetRecord, load_record
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


@pytest.mark.parametrize(
    ("asset", "changed"),
    [("face-embedder", {"calibrate", "train"}), ("context-cnn", {"pool", "calibrate", "train"})],
)
def test_new_weights_invalidate_what_looked_through_them(
    asset: str, changed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {unit.title + unit.stage: (unit.stage, unit.key) for unit in planned()}

    def other(name: str) -> AssetRecord:
        record = load_record(name)
        return record.model_copy(update={"sha256": "0" * 64}) if name == asset else record

    monkeypatch.setattr(module, "load_record", other)
    after = {unit.title + unit.stage: (unit.stage, unit.key) for unit in planned()}
    moved = {stage for title, (stage, key) in after.items() if before[title][1] != key}
    assert changed <= moved
    assert not moved & {"data", "prepare"}
