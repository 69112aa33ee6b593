"""Published architectures that can also be trained with their authors' losses.

As any host they can be trained in every arm; in the arm ``own`` they learn what
:mod:`benchmark.losses.own` has for them. They start from random weights: a row of theirs and one of
the published weights are different systems.
"""

from __future__ import annotations

from functools import partial

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import Host
from benchmark.enhancers.published import LINKED


def _host(name: str, network: str) -> Host:
    system = next(system for system in LINKED if system.network == network)
    return Host(
        name=name,
        factory=partial(initialised, system.build),
        parameters=system.parameters,
        licence="Apache-2.0",
        citation=system.citation,
    )


KIND = _host("kind", "kind:Kind")
KIND_PP = _host("kind-pp", "kind:KindPlusPlus")
ENLIGHTENGAN = _host("enlightengan", "enlightengan:EnlightenGan")
MIRNET = _host("mirnet", "mirnet:MirNet")
HWMNET = _host("hwmnet", "hwmnet:HwmNet")
SNR = _host("snr", "snr:SnrNet")
LLFLOW_S = _host("llflow-s", "llflow:small")
LLFLOW_L = _host("llflow-l", "llflow:large")
