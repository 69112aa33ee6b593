"""The paired-arm trainer: nothing differs between arms but the weights of the loss terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.contexts.regions import context_maps
from benchmark.errors import DataError, TrainingError
from benchmark.files import content_key
from benchmark.judges.semantics import KnowledgeBank
from benchmark.losses.adversarial import SemanticAdversary
from benchmark.losses.base import LOSSES, Instruments
from benchmark.schedules import ARMS
from benchmark.schedules.arms import Plan
from benchmark.schedules.scaling import make_scaler
from benchmark.schedules.table import FAMILIES
from benchmark.training.averaging import begun, follow
from benchmark.training.calibration import Calibration, balance_factors
from benchmark.training.checkpoint import State, below, load_checkpoint, save_checkpoint
from benchmark.training.failure import diagnosis
from benchmark.training.recipe import Recipe, TrainingUnit
from benchmark.training.result import TrainedArm, TrainingLog, empty_log
from benchmark.training.rounds import Validation
from benchmark.training.setup import Setup, TrainingData, assemble, reproducible
from benchmark.training.together import compute_of

#: The arm whose gradient share ``context_balance: grad_share`` restores.
BASELINE = "matched"


def train_arm(
    unit: TrainingUnit,
    data: TrainingData,
    calibration: Calibration,
    *,
    instruments: Instruments,
    device: str = "cpu",
    validation: TrainingData | None = None,
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
        validation: what an iterative arm is steered by; others ignore it.
        checkpoint: file to continue from and to keep up to date; the caller removes it. An
            iterative arm keeps that of the arm it is held against beside it.
        advance: called with the number of steps just done.

    Raises:
        TrainingError: if the objective stops being finite; it names the step and the term.
        DataError: if an iterative arm has no validation data.
    """
    with reproducible(unit.recipe.threads):
        setup = assemble(unit, data, instruments, device=device)
        run = _Run(unit, setup, calibration, device, data.key)
        rounds = _rounds(run, data, validation, instruments, checkpoint)
        start = run.resume(checkpoint)
        if advance and start:
            advance(start)
        for step in range(start, unit.recipe.steps):
            if rounds is not None:
                rounds.before(step)
            run.step(step)
            if (step + 1) % unit.recipe.checkpoint_every == 0:
                run.keep(checkpoint, step + 1)
            if advance:
                advance(1)
        return run.result()


