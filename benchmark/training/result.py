"""What a training leaves behind: weights, and a log that says what the arm did differently."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from benchmark.errors import StoreError
from benchmark.files import write_bytes, write_json
from benchmark.training.failure import heed
from benchmark.training.recipe import TrainingUnit

_WEIGHTS, _LOG, _UNIT = "weights.safetensors", "log.safetensors", "unit.json"
_NOTES = "notes.json"


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """Numbers of every step; T steps, K contexts, M families.

    Attributes:
        loss: the scheduled objective, ``[T]``.
        gradient_norm: before clipping, ``[T]``.
        terms: mean of each term over the samples of a context, unscaled, ``[T, K, M]``; NaN for
            contexts that are not in the batch.
        weights: mean weight of each term over the samples of a context, ``[T, K, M]``; NaN alike.
        share_steps: steps at which the gradient of each context was measured, ``[G]``.
        shares: its norm, ``[G, K]``; 0 for contexts that are not in the batch.
        balance: factor on the loss of each context, ``[K]``; 1 unless balanced.
        divisors: of every term, ``[T, M]``; the same at every step where they are frozen.
        term_norms: norm of the gradient of every term's mean, ``[T, M]``; NaN unless the scale
            needs it.
        rows: table that the arm trains with in each of R rounds, ``[R, K, M]`` float64.
    """

    loss: Tensor
    gradient_norm: Tensor
    terms: Tensor
    weights: Tensor
    share_steps: Tensor
    shares: Tensor
    balance: Tensor
    divisors: Tensor
    term_norms: Tensor
    rows: Tensor

    def as_dict(self) -> dict[str, Tensor]:
        """The arrays by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, eq=False)
class TrainedArm:
    """A finished training.

    Attributes:
        unit: what was trained.
        state: weights of the host, on the CPU.
        log: what happened.
        notes: what was asked for and could not be had.
    """

    unit: TrainingUnit
    state: dict[str, Tensor]
    log: TrainingLog
    notes: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write weights, log and unit to ``folder``; the same training gives the same bytes."""
        write_bytes(folder / _WEIGHTS, save(self.state))
        write_bytes(folder / _LOG, save(self.log.as_dict()))
        write_json(folder / _UNIT, self.unit.as_dict())
        write_json(folder / _NOTES, list(self.notes))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            TrainingError: if the training could not go on.
            StoreError: if a file is absent or damaged.
        """
        heed(folder)
        try:
            state = load((folder / _WEIGHTS).read_bytes())
            log = TrainingLog(**load((folder / _LOG).read_bytes()))
            unit = TrainingUnit.from_dict(json.loads((folder / _UNIT).read_text()))
            notes = training_notes(folder)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise StoreError(
                f"a trained host cannot be read: {error}",
                where=str(folder),
                mend="delete this cache entry and run again",
            ) from error
        return cls(unit, state, log, notes)


def training_notes(folder: Path) -> tuple[str, ...]:
    """What a training asked for and could not have; nothing of one that could not go on."""
    path = folder / _NOTES
    return tuple(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else ()


def empty_log(
    *, steps: int, contexts: int, families: int, shares: int, rounds: int = 0
) -> TrainingLog:
    """A log to be filled in."""
    return TrainingLog(
        loss=torch.zeros(steps),
        gradient_norm=torch.zeros(steps),
        terms=torch.full((steps, contexts, families), torch.nan),
        weights=torch.full((steps, contexts, families), torch.nan),
        share_steps=torch.zeros(shares, dtype=torch.int64),
        shares=torch.zeros(shares, contexts),
        balance=torch.ones(contexts),
        divisors=torch.ones(steps, families),
        term_norms=torch.full((steps, families), torch.nan),
        rows=torch.full((rounds, contexts, families), torch.nan, dtype=torch.float64),
    )
