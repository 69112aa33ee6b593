"""Training a curve network without references, with or without a guiding term plugged in.

The objective is Zero-DCE's own (:mod:`benchmark.losses.unsupervised`), to which an arm may add any
loss term that looks at outputs alone, as SDAG does. Everything else is the paired trainer's: hosts,
order of samples, learning rate, checkpoints, log and result, so that a host trained here is
evaluated like any other. Clean references of the pool are never read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.contexts.base import CONTEXTS
from benchmark.enhancers.hosts import HOSTS
from benchmark.errors import SpecError, TrainingError
from benchmark.files import content_key
from benchmark.losses.base import LOSSES, Instruments, LossTerm
from benchmark.losses.unsupervised import TERMS, WEIGHTS, ZeroReference
from benchmark.schedules.unsupervised import UNSUPERVISED, UnsupervisedArm
from benchmark.training.averaging import begun, follow
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.compute import Compute
from benchmark.training.failure import diagnosis
from benchmark.training.recipe import TrainingUnit
from benchmark.training.result import TrainedArm, TrainingLog, empty_log
from benchmark.training.sampler import sample_order
from benchmark.training.setup import TrainingData, reproducible
from benchmark.training.trainer import context_means, learning_rate

#: Columns of a log: the four losses and the guiding term.
COLUMNS = (*TERMS, "guidance")
#: Adam's L2 penalty, as in Zero-DCE's release.
DECAY = 1e-4
_CHUNK = 32


class CurveHost(Protocol):
    """A network that tells which curves it used."""

    def estimate(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Enhanced ``[B, 3, H, W]`` and curve maps ``[B, C, H, W]``."""


