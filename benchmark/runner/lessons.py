"""Units of the retrained protocol: a copy of the reader for every system, taught by its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmark.errors import EquiluxError
from benchmark.judges.base import make_judge
from benchmark.metrics import ScorerPlan, Unavailable
from benchmark.runner.request import Request
from benchmark.runner.systems import SystemRun
from benchmark.runner.units import DATA_SEED, Unit

#: What the degraded pictures themselves teach: the state before any enhancement.
_UNTOUCHED = SystemRun("input", "", -1, "input")
#: Its rival, the input under another gamma, would have to teach a reader of its own.
_UNFIT = "accuracy_beyond_brightness"
_MOST_SCENES, _MOST_STEPS = 1000, 2000


@dataclass(frozen=True)
class Lessons:
    """Training scenes, what every system makes of them, and the readers that learnt from that.

    Attributes:
        data: scenes of a split of their own, spoilt as the task spoils them.
        enhancements: by system run.
        readers: by system run.
    """

    data: Unit
    enhancements: Mapping[SystemRun, Unit] = field(default_factory=dict)
    readers: Mapping[SystemRun, Unit] = field(default_factory=dict)

    @property
    def untouched(self) -> Unit:
        """The reader that learnt from the degraded pictures."""
        return self.readers[_UNTOUCHED]


def plan_lessons(
    request: Request, base: str, enhance: Callable[[SystemRun, Unit], Unit]
) -> Lessons | None:
    """Units of the retrained protocol; None under the frozen one.

    Args:
        request: what is asked for.
        base: the reader whose copies are taught.
        enhance: gives the unit that runs a system over a set of pictures.

    Raises:
        EquiluxError: for data without training scenes of their own.
    """
    spec, training = request.task.spec, request.profile.training
    if spec.protocol != "retrained":
        return None
    if request.real is not None or spec.probe.name != "signs":
        raise EquiluxError(
            "the protocol retrained needs training scenes with the right answers",
            where=spec.name,
            mend="use it on the signs probe, without --data; --protocol frozen works everywhere",
        )
    ready = [run.title for run in request.systems if not run.maps_pixels]
    if ready:
        raise EquiluxError(
            f"{', '.join(ready)}: there are no outputs of the training scenes",
            mend="--protocol frozen needs none",
        )
    scenes = min(training.samples, _MOST_SCENES)
    data = Unit(
        "data",
        "lessons",
        {
            "source": "probe",
            "probe": spec.probe.name,
            "effect": "group",
            "split": "lessons",
            "subjects": scenes,
            "views": 1,
            "degradation": spec.degradation.model_dump(mode="json"),
            "seed": DATA_SEED,
        },
    )
    runs = dict.fromkeys((_UNTOUCHED, *request.systems))
    enhancements = {run: enhance(run, data) for run in runs}
    payload = {
        "base": base,
        "identity": make_judge(base, "reader").identity(),
        "scenes": scenes,
        "steps": min(2 * training.steps, _MOST_STEPS),
        "seed": DATA_SEED,
    }
    readers = {
        run: Unit(
            "retrain",
            f"{run.title}: reader",
            payload,
            {"data": data.need(), "outputs": unit.need()},
            request.device,
        )
        for run, unit in enhancements.items()
    }
    return Lessons(data, enhancements, readers)


def without_unfit(plan: ScorerPlan) -> ScorerPlan:
    """The metrics that mean something when every system has a reader of its own."""
    lack = Unavailable("of no meaning with retrained readers", "--protocol frozen")
    unfit = {name for name in plan.metrics if name.partition(":")[0] == _UNFIT}
    return ScorerPlan(
        {n: s for n, s in plan.scorers.items() if not set(s.metrics) <= unfit},
        {n: s for n, s in plan.metrics.items() if n not in unfit},
        plan.unavailable | dict.fromkeys(sorted(unfit), lack),
        plan.specs,
    )
