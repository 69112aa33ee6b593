"""Plugging semantic knowledge into any host: the outputs of named layers pass through attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.assets.fitting import initialised
from benchmark.enhancers.hosts import Host, Tap, need_taps
from benchmark.enhancers.skf.attention import Form, SemanticEmbedding
from benchmark.errors import WeightsError
from benchmark.judges.semantics import KnowledgeBank, SceneNet, Semantics, load_bank

#: Share of their usual size that the last weights of both branches start with: a plug-in first
#: leaves its host almost as it is.
_GENTLE = 0.1


class SemanticHost(nn.Module):
    """A host whose layers know what is in the picture, in training and afterwards.

    The bank is no submodule: its weights are neither trained nor stored with the host's. Their
    digest is, so that a host never meets another bank than it was trained with.

    Args:
        host: image to image.
        taps: where semantics enter.
        bank: frozen segmenter; it sees the degraded input.
        form: of the attention.
    """

    def __init__(
        self, host: nn.Module, taps: tuple[Tap, ...], bank: KnowledgeBank, *, form: Form = "paper"
    ) -> None:
        super().__init__()
        self.host = host
        self.embeddings = nn.ModuleList(
            SemanticEmbedding(bank.widths[tap.level], tap.channels, form=form) for tap in taps
        )
        with torch.no_grad():
            for block in self.embeddings:
                assert isinstance(block, SemanticEmbedding)
                block.leave.weight.mul_(_GENTLE)
                block.feed_forward.leave.weight.mul_(_GENTLE)
        self._taps = taps
        self._bank = (bank,)  # in a tuple Module does not look
        self._now: Semantics | None = None
        for number, tap in enumerate(taps):
            host.get_submodule(tap.layer).register_forward_hook(partial(self._enter, number))

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
        semantics = self._now.features[self._taps[number].level]
        result: Tensor = self.embeddings[number](features, semantics)
        return result


def with_scene_knowledge(host: Host) -> Host:
    """The plug-in ``skf``: ``host`` with the suite's own knowledge bank at its taps."""
    return with_semantics(host, bank=load_bank, widths=SceneNet.widths)


def with_semantics(
    host: Host,
    *,
    bank: Callable[[], KnowledgeBank],
    widths: tuple[int, ...],
    name: str = "skf",
) -> Host:
    """``host`` with semantic knowledge, as a host of its own; nothing is loaded until it is built.

    Args:
        host: what is plugged into, at its taps.
        bank: gives the frozen segmenter.
        widths: channels of the bank's features, known before it is loaded.
        name: of the plug-in.

    Raises:
        SpecError: if the host has no taps.
    """
    taps = need_taps(host)
    added = sum(_size(widths[tap.level], tap.channels) for tap in taps)

    def build(seed: int) -> nn.Module:
        network = host.factory(seed)
        return initialised(lambda: SemanticHost(network, taps, bank()), seed)

    return Host(
        name=f"{host.name}+{name}",
        factory=build,
        parameters=host.parameters + added,
        licence=host.licence,
        citation=f"{host.citation}; Wu et al., semantic-aware knowledge guidance, CVPR 2023",
    )


def _size(semantic: int, channels: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SemanticEmbedding(semantic, channels).parameters())
