"""Progress of long work: a bar with time left on a terminal, sparse plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_PLAIN_INTERVAL = 10.0


class Reporter:
    """Where progress goes; standard error, so that standard output stays clean."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr)

    @classmethod
    def silent(cls) -> Reporter:
        """A reporter that shows nothing, for worker processes."""
        return cls(Console(quiet=True, file=sys.stderr, force_terminal=False))

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A unit of long work; call the yielded object with the number of steps just done."""
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description:<28}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            with Progress(*columns, console=self.console) as progress:
                task = progress.add_task(title, total=total)
                yield lambda steps: progress.advance(task, steps)
        else:
            yield _PlainLines(self.console, title, total).advance


class _PlainLines:
    """One line at most every ten seconds, and one at the end."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self.console, self.title, self.total = console, title, total
        self.done, self.start = 0, time.monotonic()
        self.last = self.start

    def advance(self, steps: int) -> None:
        self.done += steps
        now = time.monotonic()
        if self.done < self.total and now - self.last < _PLAIN_INTERVAL:
            return
        self.last, spent = now, now - self.start
        left = spent / self.done * (self.total - self.done) if self.done else 0.0
        note = f"{left:.0f} s left" if self.done < self.total else f"{spent:.1f} s"
        self.console.print(f"{self.title}: {self.done}/{self.total}, {note}", highlight=False)