def train_unsupervised(
    unit: TrainingUnit,
    data: TrainingData,
    *,
    instruments: Instruments,
    device: str = "cpu",
    checkpoint: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> TrainedArm:
    """Train one host without references from one seed.

    Arms of one host and seed share initial weights, order of samples, the four losses and their
    weights, the optimiser and its learning rate. On the CPU a training that is killed and started
    again with its checkpoint ends with the same bytes as one that ran through.

    Args:
        unit: its arm is one of :data:`UNSUPERVISED`; of its recipe ``steps``, ``batch``, ``rate``,
            ``rise``, ``clip``, ``ema``, ``scale_samples``, ``checkpoint_every`` and ``threads``
            are read.
        data: training set; inputs and contexts are used, references are not.
        instruments: where a guiding term gets its network.
        device: where to train.
        checkpoint: file to continue from and to keep up to date; the caller removes it.
        advance: called with the number of steps just done.

    Raises:
        UnknownNameError: for a host or an arm that is not registered.
        SpecError: for a host that does not tell its curves.
        WeightsError: if the network of the guiding term is absent.
        TrainingError: if the objective stops being finite; it names the step and the term.
    """
    arm = UNSUPERVISED.get(unit.arm)
    with reproducible(unit.recipe.threads):
        run = _Run(unit, arm, data, instruments, device)
        key = content_key("unsupervised", unit.as_dict(), data.key, torch.__version__, device)
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
        self,
        unit: TrainingUnit,
        arm: UnsupervisedArm,
        data: TrainingData,
        instruments: Instruments,
        device: str,
    ) -> None:
        recipe = unit.recipe
        self.unit, self.pool, self.device = unit, data.pool, torch.device(device)
        self.compute = Compute(device)
        self.network = _curve_host(unit.host, unit.seed).to(self.device).train()
        self.objective = ZeroReference()
        self.guidance = _guidance(arm, instruments)
        if self.guidance:
            self.guidance.to(self.device)
        self.order = sample_order(
            self.pool.labels, steps=recipe.steps, batch=recipe.batch, seed=unit.seed
        )
        self.weights = torch.tensor([*WEIGHTS, 0.0], device=self.device)
        if self.guidance:
            self.weights[-1] = self._guidance_weight(arm.share)
        log = empty_log(steps=recipe.steps, contexts=len(CONTEXTS), families=len(COLUMNS), shares=0)
        self.log = TrainingLog(**{name: t.to(device) for name, t in log.as_dict().items()})
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=recipe.rate, weight_decay=DECAY
        )
        self.average = begun(self.network, recipe.ema)

    def step(self, step: int) -> None:
        """One optimiser step on the batch that every arm sees at this step."""
        recipe, samples = self.unit.recipe, self.order[step]
        labels = torch.as_tensor(self.pool.labels[samples], device=self.device)
        losses = self._losses(samples)
        objective = (losses @ self.weights).mean()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, recipe)
        whole, norm = self.compute.backward(objective, self.optimiser, clip=recipe.clip)
        if not self.compute.healthy(whole, norm):
            raise self._broken(samples, step)
        self.compute.advance(self.optimiser)
        follow(self.average, self.network, recipe.ema)
        self.log.loss[step], self.log.gradient_norm[step] = whole, norm
        self.log.terms[step] = context_means(losses.detach(), labels, len(CONTEXTS))
        self.log.weights[step] = context_means(
            self.weights.expand_as(losses), labels, len(CONTEXTS)
        )

    def result(self) -> TrainedArm:
        """Weights and log, on the CPU."""
        state = self.average or self.network.state_dict()
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
            network=self.network,
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
            network=self.network,
            optimiser=self.optimiser,
            average=self.average,
            log=self.log,
        )

    def _broken(self, samples: NDArray[np.int64], step: int) -> TrainingError:
        """Why no step can be taken: the term is found by computing them once more."""
        losses, parameters = self._losses(samples), list(self.network.parameters())
        return TrainingError(
            diagnosis(
                step,
                losses.detach(),
                losses,
                COLUMNS,
                lambda mean: self.compute.gradient(mean, parameters),
            ),
            where=f"{self.unit.host} {self.unit.arm} seed {self.unit.seed}",
            mend="lower the learning rate, or look for damaged training images",
        )

    def _losses(self, samples: NDArray[np.int64]) -> Tensor:
        """Every column for every sample, ``[B, 5]``; 0 where there is no guidance."""
        batch = torch.as_tensor(self.pool.inputs[samples], device=self.device)
        images = batch.permute(0, 3, 1, 2).contiguous().float() / 255
        outputs, curves = cast(CurveHost, self.network).estimate(images)
        own = self.objective(images, outputs, curves)
        guide = self.guidance(outputs, {}) if self.guidance else own.new_zeros(len(own))
        return torch.cat([own, guide[:, None]], 1)

    def _guidance_weight(self, share: float) -> float:
        """The weight at which guidance has ``share`` of the four losses' gradient.

        Taken once, over the first samples of the run at the weights that all arms start from, and
        frozen (methods, section 1.6).

        Raises:
            TrainingError: if the guiding term has no gradient, or an infinite one.
        """
        flat = self.order.ravel()
        _, position = np.unique(flat, return_index=True)
        samples = flat[np.sort(position)[: self.unit.recipe.scale_samples]]
        parameters = list(self.network.parameters())
        totals = [torch.zeros(sum(p.numel() for p in parameters), device=self.device)] * 2
        for start in range(0, len(samples), _CHUNK):
            losses = self._losses(samples[start : start + _CHUNK])
            sums = ((losses[:, :-1] @ self.weights[:-1]).sum(), losses[:, -1].sum())
            parts = [torch.autograd.grad(s, parameters, retain_graph=True) for s in sums]
            totals = [
                total + torch.cat([piece.flatten() for piece in part])
                for total, part in zip(totals, parts, strict=True)
            ]
        own, guide = (float(total.double().norm()) for total in totals)
        if not (np.isfinite([own, guide]).all() and guide > 0):
            raise TrainingError(
                f"guidance cannot be weighted: its gradient at the initial weights is {guide:.3g}",
                where=f"{self.unit.host} {self.unit.arm} seed {self.unit.seed}",
                mend="look for damaged training images, or take the arm zero-dce",
            )
        return share * own / guide


def _curve_host(name: str, seed: int) -> nn.Module:
    network = HOSTS.get(name).factory(seed)
    if not hasattr(network, "estimate"):
        raise SpecError(
            f"the host {name!r} does not tell its curves, which Zero-DCE's losses look at",
            mend="train curve or curve-full without references",
        )
    return network


def _guidance(arm: UnsupervisedArm, instruments: Instruments) -> LossTerm | None:
    return LOSSES.get(arm.guidance).build(instruments) if arm.guidance else None