class _Run:
    """One training in progress."""

    def __init__(
        self, unit: TrainingUnit, setup: Setup, calibration: Calibration, device: str, data: str
    ) -> None:
        self.unit, self.setup, self.calibration = unit, setup, calibration
        self.key = content_key(
            unit.as_dict(), data, calibration.as_dict(), torch.__version__, device
        )
        self.plan: Plan = setup.plan(unit, unit.arm)
        recipe, contexts = unit.recipe, len(self.plan.schedule.rows)
        shares = min(recipe.share_log, recipe.steps)
        log = empty_log(
            steps=recipe.steps,
            contexts=contexts,
            families=len(FAMILIES),
            shares=shares,
            rounds=recipe.rounds.count if ARMS.get(unit.arm).iterative else 1,
        )
        self.log = TrainingLog(**{name: t.to(device) for name, t in log.as_dict().items()})
        self.log.rows[0] = torch.as_tensor(self.plan.schedule.rows.copy())
        self.scaler = make_scaler(recipe.scale)
        self.adversary = None
        if recipe.adversary is not None:
            bank = cast(KnowledgeBank, setup.instruments.segmenter())
            opponent = replace(recipe.adversary, seed=unit.seed)
            self.adversary = SemanticAdversary(bank, opponent, device=device)
        # the middles of equal parts of the run
        at = (np.arange(shares) + 0.5) * recipe.steps / max(shares, 1)
        self.share_rows = {int(step): row for row, step in enumerate(at)}
        self.log.share_steps.copy_(torch.tensor(list(self.share_rows), dtype=torch.int64))
        if recipe.context_balance == "grad_share":
            factors = balance_factors(
                setup, self.plan, setup.plan(unit, BASELINE), calibration, recipe.scale_samples
            )
            self.log.balance.copy_(torch.as_tensor(factors))
        self.compute = compute_of(recipe, device)
        share = (recipe.batch // recipe.processes, 3, *setup.bank.pool.inputs.shape[1:3])
        self.through = self.compute.through(setup.network, share)
        self.optimiser = torch.optim.Adam(setup.network.parameters(), lr=recipe.rate)
        self.average = begun(setup.network, recipe.ema)

    def step(self, step: int) -> None:
        """One optimiser step on the batch that every arm sees at this step."""
        setup, recipe, compute = self.setup, self.unit.recipe, self.compute
        everyone = setup.course.order[step]
        labels = torch.as_tensor(setup.course.labels[everyone], device=self.log.loss.device)
        samples = compute.mine(everyone)
        outputs, losses, weights = self._weighted(samples, step)
        values, contexts = compute.gathered(losses.detach()), len(self.log.balance)
        self.log.terms[step] = context_means(values, labels, contexts)
        self.log.weights[step] = context_means(compute.gathered(weights), labels, contexts)
        self.log.divisors[step] = self._divisors(losses, step)
        scheduled = (weights * losses / self.log.divisors[step]).sum(1)
        objective = (scheduled * self.log.balance[compute.mine(labels)]).mean()
        self._measure_shares(step, scheduled, labels)
        if self.adversary is not None:
            self.adversary.update(outputs, setup.bank.references(samples), step=step)
            against = self.adversary.loss(outputs).mean()
            objective = objective + self.adversary.recipe.weight * against
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, recipe)
        whole, norm = compute.backward(objective, self.optimiser, clip=recipe.clip)
        if not compute.healthy(whole, norm):
            raise self._broken(values, samples, step)
        compute.advance(self.optimiser)
        follow(self.average, setup.network, recipe.ema)
        self.log.loss[step], self.log.gradient_norm[step] = whole, norm

    def result(self) -> TrainedArm:
        """Weights and log, on the CPU."""
        state = self.average or self.setup.network.state_dict()
        log = {name: value.cpu() for name, value in self.log.as_dict().items()}
        return TrainedArm(
            self.unit,
            {name: value.detach().cpu().clone() for name, value in state.items()},
            TrainingLog(**log),
            tuple(self.compute.notes),
        )

    def follow(self, rows: NDArray[np.float64]) -> None:
        """Train with another table from here on."""
        self.plan = replace(self.plan, schedule=replace(self.plan.schedule, rows=rows))

    def resume(self, path: Path | None) -> int:
        """Continue from a checkpoint; the number of steps already done."""
        if path is None:
            return 0
        return load_checkpoint(
            path,
            key=self.key,
            network=self.setup.network,
            optimiser=self.optimiser,
            average=self.average,
            log=self.log,
            beside=self._set_beside,
        )

    def keep(self, path: Path | None, done: int) -> None:
        """Write a checkpoint after ``done`` steps, if one is wanted."""
        if path is None or self.compute.rank:
            return
        save_checkpoint(
            path,
            key=self.key,
            step=done,
            network=self.setup.network,
            optimiser=self.optimiser,
            average=self.average,
            log=self.log,
            beside=self._beside(),
        )

    def _beside(self) -> State:
        """What the next step depends on beside host, optimiser and log."""
        state = {f"compute.{name}": value for name, value in self.compute.state_dict().items()}
        if self.adversary is not None:
            own = self.adversary.state_dict()
            state |= {f"adversary.{name}": value for name, value in own.items()}
        return state

    def _set_beside(self, state: State) -> None:
        self.compute.load_state_dict(below("compute.", state))
        if self.adversary is not None:
            self.adversary.load_state_dict(below("adversary.", state))

    def _broken(self, values: Tensor, samples: NDArray[np.int64], step: int) -> TrainingError:
        """Why no step can be taken: the term is found by computing them once more."""
        named: dict[str, str] = {LOSSES.get(term).family: term for term in self.unit.recipe.terms}
        losses = self._weighted(samples, step)[1]
        return TrainingError(
            diagnosis(
                step,
                values,
                losses,
                [named.get(family, family) for family in FAMILIES],
                lambda mean: self.compute.gradient(mean, list(self.setup.network.parameters())),
            ),
            where=f"{self.unit.host} {self.unit.arm} seed {self.unit.seed}",
            mend="lower the learning rate, or look for damaged training images",
        )

    def _weighted(self, samples: NDArray[np.int64], step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, every term and its weight, ``[B, M]`` each.

        In an arm with regions a term is the mean over places by their weights, and its weight the
        mean weight of the places.
        """
        if not self.plan.regions:
            outputs, losses = self.setup.judged(samples, through=self.through)
            return outputs, losses, self._weights(samples, step).to(losses)
        maps = self._weight_maps(samples, step)
        mean = maps.mean((2, 3))
        outputs, losses = self.setup.judged(samples, maps, through=self.through)
        return outputs, torch.where(mean > 0, losses / mean.clamp(min=1e-12), losses), mean

    def _divisors(self, losses: Tensor, step: int) -> Tensor:
        """What terms are divided by at this step, ``[M]``; needs this step's terms in the log."""
        frozen = np.array(self.calibration.divisors)
        if self.scaler is not None:
            if self.scaler.needs_norms:
                self._measure_terms(losses, step)
            norms = self.log.term_norms[:step].double().cpu().numpy()
            history = self._history(step + 1)
            frozen = frozen * self.scaler.divisors(history, norms, self.setup.available)
        return losses.new_tensor(frozen)

    def _measure_terms(self, losses: Tensor, step: int) -> None:
        """Log the gradient norm of the mean of every term."""
        parameters = list(self.setup.network.parameters())
        for column in np.flatnonzero(self.setup.available).tolist():
            gradient = self.compute.gradient(losses[:, column].mean(), parameters)
            self.log.term_norms[step, column] = _length(gradient)

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
        own, world = self.compute.mine(labels), self.compute.world
        for context in np.unique(self.setup.course.labels).tolist():
            count = int((labels == context).sum())
            mean = scheduled[own == context].sum() * world / count
            gradient = self.compute.gradient(mean, parameters)
            self.log.shares[row, context] = _length(gradient)


class _Rounds:
    """Between rounds: the table of the next one, from what the arm lacks beside the baseline."""

    def __init__(
        self, run: _Run, start: Callable[[], _Run], validation: Validation, at: Path | None
    ) -> None:
        self.run, self.start, self.validation = run, start, validation
        self.checkpoint = at
        self.companion = at.with_name(f"{BASELINE}-{at.name}") if at else None
        self.baseline = start()
        self.done = self.baseline.resume(self.companion)

    def before(self, step: int) -> None:
        """Follow the table of the round that ``step`` is in; find it if the round begins here."""
        recipe = self.run.unit.recipe
        now = recipe.rounds.of(step, recipe.steps)
        rows = self.run.log.rows
        if rows[now].isnan().any():
            self._catch_up(step)
            # of a run with fewer steps than rounds, some rounds have none
            last = next(row for row in reversed(rows[:now].unbind()) if row.isfinite().all())
            found = self.validation.next_rows(
                last.cpu().numpy(),
                self.run.setup.network,
                self.baseline.setup.network,
                rounds=recipe.rounds,
                floor=recipe.table.floor,
            )
            rows[now] = torch.as_tensor(found)
            # kept before the baseline goes on, so that it is never ahead of a run that resumes
            self.run.keep(self.checkpoint, step)
        if now:
            self.run.follow(rows[now].cpu().numpy())

    def _catch_up(self, step: int) -> None:
        """Train the baseline for as many steps."""
        if self.done > step:  # the checkpoint of the arm itself was lost
            self.baseline, self.done = self.start(), 0
        for number in range(self.done, step):
            self.baseline.step(number)
        self.done = step
        self.baseline.keep(self.companion, step)


def _rounds(
    run: _Run,
    data: TrainingData,
    validation: TrainingData | None,
    instruments: Instruments,
    checkpoint: Path | None,
) -> _Rounds | None:
    unit = run.unit
    if not ARMS.get(unit.arm).iterative:
        return None
    if validation is None:
        raise DataError(
            f"the arm {unit.arm} is steered by pictures that it is not trained on, and has none",
            where=f"{unit.host} seed {unit.seed}",
            mend="give validation data",
        )
    other, device = replace(unit, arm=BASELINE), str(run.log.loss.device)

    def start() -> _Run:
        setup = assemble(other, data, instruments, device=device)
        return _Run(other, setup, run.calibration, device, data.key)

    judged = Validation(validation, unit.recipe.terms, instruments, device=device)
    return _Rounds(run, start, judged, checkpoint)


def _length(gradient: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.square().sum() for part in gradient]).sum().sqrt()


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
