"""Hosts with semantic knowledge: which layers of which host it enters."""

from __future__ import annotations

from functools import partial

from benchmark.assets.fitting import initialised
from benchmark.enhancers.curve import HOST as CURVE_HOST
from benchmark.enhancers.hosts import Host
from benchmark.enhancers.published.drbn import Drbn
from benchmark.enhancers.skf.plug import Site, with_semantics
from benchmark.judges.semantics import SceneNet, load_bank

#: The three layers of the second half, coarse meaning first: the layers that Zero-DCE's skips feed.
CURVE_SITES = (
    Site("layers.3", 32, 0),
    Site("layers.4", 32, 1),
    Site("layers.5", 32, 2),
)
#: The last recursion alone, at a quarter, a half and the whole of the size (methods, section 2.5).
DRBN_SITES = (
    Site("recur4.RDBs.3", 32, 0),
    Site("recur4.RDBs.4", 16, 1),
    Site("recur4.RDBs.5", 16, 2),
)
#: The relighting network alone: of the Retinex family only the last part gets semantics.
RETINEXNET_SITES = (
    Site("net2_deconv1_1", 64, 0),
    Site("net2_deconv1_2", 64, 1),
    Site("net2_deconv1_3", 64, 2),
)


def plugged(host: Host, sites: tuple[Site, ...]) -> Host:
    """``host`` with the suite's own knowledge bank."""
    return with_semantics(host, sites, bank=load_bank, widths=SceneNet.widths)


CURVE = plugged(CURVE_HOST, CURVE_SITES)

#: DRBN as published, from random weights; its bands are at a quarter, a half and the whole size.
DRBN = plugged(
    Host(
        name="drbn",
        factory=partial(initialised, Drbn),
        parameters=557_668,
        licence="Apache-2.0",
        citation="Yang et al., From fidelity to perceptual quality, CVPR 2020",
    ),
    DRBN_SITES,
)
