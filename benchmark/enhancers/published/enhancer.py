"""A published network as an enhancer, and loading its weights without leaving a tensor over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.enhancers.base import Enhancer
from benchmark.enhancers.published.catalogue import Published
from benchmark.weights import (
    COUNTER,
    RIGHT,
    WeightStore,
    load_tensors,
    mending_command,
    refuse_misfit,
)

#: Pixels that go through a network at once: bounds memory, and keeps a CPU's caches of use.
_PIXELS = {"cpu": 1 << 18, "cuda": 1 << 22}


class Network(nn.Module):
    """A published architecture: ``[B, 3, H, W]`` sRGB in [0, 1] to the same shape, any size.

    Modules are named as in the published file, so that its keys need no translation.
    """

    #: Prefixes of tensors that the file also holds and that only training needs.
    training_only: ClassVar[tuple[str, ...]] = ()


class PublishedEnhancer(Enhancer):
    """A network with frozen weights, run over batches in pieces of bounded size."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def enhance(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """The network's output, on the device of ``images``."""
        network = self.network.to(images.device)
        limit = _PIXELS.get(images.device.type, _PIXELS["cuda"])
        pieces = torch.split(images, max(limit // (images.shape[-2] * images.shape[-1]), 1))
        return torch.cat([network(piece) for piece in pieces])


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """``[B, C, H, W]``, last row and column repeated until ``multiple`` divides the sides."""
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    if not below and not right:
        return images
    return functional.pad(images, (0, right, 0, below), mode="replicate")


def load(system: Published, store: WeightStore | None = None) -> PublishedEnhancer:
    """Build a system from the weights at hand.

    Raises:
        WeightsError: if they are absent, damaged, or of another architecture.
    """
    store = store or WeightStore()
    located = [store.require(name) for name in system.weights]
    tensors: dict[str, Tensor] = {}
    for found in located:
        again = f"delete it, then: {mending_command(found.weight)}"
        tensors |= load_tensors(found.path, mend=again)
    network = _empty(system)
    where = " and ".join(str(found.path) for found in located)
    fill(network, tensors, where=where, mend=again)
    return PublishedEnhancer(network)


def check(system: Published, file: Path) -> None:
    """Refuse a file that is not this system's weights, before it takes their place.

    Raises:
        WeightsError: if it is damaged or of another architecture.
    """
    fill(_empty(system), load_tensors(file), where=str(file))


def _empty(system: Published) -> nn.Module:
    with torch.device("meta"):  # the initial weights would be thrown away
        return system.build()


def fill(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    where: str,
    mend: str = RIGHT,
) -> None:
    """Give a network its weights: every tensor has one place and every place one tensor.

    Args:
        network: may be on the meta device; its parameters become the tensors.
        tensors: as read from a file; those of :attr:`Network.training_only` are left out.
        where: the file, for the message.
        mend: what the user can do if it is of another network.

    Raises:
        WeightsError: naming the keys that are missing, left over or of another shape.
    """
    unused = network.training_only if isinstance(network, Network) else ()
    given = {key: value for key, value in tensors.items() if not key.startswith(unused)}
    refuse_misfit(network, given, where=where, mend=mend)
    uncounted = (key for key in network.state_dict() if key.endswith(COUNTER) and key not in given)
    given |= {key: torch.tensor(0) for key in uncounted}
    network.load_state_dict({k: _without_subnormals(v) for k, v in given.items()}, assign=True)


def _without_subnormals(values: Tensor) -> Tensor:
    """Zero what lies below the smallest normal number, as weight decay leaves by the thousand.

    A quarter of Zero-DCE's published weights are such: outputs do not change by a bit, and a CPU,
    which takes them through microcode, is fifty times faster without.
    """
    if not values.is_floating_point():
        return values
    values = values.float()
    return values.masked_fill(values.abs() < torch.finfo(torch.float32).tiny, 0.0)
