"""Content keys follow everything that can change a result, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.runner.units import Unit

UNIT = Unit(
    "enhance",
    "gamma",
    {"enhancer": "gamma"},
    {"data": ("data", "k0")},
    hints={"folder": "/somewhere"},
)


def test_a_unit_survives_the_journey_to_another_process() -> None:
    again = Unit.from_json(UNIT.to_json())
    assert again == UNIT
    assert again.key == UNIT.key


@pytest.mark.parametrize(
    "change",
    [
        {"payload": {"enhancer": "lime"}},
        {"needs": {"data": ("data", "k1")}},
        {"device": "cuda"},
        {"stage": "score"},
    ],
)
def test_what_matters_changes_the_key(change: dict[str, object]) -> None:
    assert replace(UNIT, **change).key != UNIT.key  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"title": "other"}, {"hints": {"folder": "/elsewhere"}}])
def test_what_does_not_matter_keeps_the_key(change: dict[str, object]) -> None:
    assert replace(UNIT, **change).key == UNIT.key  # type: ignore[arg-type]


def test_source_code_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.runner import units

    before = UNIT.key
    monkeypatch.setattr(units, "_code", lambda stage: "changed")
    assert replace(UNIT).key != before


def test_payloads_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(TypeError):
        _ = Unit("data", "x", {"path": object()}).key
