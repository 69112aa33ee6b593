"""The arm in which a host learns what its own authors had it learn."""

from __future__ import annotations

from benchmark.registry import Registry

#: Its name; there is one such arm, and what it means depends on the host.
OWN_ARM = "own"

OWN_ARMS: Registry[str] = Registry("own arm", group="equilux.own_arms")
OWN_ARMS.add(
    OWN_ARM, OWN_ARM, summary="the losses of the host's authors; no schedule, no control beside it"
)
