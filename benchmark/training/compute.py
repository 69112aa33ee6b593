"""Where a training computes, in which precision, and with whom it shares every batch.

Whatever is chosen here, losses, gradients, weights and the optimiser are single precision: reduced
precision is for the host's forward pass and what autograd derives from it. Calibration always runs
in single precision on one device, so that all ways of computing share one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

Precision = Literal["float32", "bf16", "fp16"]
_REDUCED = {"bf16": torch.bfloat16, "fp16": torch.float16}

Rows = TypeVar("Rows", NDArray[np.int64], Tensor)


class Compute:
    """One process on one device; :class:`benchmark.training.together.Together` is several.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        precision: of the host's forward pass; ``fp16`` scales the loss while it must.
        compiled: let ``torch.compile`` have the host; where it cannot, :attr:`notes` says why and
            the training goes on without.
    """

    #: Number of this process among those that share a batch, and how many they are.
    rank, world = 0, 1

    def __init__(
        self, device: str = "cpu", *, precision: Precision = "float32", compiled: bool = False
    ) -> None:
        self.device, self.compiled = torch.device(device), compiled
        self._reduced = _REDUCED.get(precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self.notes: list[str] = []

    def through(self, network: nn.Module, shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
        """The host as a function, images to outputs in single precision.

        Args:
            network: on :attr:`device`.
            shape: of the batches that will come; ``torch.compile`` is tried on one of it.
        """
        host = self._compile(network, shape) if self.compiled else network

        def forward(images: Tensor) -> Tensor:
            with self.autocast():
                outputs: Tensor = host(images)
            return outputs.float()

        return forward

    def autocast(self) -> AbstractContextManager[object]:
        """A block that computes in the chosen precision."""
        return torch.autocast(
            self.device.type, dtype=self._reduced, enabled=self._reduced is not None
        )

    def mine(self, samples: Rows) -> Rows:
        """This process's share of a batch."""
        return samples

    def gathered(self, values: Tensor) -> Tensor:
        """The rows of every process, in the order of the batch."""
        return values

    def averaged(self, values: Sequence[Tensor]) -> Sequence[Tensor]:
        """The mean over processes."""
        return values

    def gradient(self, loss: Tensor, parameters: Sequence[nn.Parameter]) -> Sequence[Tensor]:
        """Gradient of the mean over processes; the graph is kept."""
        parts = torch.autograd.grad(self.scaler.scale(loss), parameters, retain_graph=True)
        return self.averaged([part / self.scaler.get_scale() for part in parts])

    def backward(
        self, objective: Tensor, optimiser: torch.optim.Optimizer, *, clip: float
    ) -> tuple[Tensor, Tensor]:
        """Give every parameter its clipped gradient; the optimiser has not moved yet.

        Args:
            objective: mean over this process's share of the batch.
            optimiser: of the parameters that learn.
            clip: largest norm of the gradient.

        Returns:
            The objective of the whole batch and the norm before clipping; in ``fp16`` the latter
            may be infinite, and then :meth:`advance` leaves the step out and lowers the scale.
        """
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(objective))
        learning = [p for group in optimiser.param_groups for p in group["params"]]
        if self.world > 1:
            given = [parameter for parameter in learning if parameter.grad is not None]
            means = self.averaged([cast(Tensor, parameter.grad) for parameter in given])
            for parameter, mean in zip(given, means, strict=True):
                parameter.grad = mean
        self.scaler.unscale_(optimiser)
        norm = clip_grad_norm_(learning, clip)
        return self.averaged([objective.detach()])[0], norm

    def healthy(self, objective: Tensor, norm: Tensor) -> bool:
        """Whether a step with this objective and gradient can be taken."""
        return bool((objective if self.scaler.is_enabled() else objective + norm).isfinite())

    def advance(self, optimiser: torch.optim.Optimizer) -> None:
        """Take the step."""
        self.scaler.step(optimiser)
        self.scaler.update()

    def state_dict(self) -> dict[str, Tensor]:
        """What the next step depends on: the scale of the loss; empty where there is none."""
        return {
            n: torch.tensor(v, dtype=torch.float64) for n, v in self.scaler.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """What :meth:`state_dict` gave."""
        if state:
            numbers = {name: value.item() for name, value in state.items()}
            whole = ("growth_interval", "_growth_tracker")
            self.scaler.load_state_dict(numbers | {name: int(numbers[name]) for name in whole})

    def _compile(self, network: nn.Module, shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
        """The compiled host, once it has gone forwards and back."""
        compiled: Callable[[Tensor], Tensor] = torch.compile(network, dynamic=False)
        try:
            with self.autocast():
                total = compiled(torch.zeros(shape, device=self.device)).float().sum()
            torch.autograd.grad(total, list(network.parameters()))
        # a compiler fails in as many ways as there are machines, and none is worth a training
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self.notes.append(f"torch.compile was left out: {reason}")
            return network
        return compiled
