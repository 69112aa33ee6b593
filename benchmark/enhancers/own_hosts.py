"""Published architectures that can also be trained with their authors' losses.

As any host they can be trained in every arm; in the arm ``own`` they learn what
:mod:`benchmark.losses.own` has for them. They start from random weights, without the layers that
nothing uses: a row of theirs and one of the published weights are different systems.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import Host
from benchmark.enhancers.published import LINKED, Published


def _adjusting() -> nn.Module:
    """KinD++ with all three of its networks at work."""
    from benchmark.enhancers.published.kind import RATIO, KindPlusPlus

    return KindPlusPlus(ratio=RATIO)


def _without_spares(size: str) -> nn.Module:
    from benchmark.enhancers.published import llflow

    network = llflow.small() if size == "small" else llflow.large()
    return llflow.without_spares(network)


def _host(
    name: str,
    network: str,
    *,
    build: Callable[[], nn.Module] | None = None,
    parameters: int | None = None,
) -> Host:
    system: Published = next(system for system in LINKED if system.network == network)
    return Host(
        name=name,
        factory=partial(initialised, build or system.build),
        parameters=parameters or system.parameters,
        licence="Apache-2.0",
        citation=system.citation,
    )


KIND = _host("kind", "kind:Kind")
KIND_PP = _host("kind-pp", "kind:KindPlusPlus", build=_adjusting)
ENLIGHTENGAN = _host("enlightengan", "enlightengan:EnlightenGan")
MIRNET = _host("mirnet", "mirnet:MirNet")
HWMNET = _host("hwmnet", "hwmnet:HwmNet")
SNR = _host("snr", "snr:SnrNet")
LLFLOW_S = _host(
    "llflow-s", "llflow:small", build=partial(_without_spares, "small"), parameters=4_967_635
)
LLFLOW_L = _host(
    "llflow-l", "llflow:large", build=partial(_without_spares, "large"), parameters=37_677_395
)
