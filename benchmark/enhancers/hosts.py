"""Hosts: architectures that the suite trains itself, and a trained one as an enhancer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.enhancers.base import Enhancer
from benchmark.registry import Registry


@dataclass(frozen=True)
class Host:
    """A frozen description of an architecture.

    Attributes:
        name: as on the command line.
        factory: seed to a network, ``[B, 3, H, W]`` to ``[B, 3, H, W]`` in sRGB; the same seed
            gives the same bits and leaves the global random state alone.
        parameters: how many numbers it learns.
        licence: of our implementation.
        citation: where the architecture comes from.
    """

    name: str
    factory: Callable[[int], nn.Module]
    parameters: int
    licence: str
    citation: str


class TrainedHost(Enhancer):
    """A host with the weights that one arm and seed gave it.

    Args:
        host: the architecture.
        state: its weights, as ``training`` returns them.
    """

    def __init__(self, host: Host, state: Mapping[str, Tensor]) -> None:
        self._network = host.factory(0)
        self._network.load_state_dict(dict(state))
        self._network.eval().requires_grad_(False)

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """The network's output, on the device of ``images``."""
        result: Tensor = self._network.to(images.device)(images)
        return result


HOSTS: Registry[Host] = Registry("host", group="equilux.hosts")
HOSTS.add(
    "curve",
    "benchmark.enhancers.curve:HOST",
    summary="Zero-DCE-type curve network trained with pairs, 79 k parameters",
    citation="Guo et al., CVPR 2020",
    licence="Apache-2.0",
)
HOSTS.add(
    "curve+skf",
    "benchmark.enhancers.skf.hosts:CURVE",
    summary="the curve network with semantic features in its second half (SKF)",
    citation="Wu et al., CVPR 2023",
    licence="Apache-2.0",
)
HOSTS.add(
    "drbn+skf",
    "benchmark.enhancers.skf.hosts:DRBN",
    summary="DRBN with semantic features in its last recursion (SKF)",
    citation="Yang et al., CVPR 2020; Wu et al., CVPR 2023",
    licence="Apache-2.0",
)
HOSTS.add(
    "curve-full",
    "benchmark.enhancers.curve:FULL",
    summary="Zero-DCE's network as published, maps at full size; for its unsupervised training",
    citation="Guo et al., CVPR 2020",
    licence="Apache-2.0",
)
