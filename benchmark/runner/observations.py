"""Units beside enhancing and scoring: what judges observe, what systems invent, sanity checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.judges import JUDGES
from benchmark.judges.base import Kind, Observer, make_judge
from benchmark.probes import PHANTOMS
from benchmark.runner.request import Request
from benchmark.runner.systems import SystemRun
from benchmark.runner.units import DATA_SEED, Unit

#: Segmenters that look for structure in what a system makes of nothing.
_NULL_JUDGES = ("fundus", "frangi")


@dataclass(frozen=True)
class Observed:
    """Who observes what in a run.

    Attributes:
        judges: in the order asked for, with what the analysis must know of each.
        units: by system run (None for the clean references) and judge.
        axis: the axis whose groups are compared; its levels in order.
        levels: see ``axis``.
    """

    axis: str
    levels: tuple[str, ...]
    judges: tuple[dict[str, Any], ...]
    units: Mapping[tuple[SystemRun | None, str], Unit]

    def payload(self) -> dict[str, Any]:
        """For the analysis."""
        return {"axis": self.axis, "levels": list(self.levels), "judges": list(self.judges)}


@dataclass(frozen=True)
class NullTest:
    """Structure-free pictures, what every system makes of them, and what is found in that."""

    data: Unit
    enhancements: Mapping[SystemRun, Unit] = field(default_factory=dict)
    counts: Mapping[SystemRun, Unit] = field(default_factory=dict)


def plan_observers(
    request: Request,
    kind: Kind,
    data: Unit,
    enhancements: Mapping[SystemRun, Unit],
) -> tuple[Observed | None, tuple[str, ...]]:
    """Units of the task's ``representation`` or ``distribution``, and why there are none.

    Args:
        request: what is asked for.
        kind: ``attribute`` or ``features``.
        data: the evaluation set.
        enhancements: by system run.
    """
    spec = request.task.spec
    if kind == "attribute":
        axis = spec.representation.axis if spec.representation else ""
        names = spec.representation.judges if spec.representation else []
    else:
        axis = spec.distribution.axis if spec.distribution else ""
        names = spec.distribution.features if spec.distribution else []
    levels = next((tuple(a.levels) for a in request.axes if a.name == axis), None)
    if not names:
        return None, ()
    if levels is None:
        return None, (f"{kind}: the data have no axis {axis}",)
    judges: list[dict[str, Any]] = []
    units: dict[tuple[SystemRun | None, str], Unit] = {}
    notes: list[str] = []
    for name in names:
        lack = sorted(set(JUDGES.get(name).needs) - request.provides)
        if lack:
            notes.append(f"{name}: the data hold no {', '.join(lack)}")
            continue
        judge = make_judge(name, kind)
        assert isinstance(judge, Observer)
        judges.append(
            {"name": name, "levels": list(judge.levels), "attribute_aware": judge.attribute_aware}
        )
        payload = {"judge": name, "kind": kind, "identity": judge.identity()}
        units[None, name] = Unit(
            "observe", f"references: {name}", payload, {"data": data.need()}, request.device
        )
        for run, outputs in enhancements.items():
            needs = {"data": data.need(), "outputs": outputs.need()}
            units[run, name] = Unit(
                "observe", f"{run.title}: {name}", payload, needs, request.device
            )
    return (Observed(axis, levels, tuple(judges), units) if judges else None), tuple(notes)


def plan_null_test(request: Request, enhance: Callable[[SystemRun, Unit], Unit]) -> NullTest | None:
    """Units of the null test, or None where the task has no structure-free pictures.

    Args:
        request: what is asked for.
        enhance: gives the unit that runs a system over a set of pictures.
    """
    spec, count = request.task.spec, request.profile.phantoms
    if not count or spec.probe.name not in PHANTOMS:
        return None
    data = Unit(
        "data",
        "phantoms",
        {
            "source": "phantoms",
            "probe": spec.probe.name,
            "count": count,
            "degradation": spec.degradation.model_dump(mode="json"),
            "seed": DATA_SEED,
        },
    )
    enhancements = {run: enhance(run, data) for run in request.systems if run.maps_pixels}
    if not enhancements:
        return None
    identity = {name: make_judge(name, "segmenter").identity() for name in _NULL_JUDGES}
    counts = {
        run: Unit(
            "invent",
            f"{run.title}: null test",
            {"judges": list(_NULL_JUDGES), "identity": identity},
            {"data": data.need(), "outputs": unit.need()},
            request.device,
        )
        for run, unit in enhancements.items()
    }
    return NullTest(data, enhancements, counts)
