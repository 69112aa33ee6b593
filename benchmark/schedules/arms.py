"""From the name of an arm to the schedule and the context vectors it trains with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.schedules.balancing import Balancer, DynamicAverage, Random, Uncertainty
from benchmark.schedules.base import Arm, Context, Schedule
from benchmark.schedules.gate import Gate
from benchmark.schedules.matching import matched_rows
from benchmark.schedules.table import FAMILIES, WARM_UP, ContextTable

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_BALANCED = {"dwa", "uncertainty", "rlw"}
#: A run is too short for many epochs: dynamic averaging compares twentieths of it instead.
_WINDOWS = 20


@dataclass(frozen=True, eq=False)
class Course:
    """What a run will show, known before it starts: who is drawn, when, in which context.

    Attributes:
        contexts: ``[N, K]`` predicted context vectors of the training samples.
        labels: ``[N]`` true contexts.
        order: ``[T, B]`` samples of every step.
        available: ``[M]``, 1 where a family has a loss term.
    """

    contexts: Array
    labels: Labels
    order: Labels
    available: Array

    def progress(self) -> Array:
        """Share of the training done in the middle of every step, ``[T]``."""
        steps = len(self.order)
        result: Array = (np.arange(steps) + 0.5) / steps
        return result

    def draws(self) -> tuple[Array, Array]:
        """Context vectors ``[T B, K]`` and progress ``[T B]`` of every sample drawn."""
        batch = self.order.shape[1]
        return self.contexts[self.order.ravel()], np.repeat(self.progress(), batch)


@dataclass(frozen=True, eq=False)
class Plan:
    """An arm made concrete for one run.

    Attributes:
        schedule: weights as a function of context and progress.
        contexts: ``[N, K]`` the vectors this arm is given.
        regions: True if contexts are to be maps over the picture.
        balancer: what takes the place of the schedule in an arm that balances losses.
    """

    schedule: Schedule
    contexts: Array
    regions: bool = False
    balancer: Balancer | None = None


def plan_arm(arm: Arm, course: Course, *, table: ContextTable, gate: Gate, seed: int) -> Plan:
    """The schedule and the context vectors of ``arm`` in the run ``course``.

    Args:
        arm: which.
        course: the run, the same for all arms of a seed.
        table: context weights.
        gate: time gate.
        seed: of the run; the shuffled control permutes by it.
    """
    cals = Schedule(table.weights(), np.array(WARM_UP), gate, "sched")
    contexts = course.contexts
    if arm.context == "fidelity":
        rows = _all_contexts(cals, np.eye(len(FAMILIES))[FAMILIES.index("fid")])
    elif arm.context in {"uniform", *_BALANCED}:
        rows = _all_contexts(cals, np.full(len(FAMILIES), 1 / len(FAMILIES)))
    elif arm.context == "matched":
        rows = matched_rows(cals, *course.draws(), course.available)
    else:
        rows = cals.rows
    if arm.context == "oracle":
        contexts = np.eye(len(cals.rows))[course.labels]
    elif arm.context == "shuffled":
        contexts = contexts[np.random.default_rng([seed, 0x5F]).permutation(len(contexts))]
    schedule = replace(cals, rows=rows, time=arm.time)
    return Plan(
        schedule,
        contexts,
        regions=arm.context == "region",
        balancer=_balancer(arm.context, len(course.order), seed),
    )


def _balancer(context: Context, steps: int, seed: int) -> Balancer | None:
    if context == "dwa":
        return DynamicAverage(window=max(1, steps // _WINDOWS))
    if context == "uncertainty":
        return Uncertainty()
    return Random(seed=seed) if context == "rlw" else None


def _all_contexts(schedule: Schedule, row: Array) -> Array:
    return np.broadcast_to(row, schedule.rows.shape)
