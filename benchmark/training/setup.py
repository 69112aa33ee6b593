"""What all arms of one host and seed have in common, assembled in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import Tensor, nn

from benchmark.enhancers.hosts import HOSTS
from benchmark.errors import DataError
from benchmark.files import content_key, write_bytes
from benchmark.losses.base import Instruments
from benchmark.schedules import ARMS
from benchmark.schedules.arms import Course, Plan, plan_arm
from benchmark.training.features import FeatureBank, shared_bank
from benchmark.training.pool import TrainingPool
from benchmark.training.recipe import TrainingUnit
from benchmark.training.sampler import sample_order

_FILE = "contexts.safetensors"


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The pool and what a context predictor said about its inputs.

    Attributes:
        pool: paired samples.
        contexts: ``[N, K]`` float64, rows at least 0 and of sum 1, in the order of ``CONTEXTS``.
    """

    pool: TrainingPool
    contexts: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = self.contexts
        if len(rows) != len(self.pool) or not (rows >= 0).all():
            raise DataError(
                f"context vectors {rows.shape} do not describe {len(self.pool)} training samples"
            )
        if len(rows) and np.abs(rows.sum(1) - 1).max() > 1e-5:
            raise DataError("context vectors do not sum to 1", where=f"{rows.sum(1)}")

    @property
    def key(self) -> str:
        """Digest of pool and vectors."""
        return content_key(self.pool.digest, self.contexts.tolist())

    def save(self, folder: Path) -> None:
        """Write both to ``folder``."""
        self.pool.save(folder)
        write_bytes(folder / _FILE, save({"contexts": np.ascontiguousarray(self.contexts)}))

    @classmethod
    def load(cls, folder: Path) -> TrainingData:
        """Read what :meth:`save` wrote."""
        contexts = load((folder / _FILE).read_bytes())["contexts"]
        return cls(TrainingPool.load(folder), contexts)


@dataclass(frozen=True, eq=False)
class Setup:
    """Initial network, batches and the order in which they come.

    Attributes:
        network: the host at its initial weights, in training mode.
        bank: batches and loss terms.
        course: samples of every step and their contexts.
        instruments: networks that terms look through.
    """

    network: nn.Module
    bank: FeatureBank
    course: Course
    instruments: Instruments

    @property
    def available(self) -> NDArray[np.float64]:
        """``[M]``, 1 where a family has a term."""
        return self.course.available

    def plan(self, unit: TrainingUnit, arm: str) -> Plan:
        """The schedule of ``arm`` in this run."""
        recipe = unit.recipe
        return plan_arm(
            ARMS.get(arm), self.course, table=recipe.table, gate=recipe.gate, seed=unit.seed
        )

    def losses(self, samples: NDArray[np.int64], weights: Tensor | None = None) -> Tensor:
        """Every term for the numbered samples, ``[B, M]``, with gradients to the network.

        Args:
            samples: numbers in the pool.
            weights: ``[B, M, h, w]`` weight of every term at every place; None weighs nothing.
        """
        return self.judged(samples, weights)[1]

    def judged(
        self,
        samples: NDArray[np.int64],
        weights: Tensor | None = None,
        *,
        through: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Outputs ``[B, 3, H, W]`` for the numbered samples and their :meth:`losses`.

        ``through`` is another way of computing the network's outputs.
        """
        inputs, features = self.bank.batch(samples)
        outputs = (through or self.network)(inputs)
        return outputs, self.bank.stack(outputs, features, weights)

    def first_samples(self, count: int) -> NDArray[np.int64]:
        """The first ``count`` different samples in the order of the run."""
        flat = self.course.order.ravel()
        _, position = np.unique(flat, return_index=True)
        return flat[np.sort(position)[:count]]


def assemble(
    unit: TrainingUnit, data: TrainingData, instruments: Instruments, *, device: str
) -> Setup:
    """The setup of ``unit``; it depends on host, seed and recipe, never on the arm."""
    recipe = unit.recipe
    network = HOSTS.get(unit.host).factory(unit.seed).to(device).train()
    bank = shared_bank(data.pool, recipe.terms, instruments, device=device)
    order = sample_order(data.pool.labels, steps=recipe.steps, batch=recipe.batch, seed=unit.seed)
    course = Course(
        contexts=data.contexts.astype(np.float64),
        labels=data.pool.labels,
        order=order,
        available=np.array(bank.stack.available, dtype=np.float64),
    )
    return Setup(network, bank, course, instruments)


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """A block whose CPU sums do not depend on the machine's cores, nor cuDNN on its timings."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            yield
    finally:
        torch.set_num_threads(before)
