"""Published networks with their published weights; written afresh from the papers.

Nothing here imports torch's layers until a system is asked for: :mod:`.catalogue` and, where only
a person can download the weights, :mod:`.linked` list them, one module per architecture holds the
network, :mod:`.enhancer` loads weights into it strictly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark.enhancers.published.catalogue import PUBLISHED, Published
from benchmark.enhancers.published.linked import LINKED


def inspection_of(weight: str) -> Callable[[Path], None] | None:
    """What a file has to stand up to before it is taken for ``weight``, if anything can tell."""
    return next((s.inspect for s in (*PUBLISHED, *LINKED) if s.weights == (weight,)), None)


__all__ = ["LINKED", "PUBLISHED", "Published", "inspection_of"]
