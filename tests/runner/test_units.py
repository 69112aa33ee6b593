"""Content keys follow everything that can change a result, and nothing else."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.runner import units
from benchmark.runner.units import Stage, Unit

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
    before = UNIT.key
    monkeypatch.setattr(units, "source_digest", lambda stage: "changed")
    assert replace(UNIT).key != before


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        ("data", "judges.detection"),  # finds the faces of photographs
        ("calibrate", "judges.semantics"),  # SKF's knowledge, in a loss and in a host
        ("train", "judges.semantics"),
        ("train", "contexts.regions"),  # the maps of the arm region
        ("train", "metrics.perceptual"),  # LPIPS as a loss
        ("enhance", "judges.semantics"),
        ("enhance", "contexts.vlm"),  # the router may ask one
        ("analyse", "runner.sets"),  # tables that are no group statistics
        ("analyse", "runner.statistics"),
        ("analyse", "runner.tables"),
    ],
)
def test_the_source_of_whatever_a_stage_computes_with_is_in_its_key(
    stage: Stage, module: str
) -> None:
    where = Path(str(importlib.import_module(f"benchmark.{module}").__file__))
    assert where in {p for name in units._CODE[stage] for p in units._sources(f"benchmark.{name}")}


def test_payloads_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(TypeError):
        _ = Unit("data", "x", {"path": object()}).key
