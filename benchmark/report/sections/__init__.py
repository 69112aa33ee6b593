"""What only some tasks have: one builder a section; a section is there where its table is."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.report.model import RunView
from benchmark.report.sections.base import Plot, Section
from benchmark.report.sections.distribution import distribution
from benchmark.report.sections.predictor import predictor
from benchmark.report.sections.recognition import recognition
from benchmark.report.sections.representation import representation
from benchmark.report.sections.structure import structure

#: In the order in which they are shown.
_BUILDERS: tuple[Callable[[RunView], Section | None], ...] = (
    structure,
    recognition,
    representation,
    distribution,
    predictor,
)


def sections(view: RunView) -> tuple[Section, ...]:
    """The sections that a run has tables for."""
    return tuple(found for build in _BUILDERS if (found := build(view)))


__all__ = ["Plot", "Section", "sections"]
