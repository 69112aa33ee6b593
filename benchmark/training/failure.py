"""A training that could not go on leaves word of it where its weights would be.

So it is a result like any other: it is stored, what needs it finds out why there is nothing, and
the rest of a run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
