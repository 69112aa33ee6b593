"""Everything about a training that is the same for all arms, and what names one training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args

from benchmark.errors import SpecError
from benchmark.losses.adversarial import AdversaryRecipe
from benchmark.schedules.gate import Gate
from benchmark.schedules.rounds import Rounds
from benchmark.schedules.table import PRIOR, ContextTable
from benchmark.training.compute import Precision

Scale = Literal["calib_param", "calib_mag", "ema_mag", "gradnorm", "none"]
Balance = Literal["none", "grad_share"]


@dataclass(frozen=True)
class Recipe:
    """How every arm is trained.

    There is no augmentation: probes can render as many different samples as are wanted.

    Attributes:
        steps: optimiser steps.
        batch: samples a step, contexts in equal numbers.
        rate: largest learning rate of Adam.
        rise: share of the steps over which the rate rises linearly; then it falls as a half
            cosine to zero.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights that are returned; 0 returns the last ones.
        terms: names of loss terms, at most one a family.
        scale: how loss terms are brought to one scale (methods, section 1.6): ``calib_param`` and
            ``calib_mag`` are frozen before the first step and shared by all arms, ``ema_mag`` and
            ``gradnorm`` follow the training of each arm.
        scale_samples: samples that the scale is taken over; half of what the specification says,
            because five gradients a sample are dear and the divisors move by a tenth only.
        context_balance: ``grad_share`` gives every context the gradient norm it has under the
            matched control.
        share_log: steps at which the gradient share of each context is logged, spread evenly.
        checkpoint_every: steps between checkpoints; it changes no result.
        threads: CPU threads; part of the recipe, because sums depend on how they are split.
        table: context weights.
        gate: time gate.
        rounds: of arms that are iterative; others have one.
        adversary: what learns against the host, on top of the scheduled terms; None for nothing.
            Arms of a comparison must share it, and are still no exact pairs with it.
        precision: of the host's forward pass; everything else is in single precision.
        compiled: let ``torch.compile`` have the host, if it can.
        processes: that share every batch, on a GPU each with its own; part of the recipe, because
            sums depend on how they are split.
    """

    steps: int = 150
    batch: int = 8
    rate: float = 3e-3
    rise: float = 0.1
    clip: float = 0.1
    ema: float = 0.0
    terms: tuple[str, ...] = (
        *("charbonnier", "structure", "nlpd"),
        *("identity", "chroma", "recognition"),
    )
    scale: Scale = "calib_param"
    scale_samples: int = 128
    context_balance: Balance = "none"
    share_log: int = 4
    checkpoint_every: int = 50
    threads: int = 1
    table: ContextTable = PRIOR
    gate: Gate = field(default_factory=Gate)
    rounds: Rounds = field(default_factory=Rounds)
    adversary: AdversaryRecipe | None = None
    precision: Precision = "float32"
    compiled: bool = False
    processes: int = 1

    def __post_init__(self) -> None:
        positive = {"steps", "batch", "rate", "clip", "scale_samples", "checkpoint_every"}
        wrong = [name for name in sorted(positive) if getattr(self, name) <= 0]
        wrong += [name for name in ("rise", "ema") if not 0 <= getattr(self, name) < 1]
        if self.precision not in get_args(Precision):
            wrong.append("precision")
        if self.batch % max(self.processes, 1):
            wrong.append("processes: they cannot share a batch equally")
        if wrong or min(self.threads, self.processes) < 1 or self.share_log < 0:
            raise SpecError(
                "a training recipe is out of range", where=", ".join(wrong) or "threads"
            )
        if self.adversary is not None and self.processes > 1:
            raise SpecError(
                "an adversary learns from whole batches, which no process has",
                mend="train it with one process",
            )
        if self.context_balance != "none" and self.scale in ("ema_mag", "gradnorm"):
            raise SpecError(
                f"{self.context_balance} is measured before training, where {self.scale} has no "
                "divisors yet",
                mend="take a frozen scale: calib_param, calib_mag or none",
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain data, JSON only."""
        data = asdict(self)
        data["terms"] = list(self.terms)
        data["table"]["rows"] = [list(row) for row in self.table.rows]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The recipe that :meth:`as_dict` wrote; absent keys keep their defaults.

        Raises:
            SpecError: for an unknown key.
        """
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise SpecError(f"a training recipe has no {', '.join(sorted(unknown))}")
        known = dict(data)
        if "terms" in known:
            known["terms"] = tuple(known["terms"])
        if "table" in known:
            table = known["table"]
            known["table"] = ContextTable(tuple(map(tuple, table["rows"])), table["floor"])
        if "gate" in known:
            known["gate"] = Gate(**known["gate"])
        if "rounds" in known:
            known["rounds"] = Rounds(**known["rounds"])
        if known.get("adversary") is not None:
            known["adversary"] = AdversaryRecipe(**known["adversary"])
        return cls(**known)


@dataclass(frozen=True)
class TrainingUnit:
    """One training, as plain values; data and calibration come beside it by their keys.

    Attributes:
        host: name of the architecture.
        arm: name of the schedule.
        seed: of initial weights and sample order.
        recipe: what all arms share.
    """

    host: str
    arm: str
    seed: int
    recipe: Recipe = field(default_factory=Recipe)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, JSON only."""
        return {
            "host": self.host,
            "arm": self.arm,
            "seed": self.seed,
            "recipe": self.recipe.as_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The unit that :meth:`as_dict` wrote."""
        return cls(data["host"], data["arm"], data["seed"], Recipe.from_dict(data["recipe"]))
