"""One training on several devices: processes that share every batch, through accelerate.

Every process draws the same batch and takes its own part of it; gradients are averaged before they
are clipped, and what the log and the balancers look at is gathered, so that all processes take the
same step. Results are those of one process to rounding: sums are split otherwise.
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, multiprocessing
from torch.multiprocessing.spawn import ProcessException, start_processes

from benchmark.errors import EquiluxError, SpecError
from benchmark.training.compute import Compute, Precision, Rows
from benchmark.training.recipe import Recipe

_HOST = "127.0.0.1"
#: Seconds between looks at what the processes say.
_PATIENCE = 0.2


class Together(Compute):
    """This process among those that :func:`launch` started.

    Args:
        kind: ``cpu`` or ``cuda``; on a GPU every process has its own.
        precision: see :class:`Compute`.
        compiled: see :class:`Compute`.

    Raises:
        EquiluxError: if accelerate is not installed.
    """

    def __init__(
        self, kind: str, *, precision: Precision = "float32", compiled: bool = False
    ) -> None:
        # precision is Compute's matter, so that one process and several do the same
        self._accelerator = _accelerate().Accelerator(cpu=kind == "cpu", mixed_precision="no")
        super().__init__(str(self._accelerator.device), precision=precision, compiled=compiled)
        self.rank: int = self._accelerator.process_index
        self.world: int = self._accelerator.num_processes

    def mine(self, samples: Rows) -> Rows:
        """This process's share of a batch, in order.

        Raises:
            SpecError: if the batch cannot be shared equally.
        """
        share, left = divmod(len(samples), self.world)
        if left:
            raise SpecError(
                f"a batch of {len(samples)} cannot be shared equally by {self.world} processes",
                mend="choose a number of processes that divides it",
            )
        return samples[self.rank * share : (self.rank + 1) * share]

    def gathered(self, values: Tensor) -> Tensor:
        """The rows of every process, in the order of the batch."""
        result: Tensor = self._accelerator.gather(values.contiguous())
        return result

    def averaged(self, values: Sequence[Tensor]) -> Sequence[Tensor]:
        """The mean over processes, in one message."""
        flat = torch.cat([value.flatten() for value in values])
        mean: Tensor = self._accelerator.reduce(flat, reduction="mean")
        parts = torch.split(mean, [value.numel() for value in values])
        return [part.reshape(v.shape) for part, v in zip(parts, values, strict=True)]


def launch(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    *,
    kind: str,
    processes: int,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Run ``work(*arguments, advance)`` in ``processes`` processes of one group, to the end.

    Args:
        work: importable by name; only in the process of rank 0 is ``advance`` not None.
        arguments: can be pickled.
        kind: of their devices, ``cpu`` or ``cuda``.
        processes: how many.
        advance: told of the steps that rank 0 tells of.

    Raises:
        EquiluxError: what ``work`` raised, or that a process died.
    """
    told = multiprocessing.get_context("spawn").SimpleQueue()
    group = start_processes(  # type: ignore[no-untyped-call]
        _member,
        args=(kind, processes, _free_port(), told, work, arguments),
        nprocs=processes,
        join=False,
        daemon=True,
    )
    heard = _Ear(told, advance)
    try:
        while not group.join(timeout=_PATIENCE):
            heard.listen()
    except ProcessException as error:
        heard.listen()
        heard.complain()
        raise EquiluxError(
            f"a process of the training ended: {str(error).strip().splitlines()[-1]}",
            mend="the same command goes on where this one stopped; try fewer processes",
        ) from error
    heard.listen()


class _Ear:
    """What the processes say: steps done, and errors."""

    def __init__(self, told: Any, advance: Callable[[int], None] | None) -> None:
        self._told, self._advance = told, advance
        self._error: EquiluxError | None = None

    def listen(self) -> None:
        """Hear all that has been said."""
        while not self._told.empty():
            message = self._told.get()
            if isinstance(message, EquiluxError):
                self._error = self._error or message
            elif self._advance:
                self._advance(message)

    def complain(self) -> None:
        """Raise the first error."""
        if self._error is not None:
            raise self._error


def _member(  # noqa: PLR0917 - called by position, from another process
    rank: int,
    kind: str,
    processes: int,
    port: int,
    told: Any,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    os.environ |= {
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    torch.set_num_threads(1)
    try:
        # the group and this process's device, before anything is put on it
        _accelerate().PartialState(cpu=kind == "cpu")
        work(*arguments, told.put if rank == 0 else None)
    except EquiluxError as error:
        told.put(error)
        raise SystemExit(error.exit_code) from error  # so that nobody waits for this process
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def compute_of(recipe: Recipe, device: str) -> Compute:
    """How a training computes, by its recipe.

    Raises:
        SpecError: if it is for several processes and this is not one of as many.
    """
    if recipe.processes == 1:
        return Compute(device, precision=recipe.precision, compiled=recipe.compiled)
    if os.environ.get("WORLD_SIZE") != str(recipe.processes):
        raise SpecError(
            f"a training for {recipe.processes} processes was started in one",
            mend="start it by run_training, which starts the others",
        )
    return Together(device, precision=recipe.precision, compiled=recipe.compiled)


def speaks_for_all() -> bool:
    """Whether this process is the one that writes; the only one always is."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_HOST, 0))
        return int(found.getsockname()[1])


def _accelerate() -> Any:
    try:
        return importlib.import_module("accelerate")
    except ImportError as error:
        raise EquiluxError(
            "training on several devices needs accelerate, which is not installed",
            mend="pip install 'equilux[devices]', or train with one process",
        ) from error
