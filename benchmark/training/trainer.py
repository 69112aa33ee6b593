"""The paired-arm trainer: nothing differs between arms but the weights of the loss terms."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from benchmark.contexts.regions import context_maps
from benchmark.errors import DataError
from benchmark.files import content_key
from benchmark.losses.base import Instruments
from benchmark.schedules.arms import Plan
from benchmark.schedules.table import FAMILIES
from benchmark.training.calibration import Calibration, balance_factors
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.recipe import Recipe, TrainingUnit
from benchmark.training.result import TrainedArm, TrainingLog, empty_log
from benchmark.training.setup import Setup, TrainingData, assemble, reproducible

#: The arm whose gradient share ``context_balance: grad_share`` restores.
BASELINE = "matched"


def train_arm(
    unit: TrainingUnit,
    data: TrainingData,
    calibration: Calibration,
    *,
    instruments: Instruments,
    device: str = "cpu",
    checkpoint: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> TrainedArm:
    """Train one host in one arm from one seed.

    Initial weights, order of samples, every loss term, its scale, the optimiser and its learning
    rate are those of all arms of this host and seed; all terms are evaluated in every arm. On the
    CPU a training that is killed and started again with its checkpoint ends with the same bytes as
    one that ran through. On a GPU the gradient of the face crop adds atomically, so that two runs
    agree to rounding only.

    Args:
        unit: what to train.
        data: training set with its context vectors.
        calibration: divisors of the loss terms, from :func:`calibrate` for this host and seed.
        instruments: networks that the terms look through.
        device: where to train.
        checkpoint: file to continue from and to keep up to date; the caller removes it.
        advance: called with the number of steps just done.

    Raises:
        DataError: if the objective stops being finite.
    """
    with reproducible(unit.recipe.threads):
        setup = assemble(unit, data, instruments, device=device)
        run = _Run(unit, setup, calibration, device)
        key = content_key(
            unit.as_dict(), data.key, calibration.as_dict(), torch.__version__, device
        )
        start = run.resume(checkpoint, key) if checkpoint else 0
        if advance and start:
            advance(start)
        for step in range(start, unit.recipe.steps):
            run.step(step)
            done = step + 1
            if checkpoint and done % unit.recipe.checkpoint_every == 0:
                run.keep(checkpoint, key, done)
            if advance:
                advance(1)
        return run.result()


class _Run:
    """One training in progress."""

    def __init__(
        self, unit: TrainingUnit, setup: Setup, calibration: Calibration, device: str
    ) -> None:
        self.unit, self.setup, self.calibration = unit, setup, calibration
        self.plan: Plan = setup.plan(unit, unit.arm)
        recipe, contexts = unit.recipe, len(self.plan.schedule.rows)
        shares = min(recipe.share_log, recipe.steps)
        log = empty_log(
            steps=recipe.steps, contexts=contexts, families=len(FAMILIES), shares=shares
        )
        self.log = TrainingLog(**{name: t.to(device) for name, t in log.as_dict().items()})
        # the middles of equal parts of the run
        at = (np.arange(shares) + 0.5) * recipe.steps / max(shares, 1)
        self.share_rows = {int(step): row for row, step in enumerate(at)}
        self.log.share_steps.copy_(torch.tensor(list(self.share_rows), dtype=torch.int64))
        if recipe.context_balance == "grad_share":
            factors = balance_factors(
                setup, self.plan, setup.plan(unit, BASELINE), calibration, recipe.scale_samples
            )
            self.log.balance.copy_(torch.as_tensor(factors))
        self.optimiser = torch.optim.Adam(setup.network.parameters(), lr=recipe.rate)
        self.average: dict[str, Tensor] = {}
        if recipe.ema:
            state = setup.network.state_dict()
            self.average = {name: value.detach().clone() for name, value in state.items()}

    def step(self, step: int) -> None:
        """One optimiser step on the batch that every arm sees at this step."""
        setup, recipe = self.setup, self.unit.recipe
        samples = setup.course.order[step]
        labels = torch.as_tensor(setup.course.labels[samples], device=self.log.loss.device)
        losses, weights = self._weighted(samples, step)
        divisors = losses.new_tensor(self.calibration.divisors)
        scheduled = (weights * losses / divisors).sum(1)
        objective = (scheduled * self.log.balance[labels]).mean()
        self._measure_shares(step, scheduled, labels)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, recipe)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(objective)
        norm = clip_grad_norm_(setup.network.parameters(), recipe.clip)
        self.optimiser.step()
        for name, value in setup.network.state_dict().items() if self.average else ():
            self.average[name].lerp_(value, 1 - recipe.ema)
        self.log.loss[step], self.log.gradient_norm[step] = objective.detach(), norm
        self.log.terms[step] = context_means(losses.detach(), labels, len(self.log.balance))
        self.log.weights[step] = context_means(weights, labels, len(self.log.balance))

    def result(self) -> TrainedArm:
        """Weights and log, on the CPU.

        Raises:
            DataError: if the objective was not finite at some step.
        """
        bad = torch.nonzero(~self.log.loss.isfinite()).flatten()
        if len(bad):
            raise DataError(
                f"the objective stopped being finite at step {int(bad[0])}",
                where=f"{self.unit.host} {self.unit.arm} seed {self.unit.seed}",
                mend="lower the learning rate, or look for damaged training images",
            )
        state = self.average or self.setup.network.state_dict()
        log = {name: value.cpu() for name, value in self.log.as_dict().items()}
        return TrainedArm(
            self.unit,
            {name: value.detach().cpu().clone() for name, value in state.items()},
            TrainingLog(**log),
        )

    def resume(self, path: Path, key: str) -> int:
        """Continue from a checkpoint; the number of steps already done."""
        return load_checkpoint(
            path,
            key=key,
            network=self.setup.network,
            optimiser=self.optimiser,
            average=self.average,
            log=self.log,
        )

    def keep(self, path: Path, key: str, done: int) -> None:
        """Write a checkpoint after ``done`` steps."""
        save_checkpoint(
            path,
            key=key,
            step=done,
            network=self.setup.network,
            optimiser=self.optimiser,
            average=self.average,
            log=self.log,
        )

    def _weighted(self, samples: NDArray[np.int64], step: int) -> tuple[Tensor, Tensor]:
        """Every term and its weight, ``[B, M]`` each.

        In an arm with regions a term is the mean over places by their weights, and its weight the
        mean weight of the places.
        """
        if not self.plan.regions:
            losses = self.setup.losses(samples)
            return losses, self._weights(samples, step).to(losses)
        maps = self._weight_maps(samples, step)
        mean = maps.mean((2, 3))
        losses = self.setup.losses(samples, maps)
        return torch.where(mean > 0, losses / mean.clamp(min=1e-12), losses), mean

    def _weight_maps(self, samples: NDArray[np.int64], step: int) -> Tensor:
        """``[B, M, h, w]``; at every place of sum 1 over the terms."""
        regions = self.setup.bank.pool.regions[samples]
        contexts = context_maps(self.plan.contexts[samples], regions)
        flat = contexts.reshape(-1, contexts.shape[-1])
        weights = self.plan.schedule.weights(
            flat, self.setup.course.progress()[step], self.setup.available
        )
        maps = weights.reshape(*contexts.shape[:3], -1).transpose(0, 3, 1, 2)
        device = self.log.loss.device
        return torch.as_tensor(np.ascontiguousarray(maps), dtype=torch.float32, device=device)

    def _weights(self, samples: NDArray[np.int64], step: int) -> Tensor:
        if self.plan.balancer is not None:
            shared = self.plan.balancer.weights(self._history(step), self.setup.available)
            rows = np.broadcast_to(shared, (len(samples), len(shared)))
            return torch.as_tensor(rows.copy(), dtype=torch.float32)
        progress = self.setup.course.progress()[step]
        weights = self.plan.schedule.weights(
            self.plan.contexts[samples], progress, self.setup.available
        )
        return torch.as_tensor(weights, dtype=torch.float32)

    def _history(self, step: int) -> NDArray[np.float64]:
        """Mean calibrated losses of the steps before, ``[step, M]``; 0 where there is no term."""
        present = np.unique(self.setup.course.labels)
        terms = self.log.terms[:step].cpu().numpy().astype(np.float64)[:, present].mean(1)
        result: NDArray[np.float64] = terms / np.array(self.calibration.divisors)
        return result

    def _measure_shares(self, step: int, scheduled: Tensor, labels: Tensor) -> None:
        """Log the gradient norm of every context where this step is one of the logged."""
        row = self.share_rows.get(step)
        if row is None:
            return
        parameters = list(self.setup.network.parameters())
        for context in np.unique(self.setup.course.labels).tolist():
            mean = scheduled[labels == context].mean()
            gradient = torch.autograd.grad(mean, parameters, retain_graph=True)
            norm = torch.stack([part.square().sum() for part in gradient]).sum().sqrt()
            self.log.shares[row, context] = norm


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear rise over the share ``rise`` of the steps, then half a cosine towards zero."""
    progress = (step + 0.5) / recipe.steps
    if progress < recipe.rise:
        return recipe.rate * progress / recipe.rise
    return recipe.rate * (1 + math.cos(math.pi * (progress - recipe.rise) / (1 - recipe.rise))) / 2


def context_means(values: Tensor, labels: Tensor, contexts: int) -> Tensor:
    """Mean of the rows of every context, ``[K, M]``; NaN for contexts without rows."""
    member = functional.one_hot(labels, contexts).to(values)
    return (member.T @ values) / member.sum(0)[:, None]
