"""How long a unit took last time on this machine; only ever used to tell people."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import StoreError
from benchmark.files import content_key, write_json
from benchmark.runner.units import Unit


@dataclass
class Estimates:
    """Seconds per kind of unit, kept in the cache folder."""

    root: Path
    seconds: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            self.seconds = {str(kind): float(value) for kind, value in stored.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self.seconds = {}

    def learn(self, unit: Unit, seconds: float) -> None:
        """Remember what a unit cost; a failure to write is of no consequence."""
        self.seconds[_kind(unit)] = round(seconds, 2)
        try:
            write_json(self._file, self.seconds)
        except StoreError:
            return

    def total(self, units: list[Unit]) -> float | None:
        """Expected seconds for these units, or None if some kind was never seen."""
        known = [self.seconds.get(_kind(unit)) for unit in units]
        return None if None in known else sum(k for k in known if k is not None)

    @property
    def _file(self) -> Path:
        return self.root / "estimates.json"


def _kind(unit: Unit) -> str:
    """Units of a kind cost about the same: seeds and content keys do not matter, sizes do."""
    sizes = {k: v for k, v in unit.payload.items() if k not in {"seed", "arm", "identity"}}
    return f"{unit.stage}-{unit.device}-{content_key(sizes)[:8]}"
