"""The one training loop of the suite's own small networks: AdamW under a one-cycle rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from benchmark.progress import Reporter

Network = TypeVar("Network", bound=nn.Module)


def fit(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[torch.Generator], Tensor],
    *,
    steps: int,
    rate: float,
    decay: float,
    seed: int,
    title: str,
    reporter: Reporter | None = None,
) -> None:
    """Minimise ``loss``; equal arguments on one machine give equal weights.

    Args:
        parameters: what is trained, already on their device.
        loss: the scalar loss of one step; draws its samples from the generator that it is given.
        steps: optimiser steps.
        rate: peak learning rate of the one-cycle schedule.
        decay: weight decay.
        seed: of the generator.
        title: for progress lines.
        reporter: told of every step.
    """
    optimiser = torch.optim.AdamW(list(parameters), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.15
    )
    generator = torch.Generator().manual_seed(seed)
    with (reporter or Reporter()).task(f"train {title}", steps) as advance:
        for _ in range(steps):
            value = loss(generator)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            advance(1)


def initialised(build: Callable[[], Network], seed: int) -> Network:
    """A network with initial weights from ``seed``, without touching torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
