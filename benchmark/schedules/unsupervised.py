"""Arms of a training without references: Zero-DCE's objective, and what an arm adds to it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.registry import Registry


@dataclass(frozen=True)
class UnsupervisedArm:
    """What is added to Zero-DCE's objective.

    Attributes:
        name: as on the command line.
        guidance: name of a loss term that needs no reference, empty for none.
        weights: name of the published weights that it looks through, empty for none.
        asset: name of the suite's own weights that it looks through, empty for none.
        share: norm of its gradient as a share of that of the four losses, at the initial weights.
            The paper gives no weight; 10 to 20 % is what methods, section 3.3, asks for.
    """

    name: str
    guidance: str = ""
    weights: str = ""
    asset: str = ""
    share: float = 0.15


UNSUPERVISED: Registry[UnsupervisedArm] = Registry(
    "unsupervised arm", group="equilux.unsupervised_arms"
)
_PUBLISHED, _OWN = "sdag-reconstruction", "reconstruction"

for _arm, _summary in (
    (UnsupervisedArm("zero-dce"), "without references: Zero-DCE's four losses, nothing else"),
    (
        UnsupervisedArm("zero-dce+sdag", "sdag", weights=_PUBLISHED),
        "without references: Zero-DCE's losses and SDAG in its cosine form",
    ),
    (
        UnsupervisedArm("zero-dce+sdag-l1", "sdag-l1", weights=_PUBLISHED),
        "without references: Zero-DCE's losses and SDAG in its published L1 form",
    ),
    (
        UnsupervisedArm("zero-dce+sdag-own", "sdag-own", asset=_OWN),
        "without references: Zero-DCE's losses and SDAG through the suite's own network",
    ),
):
    UNSUPERVISED.add(_arm.name, _arm, summary=_summary)
