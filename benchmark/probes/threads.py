"""Many small tensor programs at once: one thread each beats one program on all threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

S = TypeVar("S")
T = TypeVar("T")


@contextmanager
def one_thread_per_operation() -> Iterator[None]:
    """Run torch operations on the calling thread, and put the old setting back afterwards.

    Operations of some tens of microseconds lose more to waking threads than they gain, and lose
    everything when another process holds the other cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def map_parallel(
    work: Callable[[S], T], items: Sequence[S], *, workers: int | None = None
) -> Iterator[T]:
    """``work`` on every item, in order; torch releases the interpreter lock while it computes.

    Args:
        work: called with each item, in some thread.
        items: what to work on.
        workers: number of threads, by default one per core that this process may use.
    """
    count = workers or os.cpu_count() or 1
    with one_thread_per_operation(), ThreadPoolExecutor(min(count, max(len(items), 1))) as pool:
        yield from pool.map(work, items)
