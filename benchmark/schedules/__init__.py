"""Context-aware loss scheduling: weights per context and moment, and the controls beside it.

What is called CALS here is a reconstruction: its publication gives no formula (docs/scheduling.md).
"""

from benchmark.schedules.base import ARMS, Arm
from benchmark.schedules.table import FAMILIES

for _arm in (
    Arm("fidelity", "A0", "fidelity", "open", "the floor: fidelity alone"),
    Arm("uniform", "A1", "uniform", "open", "the naive agnostic baseline"),
    Arm("matched", "A2", "matched", "sched", "the baseline of record"),
    Arm("matched-static", "A2s", "matched", "mean", "time, against matched"),
    Arm("context-static", "A3", "predicted", "mean", "context without time"),
    Arm("oracle", "A4", "oracle", "sched", "upper bound: true contexts"),
    Arm("cals", "A5", "predicted", "sched", "the method (our reconstruction)"),
    Arm("cals-iter", "A5i", "predicted", "sched", "a moving table, against cals", iterative=True),
    Arm("shuffled", "A6", "shuffled", "sched", "negative control: contexts of other samples"),
    Arm("reverse", "A7", "predicted", "reverse", "whether the order in time matters"),
    Arm("region", "A8", "region", "sched", "contexts as maps over the picture, against cals"),
    Arm("dwa", "A9d", "dwa", "open", "generic balancing: dynamic weight average"),
    Arm("uncertainty", "A9u", "uncertainty", "open", "generic balancing: uncertainty weighting"),
    Arm("rlw", "A9r", "rlw", "open", "generic balancing: random weights, a sanity control"),
):
    ARMS.add(_arm.name, _arm, summary=_arm.isolates, code=_arm.code)

__all__ = ["ARMS", "FAMILIES", "Arm"]
