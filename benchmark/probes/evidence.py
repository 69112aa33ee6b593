"""What a probe promises and whether it holds, in one form for every probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmark.errors import EquiluxError
from benchmark.probes.base import PROBES, Advance, ProbeSettings


@dataclass(frozen=True)
class Promise:
    """One thing that must hold for the probe to carry a claim.

    Attributes:
        what: it says.
        measured: value, as printed.
        wanted: bound, as printed.
        kept: whether the value is within the bound.
    """

    what: str
    measured: str
    wanted: str
    kept: bool


@dataclass(frozen=True)
class Findings:
    """Measurements on a probe.

    Attributes:
        title: how much was measured.
        columns: of the table by group.
        rows: of that table, as printed.
        promises: at least one.
        numbers: everything measured, as plain data for ``--json``.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    promises: tuple[Promise, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every promise is kept."""
        return all(promise.kept for promise in self.promises)


class Inquiry(Protocol):
    """Measures a probe; a probe's entry names it as ``evidence`` (``module:function``)."""

    def __call__(self, settings: ProbeSettings, *, advance: Advance) -> Findings:
        """The findings; ``advance`` is called with the number of subjects just rendered."""


def inquiry(name: str) -> Inquiry:
    """What measures the probe called ``name``.

    Raises:
        UnknownNameError: if there is no such probe.
        EquiluxError: if it comes without evidence.
    """
    import importlib

    target = PROBES.entry(name).meta.get("evidence", "")
    if not target:
        raise EquiluxError(
            f"the probe {name!r} comes without evidence",
            mend="its author can register evidence=module:function with it",
        )
    module, _, attribute = target.partition(":")
    found: Inquiry = getattr(importlib.import_module(module), attribute)
    return found
