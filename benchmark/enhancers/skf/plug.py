"""Plugging semantic knowledge into any host: the outputs of named layers pass through attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import Host
from benchmark.enhancers.skf.attention import Form, SemanticEmbedding
from benchmark.errors import WeightsError
from benchmark.judges.semantics import KnowledgeBank, Semantics

#: Share of their usual size that the last weights of both branches start with: a plug-in first
#: leaves its host almost as it is.
_GENTLE = 0.1


@dataclass(frozen=True)
class Site:
    """Where semantic features enter.

    Attributes:
        layer: name of a submodule of the host; what it puts out is enhanced.
        channels: of its output.
        level: of the semantic features: 0 at stride 16, 1 at 8, 2 at 4.
    """

    layer: str
    channels: int
    level: int


class SemanticHost(nn.Module):
    """A host whose layers know what is in the picture, in training and afterwards.

    The bank is no submodule: its weights are neither trained nor stored with the host's. Their
    digest is, so that a host never meets another bank than it was trained with.

    Args:
        host: image to image.
        sites: where semantics enter.
        bank: frozen segmenter; it sees the degraded input.
        form: of the attention.
    """

    def __init__(
        self, host: nn.Module, sites: tuple[Site, ...], bank: KnowledgeBank, *, form: Form = "paper"
    ) -> None:
        super().__init__()
        self.host = host
        self.embeddings = nn.ModuleList(
            SemanticEmbedding(bank.widths[site.level], site.channels, form=form) for site in sites
        )
        with torch.no_grad():
            for block in self.embeddings:
                assert isinstance(block, SemanticEmbedding)
                block.leave.weight.mul_(_GENTLE)
                block.feed_forward.leave.weight.mul_(_GENTLE)
        self._sites = sites
        self._bank = (bank,)  # in a tuple Module does not look
        self._now: Semantics | None = None
        for number, site in enumerate(sites):
            host.get_submodule(site.layer).register_forward_hook(partial(self._enter, number))

    def forward(self, images: Tensor) -> Tensor:
        """Enhance ``[B, 3, H, W]``."""
        self._now = self._bank[0].to(images.device)(images)
        try:
            result: Tensor = self.host(images)
        finally:
            self._now = None
        return result

    def get_extra_state(self) -> Tensor:
        """The bank's digest, one number a byte; floating-point, so that averaging leaves it be."""
        return torch.tensor(list(bytes.fromhex(self._bank[0].digest)), dtype=torch.float32)

    def set_extra_state(self, state: Tensor) -> None:
        """Check that the weights were trained with this bank.

        Raises:
            WeightsError: if it was another.
        """
        if not torch.equal(state.detach().float().cpu().round(), self.get_extra_state()):
            raise WeightsError(
                "these weights were trained with another knowledge bank",
                where=f"its digest begins with {bytes(state.round().int().tolist()).hex()[:12]}, "
                f"this one's with {self._bank[0].digest[:12]}",
                mend="train the host again",
            )

    def _enter(self, number: int, module: nn.Module, inputs: Any, features: Tensor) -> Tensor:
        del module, inputs
        assert self._now is not None
        semantics = self._now.features[self._sites[number].level]
        result: Tensor = self.embeddings[number](features, semantics)
        return result


def with_semantics(
    host: Host,
    sites: tuple[Site, ...],
    *,
    bank: Callable[[], KnowledgeBank],
    widths: tuple[int, ...],
) -> Host:
    """``host`` with semantic knowledge, as a host of its own; nothing is loaded until it is built.

    Args:
        host: what is plugged into.
        sites: where.
        bank: gives the frozen segmenter.
        widths: channels of the bank's features, known before it is loaded.
    """
    added = sum(_size(widths[site.level], site.channels) for site in sites)

    def build(seed: int) -> nn.Module:
        network = host.factory(seed)
        return initialised(lambda: SemanticHost(network, sites, bank()), seed)

    return Host(
        name=f"{host.name}+skf",
        factory=build,
        parameters=host.parameters + added,
        licence=host.licence,
        citation=f"{host.citation}; Wu et al., semantic-aware knowledge guidance, CVPR 2023",
    )


def _size(semantic: int, channels: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SemanticEmbedding(semantic, channels).parameters())
