"""Everything about a training that is the same for all arms, and what names one training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from benchmark.errors import SpecError
from benchmark.schedules.gate import Gate
from benchmark.schedules.table import PRIOR, ContextTable

Scale = Literal["calib_param", "calib_mag", "none"]
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
        scale: how loss terms are brought to one scale (methods, section 1.6).
        scale_samples: samples that the scale is taken over; half of what the specification says,
            because five gradients a sample are dear and the divisors move by a tenth only.
        context_balance: ``grad_share`` gives every context the gradient norm it has under the
            matched control.
        share_log: steps at which the gradient share of each context is logged, spread evenly.
        checkpoint_every: steps between checkpoints; it changes no result.
        threads: CPU threads; part of the recipe, because sums depend on how they are split.
        table: context weights.
        gate: time gate.
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

    def __post_init__(self) -> None:
        positive = {"steps", "batch", "rate", "clip", "scale_samples", "checkpoint_every"}
        wrong = [name for name in sorted(positive) if getattr(self, name) <= 0]
        wrong += [name for name in ("rise", "ema") if not 0 <= getattr(self, name) < 1]
        if wrong or self.threads < 1 or self.share_log < 0:
            raise SpecError(
                "a training recipe is out of range", where=", ".join(wrong) or "threads"
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
