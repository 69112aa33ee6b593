"""The handful of names for notebooks and scripts: ``import benchmark`` and go.

Nothing here computes; every name is the function behind the command of the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from benchmark.errors import EquiluxError
from benchmark.evidence.bundle import Verification, verify_bundle, write_bundle
from benchmark.regression.decision import GateReport, gate
from benchmark.regression.difference import Difference, compare
from benchmark.results import Results, load_run

__all__ = [
    "Difference",
    "GateReport",
    "Results",
    "Verification",
    "compare",
    "gate",
    "load_run",
    "run",
    "verify_bundle",
    "write_bundle",
]


def run(
    task: str,
    *,
    profile: Literal["smoke", "quick", "full"] = "quick",
    systems: str | Sequence[str] = (),
    arms: str | Sequence[str] = (),
    metrics: str | Sequence[str] = (),
    data: str | None = None,
    mapping: str | None = None,
    device: str = "cpu",
    runs: str | Path = "runs",
    cache: str | Path | None = None,
) -> Results:
    """Train, enhance, score and compare groups, like ``python -m benchmark run``.

    Worker processes are forked from a server, so a script calls this under
    ``if __name__ == "__main__"``; a notebook needs nothing.

    Args:
        task: name of a task, or path of a ``task.yaml``.
        profile: how much work.
        systems, arms, metrics: only these, one name or several; empty means what the task says.
        data, mapping: your pictures in place of the probe, see docs/data.md.
        device: ``cpu`` or ``cuda``.
        runs: where the run folder goes.
        cache: stage results; the user's cache folder if None.

    Raises:
        EquiluxError: for anything a user can mend, with how.
    """
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.registry import unknown_name
    from benchmark.runner.plan import make_plan
    from benchmark.runner.request import resolve
    from benchmark.runner.run import execute
    from benchmark.runner.store import Store
    from benchmark.spec.catalogue import find_task

    folder = find_task(task)
    if profile not in folder.spec.profiles:
        raise unknown_name("profile", profile, tuple(folder.spec.profiles))
    request = resolve(
        folder,
        profile=profile,
        device=_usable(device),
        data=data,
        mapping=mapping,
        systems=_names(systems),
        arms=_names(arms),
        metrics=_names(metrics),
    )
    store = Store(Path(cache) if cache else cache_root())
    done = execute(request, make_plan(request), store=store, runs=Path(runs), reporter=Reporter())
    return load_run(done.folder)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several; a text is not a list of letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def _usable(device: str) -> str:
    """The device, if it is here: otherwise torch would say so after everything is rendered."""
    import torch

    if device not in {"cpu", "cuda"}:
        raise EquiluxError(f"there is no device {device!r}", mend="device='cpu' or 'cuda'")
    if device == "cuda" and not torch.cuda.is_available():
        raise EquiluxError("torch finds no CUDA device here", mend="device='cpu'")
    return device
