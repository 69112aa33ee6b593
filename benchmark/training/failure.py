"""A training that could not go on leaves word of it where its weights would be.

So it is a result like any other: it is stored, what needs it finds out why there is nothing, and
the rest of a run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from benchmark.errors import TrainingError
from benchmark.files import write_json

_FILE = "failed.json"


@contextmanager
def recorded(out: Path) -> Iterator[None]:
    """A block whose :class:`TrainingError` is written to ``out`` instead of raised."""
    try:
        yield
    except TrainingError as error:
        write_json(out / _FILE, {"what": error.what, "where": error.where, "mend": error.mend})


def failure(folder: Path) -> TrainingError | None:
    """Why ``folder`` holds no weights or divisors; None if it should."""
    path = folder / _FILE
    if not path.is_file():
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    return TrainingError(said["what"], where=said["where"], mend=said["mend"])


def heed(folder: Path) -> None:
    """Go on only if what ``folder`` was to hold could be made.

    Raises:
        TrainingError: that was recorded there.
    """
    error = failure(folder)
    if error is not None:
        raise error


def diagnosis(
    step: int,
    values: Tensor,
    losses: Tensor,
    names: Sequence[str],
    gradient: Callable[[Tensor], Sequence[Tensor]],
) -> str:
    """Which terms broke an objective, and whether by their value or by their gradient.

    Args:
        step: at which it broke.
        values: ``[B, M]``, of the whole batch.
        losses: ``[b, M]``, of this process, with a graph; zeros for terms that there are not.
        names: of the M terms.
        gradient: of a scalar, by parameters.
    """
    broken = (~values.isfinite().all(0)).tolist()
    what = "objective"
    if not any(broken):
        means = [column.mean() for column in losses.unbind(1)]
        broken = [m.requires_grad and not _finite(gradient(m)) for m in means]
        what = "gradient" if any(broken) else what
    found = [name for name, yes in zip(names, broken, strict=True) if yes]
    told = ", ".join(found) or "every term is, but not their weights"
    return f"the {what} stopped being finite at step {step} ({told})"


def _finite(parts: Sequence[Tensor]) -> bool:
    return all(bool(part.isfinite().all()) for part in parts)
