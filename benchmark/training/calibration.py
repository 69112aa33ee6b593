"""Bringing loss terms to one scale, once, at the weights that all arms start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import TrainingError
from benchmark.losses.base import Instruments
from benchmark.schedules.arms import Plan
from benchmark.schedules.scaling import make_scaler
from benchmark.schedules.table import FAMILIES
from benchmark.training.recipe import Scale, TrainingUnit
from benchmark.training.setup import Setup, TrainingData, assemble, reproducible

_CHUNK = 32


@dataclass(frozen=True)
class Calibration:
    """The divisors k of the loss terms, frozen for all arms of one host and seed.

    Attributes:
        scale: how they were found.
        samples: over how many training samples.
        divisors: one a family, in the order of ``FAMILIES``; 1 where there is no term.
    """

    scale: Scale
    samples: int
    divisors: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, JSON only; reading it back gives the same bits."""
        divisors = dict(zip(FAMILIES, self.divisors, strict=True))
        return {"scale": self.scale, "samples": self.samples, "divisors": divisors}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The calibration that :meth:`as_dict` wrote."""
        divisors = tuple(float(data["divisors"][family]) for family in FAMILIES)
        return cls(data["scale"], data["samples"], divisors)


def calibrate(
    unit: TrainingUnit, data: TrainingData, *, instruments: Instruments, device: str = "cpu"
) -> Calibration:
    """Divisors at the shared initial weights (methods, section 1.6).

    ``calib_param``: k_m = |grad_theta mean L_m| / |grad_theta mean L_fid|. ``calib_mag``:
    k_m = mean L_m / mean L_fid. ``none``: all 1, as for scales that follow the training and come
    on top (:mod:`benchmark.schedules.scaling`). The means run over the first samples of the run,
    pooled over contexts. By default divisors do not follow the training: dividing by a running
    mean would optimise sum w_m log L_m, and the weights would no longer mean what the table says.

    Args:
        unit: host, seed and recipe; its arm plays no part.
        data: training set.
        instruments: networks that the terms look through.
        device: where to compute.

    Raises:
        TrainingError: if a term has no gradient, or an infinite one.
    """
    recipe = unit.recipe
    if recipe.scale == "none" or make_scaler(recipe.scale) is not None:
        return Calibration(recipe.scale, 0, (1.0,) * len(FAMILIES))
    with reproducible(recipe.threads):
        setup = assemble(unit, data, instruments, device=device)
        samples = setup.first_samples(recipe.scale_samples)
        if recipe.scale == "calib_param":
            sizes = _gradient_norms(setup, samples)
        else:
            sizes = _magnitudes(setup, samples)
    available = setup.available > 0
    if not (np.isfinite(sizes[available]) & (sizes[available] > 0)).all():
        raise TrainingError(
            "a loss term cannot be calibrated: its size at the initial weights is not positive",
            where=", ".join(f"{f} {s:.3g}" for f, s in zip(FAMILIES, sizes, strict=True)),
            mend="use --scale none, or leave the term out",
        )
    divisors = np.where(available, sizes / sizes[FAMILIES.index("fid")], 1.0)
    return Calibration(recipe.scale, len(samples), tuple(float(k) for k in divisors))


def balance_factors(
    setup: Setup, arm: Plan, baseline: Plan, calibration: Calibration, count: int
) -> NDArray[np.float64]:
    """For every context, G_c(baseline) / G_c(arm) at the initial weights with the gate open.

    G_c is the norm of the parameter gradient of the mean loss of context c (methods, section 1.6);
    1 for contexts without samples.
    """
    samples = setup.first_samples(count)
    own, reference = (
        context_gradients(setup, plan, calibration, samples, progress=1.0)
        for plan in (arm, baseline)
    )
    return np.divide(reference, own, out=np.ones_like(own), where=own > 0)


def context_gradients(
    setup: Setup,
    plan: Plan,
    calibration: Calibration,
    samples: NDArray[np.int64],
    *,
    progress: float,
) -> NDArray[np.float64]:
    """G_c = |grad_theta mean over c of the scheduled loss|, ``[K]``; 0 where c is absent."""
    labels = setup.course.labels[samples]
    result = np.zeros(len(plan.schedule.rows))
    for context in np.unique(labels):
        members = samples[labels == context]
        gradient: list[Tensor] | None = None
        for chunk in _chunks(members):
            weights = plan.schedule.weights(plan.contexts[chunk], progress, setup.available)
            scaled = torch.as_tensor(weights / calibration.divisors, dtype=torch.float32)
            losses = setup.losses(chunk)
            total = (losses * scaled.to(losses)).sum() / len(members)
            gradient = _added(gradient, _gradient(setup, total))
        result[context] = _norm(gradient)
    return result


def _gradient_norms(setup: Setup, samples: NDArray[np.int64]) -> NDArray[np.float64]:
    gradients: list[list[Tensor] | None] = [None] * len(FAMILIES)
    wanted = np.flatnonzero(setup.available)
    for chunk in _chunks(samples):
        means = setup.losses(chunk).sum(0) / len(samples)
        for column in wanted:
            part = _gradient(setup, means[column], retain=bool(column != wanted[-1]))
            gradients[column] = _added(gradients[column], part)
    return np.array([_norm(gradient) for gradient in gradients])


@torch.no_grad()
def _magnitudes(setup: Setup, samples: NDArray[np.int64]) -> NDArray[np.float64]:
    total = np.zeros(len(FAMILIES))
    for chunk in _chunks(samples):
        total += setup.losses(chunk).double().sum(0).cpu().numpy()
    return total / len(samples)


def _gradient(setup: Setup, loss: Tensor, *, retain: bool = False) -> list[Tensor]:
    parameters = list(setup.network.parameters())
    return list(torch.autograd.grad(loss, parameters, retain_graph=retain))


def _added(total: list[Tensor] | None, part: list[Tensor]) -> list[Tensor]:
    return part if total is None else [a + b for a, b in zip(total, part, strict=True)]


def _norm(gradient: list[Tensor] | None) -> float:
    if gradient is None:
        return 0.0
    return float(torch.stack([part.double().square().sum() for part in gradient]).sum().sqrt())


def _chunks(samples: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]
