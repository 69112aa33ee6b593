"""What a judge is: a frozen network that a metric relies on, with a card of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from benchmark.registry import Registry

Kind = Literal["recogniser", "detector", "landmarks", "perceptual"]


@dataclass(frozen=True)
class JudgeCard:
    """The identity of a judge and what its user must know.

    Attributes:
        name: as in ``list judges``.
        version: raised whenever the same image can give another answer.
        kind: what it answers.
        summary: one line for people.
        weights: names in the weights catalogue, empty if it needs none.
        licence: of code and weights, whichever binds the user most.
        trained_on: data, as far as the publisher says.
        source: paper or repository.
        caveats: known weaknesses and contested origins.
    """

    name: str
    version: str
    kind: Kind
    summary: str
    weights: tuple[str, ...] = ()
    licence: str = ""
    trained_on: str = ""
    source: str = ""
    caveats: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Plain data for ``--json`` and the manifest."""
        return asdict(self)


#: Cards; the code behind a judge is loaded by the metric that needs it.
JUDGES: Registry[JudgeCard] = Registry("judge", group="equilux.judges")
