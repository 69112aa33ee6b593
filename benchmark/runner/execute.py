"""Computing one unit: everything it needs comes from the store, its result goes there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.progress import Reporter
from benchmark.runner.store import Store
from benchmark.runner.units import Stage, Unit


@dataclass(frozen=True)
class Work:
    """What a stage function is given.

    Attributes:
        unit: what to compute.
        inputs: roles mapped to the folders of the results it needs.
        out: an empty folder to write the result to.
        scratch: a folder for checkpoints, kept if the process is killed.
        reporter: where progress goes.
    """

    unit: Unit
    inputs: Mapping[str, Path]
    out: Path
    scratch: Path
    reporter: Reporter

    @property
    def payload(self) -> Mapping[str, Any]:
        """The unit's own settings."""
        return self.unit.payload


StageFunction = Callable[[Work], None]


@dataclass(frozen=True)
class Outcome:
    """Where a result lies and what it cost now."""

    folder: Path
    seconds: float
    cached: bool


def run_unit(
    unit: Unit, store: Store, functions: Mapping[Stage, StageFunction], reporter: Reporter
) -> Outcome:
    """Return the unit's stored result, computing it first if it is absent or damaged.

    Raises:
        StoreError: if something the unit needs is not in the store.
    """
    found = store.find(unit.stage, unit.key)
    if found is not None:
        return Outcome(found, 0.0, cached=True)
    inputs = {role: store.require(*need) for role, need in unit.needs.items()}
    start = time.perf_counter()
    scratch = store.scratch(unit.stage, unit.key)

    def fill(out: Path) -> None:
        functions[unit.stage](Work(unit, inputs, out, scratch, reporter))

    folder = store.build(unit.stage, unit.key, fill)
    store.drop_scratch(unit.stage, unit.key)
    return Outcome(folder, time.perf_counter() - start, cached=False)
