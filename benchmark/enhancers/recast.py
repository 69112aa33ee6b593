"""Published architectures as hosts: trained here from random weights, in any arm.

They learn what every host learns, the scheduled terms on pairs, and none of the losses of their
papers: a row of theirs with published weights and one of ours with the same name and an arm are
different systems.
"""

from __future__ import annotations

from functools import partial

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import Host, Tap
from benchmark.enhancers.published.drbn import Drbn
from benchmark.enhancers.published.retinexnet import RetinexNet

DRBN = Host(
    name="drbn",
    factory=partial(initialised, Drbn),
    parameters=557_668,
    licence="Apache-2.0",
    citation="Yang et al., From fidelity to perceptual quality, CVPR 2020",
    # the last recursion alone, at a quarter, a half and the whole of the size (methods, 2.5)
    taps=(
        Tap("recur4.RDBs.3", 32, 0),
        Tap("recur4.RDBs.4", 16, 1),
        Tap("recur4.RDBs.5", 16, 2),
    ),
)

RETINEXNET = Host(
    name="retinexnet",
    factory=partial(initialised, RetinexNet),
    parameters=555_205,
    licence="Apache-2.0",
    citation="Wei et al., Deep Retinex decomposition, BMVC 2018",
    # the relighting network alone: of the Retinex family only the last part gets semantics
    taps=tuple(Tap(f"net2_deconv1_{k + 1}", 64, k) for k in range(3)),
)
