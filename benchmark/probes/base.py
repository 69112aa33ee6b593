"""What a probe is: rendered data with known truth, made from code alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from benchmark.registry import Registry

if TYPE_CHECKING:  # listing probes must not import torch
    from benchmark.data.views import Views

Advance = Callable[[int], None]


@dataclass(frozen=True)
class ProbeSettings:
    """What a task asks of its probe.

    Attributes:
        subjects: clusters: people, eyes, scenes.
        views: of each subject in each group, beside gallery views where the probe has any.
        split: name of the set of subjects; different names share nobody.
        seed: of everything.
        effect: ``none`` records group labels that are shuffled within each subject, so that no
            group can differ in truth.
    """

    subjects: int
    views: int
    split: str = "test"
    seed: int = 0
    effect: Literal["group", "none"] = "group"


class Probe(Protocol):
    """Renders clean views; equal settings give equal bytes.

    Every subject appears in every group of the sensitive axis (counterfactual twins: all else
    equal, and ``view`` shared), so that a gap between groups is caused by the axis.
    """

    def __call__(self, settings: ProbeSettings, *, advance: Advance) -> Views:
        """The views; ``advance`` is called with the number of subjects just done."""


class Phantoms(Protocol):
    """Renders pictures without any structure; column ``phantom`` says of which kind."""

    def __call__(self, count: int, *, seed: int) -> Views:
        """``count`` views, the kinds in equal numbers."""


#: By the name of the probe whose structures are missing in them.
PHANTOMS: Registry[Phantoms] = Registry("phantom set", group="equilux.phantoms")

#: Entries carry ``provides``, the needs (``metrics.base.Need``) that their views satisfy, and
#: ``evidence``, what measures their promises (``probes.evidence.Inquiry``).
PROBES: Registry[Probe] = Registry("probe", group="equilux.probes")
