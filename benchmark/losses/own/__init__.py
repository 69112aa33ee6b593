"""What published networks were trained for by their authors: an objective for each architecture.

Registered by text under the name of the host; ``training.own`` trains with them in the arm ``own``.
"""

from benchmark.losses.own.base import OWN, Batch, OwnObjective

_HERE = "benchmark.losses.own"

for _host, _target, _summary in (
    ("kind", "kind:KindObjective", "decomposition first, then restoration and adjustment"),
    ("kind-pp", "kind:KindPlusPlusObjective", "as KinD, without gradients in the restoration"),
    (
        "enlightengan",
        "enlightengan:EnlightenGanObjective",
        "two relativistic adversaries and self-features, unpaired",
    ),
    ("mirnet", "pixel:MirNetObjective", "mean Charbonnier"),
    ("hwmnet", "pixel:HwmNetObjective", "mean Charbonnier"),
    ("snr", "pixel:SnrObjective", "summed Charbonnier"),
    ("llflow-s", "likelihood:LlFlowObjective", "negative log-likelihood of the reference"),
    ("llflow-l", "likelihood:LlFlowObjective", "negative log-likelihood of the reference"),
):
    # what must be at hand before such a training is planned
    _weights = ("vgg16",) if _host == "enlightengan" else ()
    OWN.add(_host, f"{_HERE}.{_target}", summary=_summary, weights=_weights)

__all__ = ["OWN", "Batch", "OwnObjective"]
