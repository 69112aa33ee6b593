"""``python -m benchmark run`` and ``report``."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from benchmark.spec.origin import TRUST

if TYPE_CHECKING:
    from benchmark.runner.plan import Plan
    from benchmark.runner.store import Store


class Profiles(StrEnum):
    """How much work a run does."""

    SMOKE = "smoke"
    QUICK = "quick"
    FULL = "full"


class Protocols(StrEnum):
    """What recognisers have seen."""

    FROZEN = "frozen"
    RETRAINED = "retrained"


class Precisions(StrEnum):
    """In what hosts are trained; everything but their forward pass stays in single precision."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    FP16 = "fp16"


class Devices(StrEnum):
    """Where everything that is torch runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


Contexts = Annotated[
    str | None,
    typer.Option(
        help="What tells schedules what a picture is of: oracle, cnn, shuffled, clip:MODEL or "
        "vlm:MODEL; see `list contexts`."
    ),
]


def run(  # noqa: PLR0917 - options are given by name
    task: Annotated[str, typer.Option(help="Name of a task, or path of a task.yaml.")],
    profile: Annotated[
        Profiles, typer.Option(help="smoke: under a minute; quick: minutes; full: for a GPU.")
    ] = Profiles.QUICK,
    data: Annotated[
        str | None, typer.Option(help="Your images in place of the probe: see docs/data.md.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="How to read --data: a YAML file or a shipped name.")
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this: a system, a host, onnx:FILE, spandrel:FILE, outputs:FOLDER, "
            "hub:OWNER/NAME@COMMIT/FILE or module:factory; may be repeated."
        ),
    ] = None,
    submission: Annotated[
        list[str] | None,
        typer.Option(help="OWNER/NAME or a file, beside the untrained systems; may be repeated."),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", "--hosts", help="Train this in place of the task's hosts; repeat."),
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Only this training arm; may be repeated.")
    ] = None,
    contexts: Contexts = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Only this metric; may be repeated.")
    ] = None,
    protocol: Annotated[
        Protocols | None,
        typer.Option(help="Recognisers as they are, or taught anew by every system's outputs."),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    device: Annotated[Devices, typer.Option(help="auto takes the GPU if there is one.")] = (
        Devices.AUTO
    ),
    precision: Annotated[
        Precisions, typer.Option(help="Of the forward pass of hosts in training.")
    ] = Precisions.FLOAT32,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Let torch.compile have the hosts, if it can.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="That share every training batch, each on its own GPU.")
    ] = 1,
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    cache: Annotated[
        Path | None, typer.Option(help="Stage results; default EQUILUX_CACHE or the user's cache.")
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="No worst cases: the run's folder holds no image.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
) -> None:
    """Train, enhance, score, compare groups, and write the report."""
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.report import print_summary
    from benchmark.runner.plan import make_plan
    from benchmark.runner.request import resolve
    from benchmark.runner.run import execute
    from benchmark.runner.store import Store
    from benchmark.spec.catalogue import find_task

    request = resolve(
        find_task(task),
        profile=profile.value,
        device=torch_device(device),
        data=data,
        mapping=mapping,
        systems=tuple(system or ()),
        submissions=tuple(submission or ()),
        hosts=tuple(host or ()),
        arms=tuple(arm or ()),
        metrics=tuple(metric or ()),
        protocol=protocol.value if protocol else None,
        trust=trust,
        recipe=_training(precision, compiled=compiled, processes=processes),
        contexts=contexts,
    )
    plan = make_plan(request)
    store = Store(cache or cache_root())
    reporter = Reporter()
    reporter.console.print(outline(plan, store), highlight=False)
    if dry_run:
        return
    done = execute(
        request, plan, store=store, runs=runs, reporter=reporter, pictures=not no_pictures
    )
    seconds = ", ".join(f"{p.name} {p.seconds:.0f} s" for p in done.phases if p.seconds >= 0.5)
    reporter.console.print(f"phases: {seconds or 'all cached'}", highlight=False)
    print_summary(done.folder, Console())


def report(
    folder: Annotated[Path, typer.Argument(help="A finished run, runs/<run_id>.")],
) -> None:
    """Print a finished run again and rebuild its report.html."""
    from benchmark.report import print_summary, render_report
    from benchmark.report.model import check_untouched, load_run

    check_untouched(load_run(folder))
    render_report(folder)
    print_summary(folder, Console())


def _training(precision: Precisions, *, compiled: bool, processes: int) -> dict[str, object]:
    """What differs from how hosts are trained by default; it is part of what a training is."""
    chosen: dict[str, object] = {
        "precision": precision.value,
        "compiled": compiled,
        "processes": processes,
    }
    default: dict[str, object] = {"precision": "float32", "compiled": False, "processes": 1}
    return {name: value for name, value in chosen.items() if value != default[name]}


def torch_device(wanted: Devices) -> str:
    """``cpu`` or ``cuda``.

    Raises:
        EquiluxError: if CUDA is demanded and torch finds none.
    """
    import torch

    from benchmark.errors import EquiluxError

    available = torch.cuda.is_available()
    if wanted is Devices.CUDA and not available:
        raise EquiluxError(
            "torch finds no CUDA device here",
            mend="use --device cpu, or auto to take what is there",
        )
    return "cuda" if available and wanted is not Devices.CPU else "cpu"


def outline(plan: Plan, store: Store) -> str:
    """One line: how much is cached, what is to be done, how long that took here before."""
    from benchmark.runner.estimates import Estimates

    missing = plan.missing(store)
    total = len(list(plan))
    if not missing:
        return f"plan: {total} units, all cached"
    stages = Counter(unit.stage for unit in missing)
    detail = ", ".join(f"{stage} {count}" for stage, count in stages.items())
    seconds = Estimates(store.root).total(missing)
    guess = f", about {seconds:.0f} s as measured here before" if seconds is not None else ""
    return f"plan: {total} units, {total - len(missing)} cached, to do: {detail}{guess}"
