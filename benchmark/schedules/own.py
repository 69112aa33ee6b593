"""The arm in which a host learns what its own authors had it learn."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.registry import Registry


@dataclass(frozen=True)
class OwnArm:
    """One arm for every published architecture; which losses it means is the host's matter.

    Attributes:
        name: as on the command line.
    """

    name: str = "own"


OWN_ARMS: Registry[OwnArm] = Registry("own arm", group="equilux.own_arms")
OWN_ARMS.add(
    OwnArm().name,
    OwnArm(),
    summary="the losses of the host's authors; no schedule, no control beside it",
)
