"""The moving average of a host's weights, which a training returns in place of the last ones."""

from __future__ import annotations

from torch import Tensor, nn

State = dict[str, Tensor]


def begun(network: nn.Module, decay: float) -> State:
    """Copies of everything that ``network`` stores; nothing without a decay."""
    if not decay:
        return {}
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def follow(average: State, network: nn.Module, decay: float) -> None:
    """Move the average a step towards the network; what is counted and not learnt is copied."""
    if not average:
        return
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)
