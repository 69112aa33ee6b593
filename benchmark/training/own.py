"""Training a published architecture with the losses of its own authors, in the arm ``own``.

The objective is the authors' (:mod:`benchmark.losses.own`), and so are Adam's settings. Everything
else is the paired trainer's: pool, order of samples, how the learning rate moves, checkpoints, log
and result, so that what is trained here is evaluated like any other host. It is one host's own
training, hence no pair of any arm: its objective, its rate and its clipping differ from theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from benchmark.contexts.base import CONTEXTS
from benchmark.enhancers.hosts import HOSTS
from benchmark.errors import SpecError, TrainingError
from benchmark.files import content_key
from benchmark.losses.base import Instruments
from benchmark.losses.own import OWN, Batch, OwnObjective
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.recipe import TrainingUnit
from benchmark.training.result import TrainedArm, TrainingLog, empty_log
from benchmark.training.sampler import sample_order
from benchmark.training.setup import TrainingData, reproducible
from benchmark.training.trainer import context_means, learning_rate

#: Spreads the seeds of runs, so that no two share the draws of a step.
_STRIDE = 1_000_003


def train_own(
    unit: TrainingUnit,
    data: TrainingData,
    *,
    instruments: Instruments,
    device: str = "cpu",
    checkpoint: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> TrainedArm:
    """Train one host from one seed with its own objective.

    On the CPU a training that is killed and started again with its checkpoint ends with the same
    bytes as one that ran through.

    Args:
        unit: of its recipe ``steps``, ``batch``, ``rise``, ``ema``, ``checkpoint_every`` and
            ``threads`` are read; rate, betas and clipping are the authors'.
        data: training set; context vectors are not used.
        instruments: networks that the objective looks through.
        device: where to train.
        checkpoint: file to continue from and to keep up to date; the caller removes it.
        advance: called with the number of steps just done.

    Raises:
        SpecError: for a host without an objective of its own, more than one process, half
            precision or a compiled host.
        WeightsError: if a network that the objective looks through is absent.
        TrainingError: if the objective stops being finite; the message names the step and terms.
    """
    with reproducible(unit.recipe.threads):
        run = _Run(unit, data, instruments, device)
        key = content_key("own", unit.as_dict(), data.key, torch.__version__, device)
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
        self, unit: TrainingUnit, data: TrainingData, instruments: Instruments, device: str
    ) -> None:
        recipe = unit.recipe
        if recipe.processes > 1 or recipe.compiled or recipe.precision != "float32":
            raise SpecError(
                f"the arm {unit.arm} trains in one process, in single precision and uncompiled",
                mend="leave --processes, --compile and --precision out",
            )
        self.unit, self.pool, self.device = unit, data.pool, torch.device(device)
        self.objective = _objective(unit, instruments).to(self.device).train()
        settings = self.objective.optimiser
        self.recipe = replace(recipe, rate=settings.rate)
        self.clip = settings.clip
        self.columns = self.objective.columns()
        self.weights = torch.tensor(
            [weight for terms in self.objective.terms.values() for weight in terms.values()],
            device=self.device,
        )
        self.moved = {
            player: list(module.parameters()) for player, module in self.objective.players().items()
        }
        self.order = sample_order(
            self.pool.labels, steps=recipe.steps, batch=recipe.batch, seed=unit.seed
        )
        log = empty_log(
            steps=recipe.steps, contexts=len(CONTEXTS), families=len(self.columns), shares=0
        )
        self.log = TrainingLog(**{name: t.to(device) for name, t in log.as_dict().items()})
        self.optimiser = torch.optim.Adam(
            [parameter for moved in self.moved.values() for parameter in moved],
            lr=settings.rate,
            betas=settings.betas,
        )
        self.average: dict[str, Tensor] = {}
        if recipe.ema:
            state = self.objective.network.state_dict()
            self.average = {name: value.detach().clone() for name, value in state.items()}

    def step(self, step: int) -> None:
        """All terms of the players whose turn it is, then one move of each by its own.

        Raises:
            TrainingError: if a term or a gradient is not finite; nobody has moved then.
        """
        labels = torch.as_tensor(self.pool.labels[self.order[step]], device=self.device)
        turns = self.objective.turns(step / self.recipe.steps)
        found = self.objective(self._batch(step), turns)
        objectives = {player: self._objective_of(player, found) for player in turns}
        self.optimiser.zero_grad(set_to_none=True)
        norm = torch.stack([self._pull(*item) for item in objectives.items()]).norm()
        whole = torch.stack([value.detach() for value in objectives.values()]).sum()
        if not (whole + norm).isfinite():
            raise self._broken(found, step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, self.recipe)
        self.optimiser.step()
        for name, value in self._state().items() if self.average else ():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - self.recipe.ema)
            else:
                self.average[name].copy_(value)
        self.log.loss[step], self.log.gradient_norm[step] = whole, norm
        idle = self.weights.new_full((len(labels),), torch.nan)
        table = torch.stack([found.get(name, idle).detach() for name in self.columns], 1)
        self.log.terms[step] = context_means(table, labels, len(CONTEXTS))
        self.log.weights[step] = context_means(self.weights.expand_as(table), labels, len(CONTEXTS))

    def result(self) -> TrainedArm:
        """Weights of the host and the log, on the CPU."""
        state = self.average or self._state()
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
            network=self.objective,
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
            network=self.objective,
            optimiser=self.optimiser,
            average=self.average,
            log=self.log,
        )

    def _state(self) -> dict[str, Tensor]:
        return dict(self.objective.network.state_dict())

    def _broken(self, found: Mapping[str, Tensor], step: int) -> TrainingError:
        terms = [name for name, values in found.items() if not values.isfinite().all()]
        return TrainingError(
            f"the objective stopped being finite at step {step} "
            f"({', '.join(terms) or 'its gradient'})",
            where=f"{self.unit.host} {self.unit.arm} seed {self.unit.seed}",
            mend="look for damaged training images, or train for more steps, over a share of "
            "which the rate rises",
        )

    def _batch(self, step: int) -> Batch:
        """The samples of a step, and its draws, which depend on the seed and its number alone."""
        samples = self.order[step]
        generator = torch.Generator().manual_seed(self.unit.seed * _STRIDE + step)
        return Batch(
            self._images(self.pool.inputs[samples]),
            self._images(self.pool.references[samples]),
            generator,
        )

    def _images(self, images: NDArray[np.uint8]) -> Tensor:
        batch = torch.as_tensor(images, device=self.device)
        return batch.permute(0, 3, 1, 2).contiguous().float() / 255

    def _objective_of(self, player: str, found: dict[str, Tensor]) -> Tensor:
        """The weighted sum of a player's terms, averaged over the batch."""
        terms = self.objective.terms[player].items()
        return torch.stack([w * found[f"{player}.{term}"] for term, w in terms]).sum(0).mean()

    def _pull(self, player: str, objective: Tensor) -> Tensor:
        """Give a player's parameters the gradient of its objective; its norm before clipping."""
        moved = self.moved[player]
        gradients = torch.autograd.grad(objective, moved, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(moved, gradients, strict=True):
            parameter.grad = gradient
        return clip_grad_norm_(moved, self.clip)


def _objective(unit: TrainingUnit, instruments: Instruments) -> OwnObjective:
    if unit.host not in OWN:
        raise SpecError(
            f"the host {unit.host!r} has no losses of its own here",
            mend=f"train one of {', '.join(OWN.names())}, or take another arm",
        )
    return OWN.get(unit.host)(HOSTS.get(unit.host).factory(unit.seed), instruments)
