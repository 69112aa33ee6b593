"""Interrupted trainings: everything the next step depends on, in one file without code in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from benchmark.files import write_bytes
from benchmark.training.result import TrainingLog

State = dict[str, Tensor]


def save_checkpoint(
    path: Path,
    *,
    key: str,
    step: int,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: State,
    log: TrainingLog,
    beside: State | None = None,
) -> None:
    """Write the state after ``step`` steps, atomically, over the last one.

    Args:
        path: the file.
        key: digest of everything that decides the training.
        step: steps done.
        network: the host.
        optimiser: Adam; its learning rate is a function of the step and is not stored.
        average: averaged weights, empty if none are kept.
        log: filled up to ``step``.
        beside: of whatever else learns with the host.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    tensors |= {f"log.{name}": value for name, value in log.as_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
    tensors |= {f"beside.{name}": value for name, value in (beside or {}).items()}
    # copies, because a network may use one tensor under two names and a file may not
    copies = {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    write_bytes(path, save(copies, metadata={"about": json.dumps({"key": key, "step": step})}))


def load_checkpoint(
    path: Path,
    *,
    key: str,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: State,
    log: TrainingLog,
    beside: Callable[[State], None] | None = None,
) -> int:
    """Bring everything to the state on file and return the number of steps done.

    A checkpoint that is absent, damaged or of another training costs time, never a wrong result:
    then nothing is touched and the answer is 0.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            if about.get("key") != key:
                return 0
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError):
        return 0
    network.load_state_dict(below("network.", tensors))
    for name, value in below("average.", tensors).items():
        average[name].copy_(value)
    for name, value in below("log.", tensors).items():
        getattr(log, name).copy_(value)
    if beside is not None:
        beside(below("beside.", tensors))
    groups = optimiser.state_dict()["param_groups"]
    state: dict[int, State] = {}
    for name, value in below("adam.", tensors).items():
        index, _, field = name.partition(".")
        state.setdefault(int(index), {})[field] = value
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    return int(about["step"])


def below(prefix: str, tensors: State) -> State:
    """The tensors whose names begin with ``prefix``, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
