"""Every published system: its architecture, its weights, and what is known about them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # knowing about systems must not build networks
    from torch import nn

    from benchmark.enhancers.published.enhancer import PublishedEnhancer
    from benchmark.weights import WeightStore

_HERE = "benchmark.enhancers.published"


@dataclass(frozen=True)
class Published:
    """A published system; calling it builds the enhancer.

    Attributes:
        name: as on the command line.
        summary: one line for people.
        citation: of the paper.
        source: GitHub repository that the weights come from.
        licence: of the weights; the code is ours.
        parameters: how many numbers the paper's network learns, at test time.
        weights: names in the weights catalogue; their tensors are one state between them.
        network: ``module:attribute`` in this package, a network without arguments.
    """

    name: str
    summary: str
    citation: str
    source: str
    licence: str
    parameters: int
    weights: tuple[str, ...]
    network: str

    def build(self) -> nn.Module:
        """The network with PyTorch's random initial weights."""
        module, _, attribute = self.network.partition(":")
        network: nn.Module = getattr(importlib.import_module(f"{_HERE}.{module}"), attribute)()
        return network

    def __call__(self, store: WeightStore | None = None) -> PublishedEnhancer:
        """The system, ready to run.

        Args:
            store: where the weights are; the default store if None.

        Raises:
            WeightsError: if they are absent or are not the declared ones, with the command that
                mends it.
        """
        from benchmark.enhancers.published.enhancer import load

        return load(self, store)

    def meta(self) -> dict[str, Any]:
        """What the registry shows without building anything."""
        return {
            "kind": "published",
            "citation": self.citation,
            "source": self.source,
            "licence": self.licence,
            "parameters": self.parameters,
            "weights": self.weights,
        }


_ZERO_DCE = "Guo et al., Zero-reference deep curve estimation, CVPR 2020"

PUBLISHED: tuple[Published, ...] = (
    Published(
        name="zero-dce",
        summary="light curves estimated without references, published weights",
        citation=_ZERO_DCE,
        source="Li-Chongyi/Zero-DCE",
        licence="CC-BY-NC-4.0",
        parameters=79_416,
        weights=("zero-dce",),
        network="zero_dce:ZeroDce",
    ),
)
