"""Errors that a user can act on: what happened, where, why, and how to mend it.

Everything a user can cause is raised as an :class:`EquiluxError`; the command line prints it
without a traceback and exits with its code. Anything else that escapes is a bug of ours.
"""

from __future__ import annotations

from typing import ClassVar


class EquiluxError(Exception):
    """A failure with an address and a remedy.

    Args:
        what: one sentence, what went wrong.
        where: file (and line), name or path that it went wrong at.
        mend: what the user can do about it.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(what, where, mend)

    def __reduce__(self) -> tuple[object, ...]:
        # workers send their errors home, and keyword-only arguments do not survive by default
        return _rebuild, (type(self), self.what, self.where, self.mend)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.mend}" if self.mend else text


def _rebuild(
    kind: type[EquiluxError], what: str, where: str | None, mend: str | None
) -> EquiluxError:
    return kind(what, where=where, mend=mend)


class UnknownNameError(EquiluxError):
    """A name that no registry entry answers to."""


class SpecError(EquiluxError):
    """A task, submission or mapping file that does not say what it must."""


class DataError(EquiluxError):
    """Images or tables that cannot be read or do not fit together."""


class WeightsError(EquiluxError):
    """Weights that are absent, or are not the ones that were declared."""


class TrainingError(EquiluxError):
    """A training that cannot go on; a run counts it against its arm and does the rest."""


class StoreError(EquiluxError):
    """The disk said no: no space, no permission, or a damaged entry."""
