"""Running the units of a plan as soon as what they need is there, one worker for each core.

Every unit runs in a worker process with one torch thread, however many workers there are, so its
numbers do not depend on the machine's core count. Workers hear nothing of Ctrl-C and die with their
parent. On a GPU, units run one after the other in this process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from benchmark.errors import EquiluxError
from benchmark.progress import Reporter
from benchmark.runner.execute import Outcome, run_unit
from benchmark.runner.store import Store
from benchmark.runner.units import Unit

Finished = tuple[Unit, Outcome]

# a worker holds torch and one dataset, about half a gigabyte of its own
_MOST_WORKERS = 8


def run_here(units: Iterable[Unit], store: Store, reporter: Reporter) -> Iterator[Finished]:
    """Run units in order in this process, with all its threads."""
    from benchmark.runner.stages import STAGES

    for unit in units:
        yield unit, run_unit(unit, store, STAGES, reporter)


def run_in_workers(
    units: Iterable[Unit], store: Store, *, workers: int | None = None
) -> Iterator[Finished]:
    """Run units in worker processes, each as soon as its needs are met; yields as they finish.

    Raises:
        EquiluxError: if a worker dies (most likely for want of memory) or a unit fails; what other
            units have finished stays in the store.
    """
    waiting = list(units)
    count = workers or min(_cores(), _MOST_WORKERS)
    done: set[tuple[str, str]] = set()
    running: dict[Future[Outcome], Unit] = {}
    planned = {unit.need() for unit in waiting}
    pool = ProcessPoolExecutor(count, mp_context=_context(), initializer=_start_worker)
    try:
        while waiting or running:
            ready = [
                u for u in waiting if all(n in done or n not in planned for n in u.needs.values())
            ]
            for unit in ready[: 2 * count - len(running)]:
                waiting.remove(unit)
                with _interrupts_wait():  # a worker that starts is known to _stop
                    running[pool.submit(_run, unit.to_json(), unit.key, store.root)] = unit
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                unit = running.pop(future)
                outcome = future.result()
                done.add(unit.need())
                yield unit, outcome
    except BrokenProcessPool as error:
        raise EquiluxError(
            "a worker process died, most likely for want of memory",
            mend="the same command goes on where this one stopped; close other programs first",
        ) from error
    finally:
        _stop(pool)


def _context() -> ForkServerContext | SpawnContext:
    """Workers are forked from a server that has imported torch once: they share its memory."""
    if os.name != "posix":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmark.runner.preload"])
    _start_server(context)
    return context


def _start_server(context: ForkServerContext) -> None:
    """Start the fork server, deaf to Ctrl-C as its workers will be, and see it serve.

    It ignores Ctrl-C by itself only after its imports, and these take seconds. A worker that it
    forks later than the end of an interrupted run would look for what is no longer there. Either
    would print a traceback over the message of the run.
    """
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # its start, part of the server's, would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    first = context.Process(target=_nothing)
    first.start()
    first.join()


def _nothing() -> None:
    """What the first process that is forked has to do."""


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C within the block is heard at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hears signals in its main thread only
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


def _stop(pool: ProcessPoolExecutor) -> None:
    """Do not wait for running units: whatever they were doing can be resumed."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker() -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _die_with_parent()


def _die_with_parent() -> None:
    """End this process when the one that planned the run is gone, even if it was killed.

    The parent by process number is the fork server, which lives as long as its workers do; the
    sentinel of ``parent_process`` is a pipe that only the planning process holds open.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(text: str, key: str, root: Path) -> Outcome:
    from benchmark.runner.stages import STAGES

    unit = Unit.from_json(text)
    if unit.key != key:
        raise EquiluxError(
            "the source code changed while the run was going on",
            where=unit.title,
            mend="run the same command again; what the change does not concern is kept",
        )
    return run_unit(unit, Store(root), STAGES, Reporter.silent())
