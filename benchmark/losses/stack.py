"""The terms of one training run together: one column per objective family."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import torch
from torch import Tensor, nn

from benchmark.errors import SpecError
from benchmark.losses.base import LOSSES, Features, Instruments, LossTerm
from benchmark.schedules.table import FAMILIES


def check_families(terms: Iterable[tuple[str, str]]) -> None:
    """Refuse terms that cannot be trained together.

    Args:
        terms: name and family of each.

    Raises:
        SpecError: if two share a family, or there is no fidelity term to calibrate by.
    """
    named = list(terms)
    families = [family for _, family in named]
    if len(set(families)) < len(families):
        raise SpecError(
            "two loss terms share an objective family",
            where=", ".join(f"{name} ({family})" for name, family in named),
            mend="name one term per family",
        )
    if "fid" not in families:
        raise SpecError(
            "the loss terms hold no fidelity term",
            where=", ".join(f"{name} ({family})" for name, family in named),
            mend="add charbonnier: the other terms are scaled against it",
        )


class LossStack(nn.Module):
    """At most one term per family; a family without a term is unavailable.

    Args:
        terms: in any order.

    Raises:
        SpecError: as :func:`check_families`.
    """

    def __init__(self, terms: Sequence[LossTerm]) -> None:
        super().__init__()
        check_families((type(term).__name__, term.family) for term in terms)
        by_family = {term.family: term for term in terms}
        self.terms = nn.ModuleDict({f: by_family[f] for f in FAMILIES if f in by_family})

    @property
    def available(self) -> tuple[bool, ...]:
        """For every family of ``FAMILIES``, whether it has a term."""
        return tuple(family in self.terms for family in FAMILIES)

    @torch.no_grad()
    def prepare(
        self,
        references: Tensor,
        landmarks: Tensor | None,
        *,
        families: Collection[str] = FAMILIES,
    ) -> dict[str, Tensor]:
        """Reference features of the terms of ``families``, keyed ``"family.feature"``."""
        return {
            f"{family}.{name}": feature
            for family, term in self.terms.items()
            if family in families
            for name, feature in term.prepare(references, landmarks).items()  # type: ignore[operator]
        }

    def forward(self, outputs: Tensor, features: Features, weights: Tensor | None = None) -> Tensor:
        """Every term for every sample, ``[B, M]``; zero in the columns of absent families.

        Args:
            outputs: ``[B, 3, H, W]``, unclipped network output.
            features: what :meth:`prepare` returned for these samples.
            weights: ``[B, M, h, w]`` weight of every term at every place; None weighs nothing.
        """
        columns = []
        for column, family in enumerate(FAMILIES):
            if family in self.terms:
                own = {
                    name.removeprefix(f"{family}."): feature
                    for name, feature in features.items()
                    if name.startswith(f"{family}.")
                }
                weight = None if weights is None else weights[:, column : column + 1]
                columns.append(self.terms[family](outputs, own, weight))
            else:
                columns.append(outputs.new_zeros(len(outputs)))
        return torch.stack(columns, 1)


def build_stack(names: Sequence[str], instruments: Instruments) -> LossStack:
    """The stack of the named terms.

    Raises:
        UnknownNameError: for a name that is not registered.
        WeightsError: for a term whose network is not on this machine.
    """
    return LossStack([LOSSES.get(name).build(instruments) for name in names])
