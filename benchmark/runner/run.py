"""A run from request to report: plan, compute what is missing, write the folder, manifest last."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.files import (
    cannot_write,
    content_key,
    need_folder,
    sha256_of_file,
    write_bytes,
    write_json,
)
from benchmark.progress import Reporter
from benchmark.runner.estimates import Estimates
from benchmark.runner.executors import run_here, run_in_workers
from benchmark.runner.gallery import write_gallery
from benchmark.runner.manifest import Phase, make_manifest
from benchmark.runner.plan import Plan
from benchmark.runner.request import Request
from benchmark.runner.store import Store


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    phases: tuple[Phase, ...]


def run_id(request: Request, plan: Plan) -> str:
    """Name of the run folder: the same request finds the same folder again."""
    data = request.real.mapping.name if request.real else "probe"
    name = f"{request.task.spec.name}-{data}-{request.profile_name}"
    return f"{name}-{content_key(plan.analysis.key)[:8]}"


def execute(
    request: Request,
    plan: Plan,
    *,
    store: Store,
    runs: Path,
    reporter: Reporter,
    pictures: bool = True,
) -> Run:
    """Compute every unit that is missing and write the run folder.

    A killed execution leaves a folder without a manifest, which is incomplete by definition; the
    same call goes on from what the store already holds and ends with byte-identical tables.

    Args:
        request: what was asked for.
        plan: of it.
        store: where results of stages are kept; enhanced pictures are among them.
        runs: where the run's folder goes.
        reporter: told of the progress.
        pictures: whether worst cases are shown. Without, the folder holds tables and figures only.

    Raises:
        StoreError: if the disk is full or a folder cannot be written to.
    """
    from benchmark.report import render_report

    need_folder(runs)
    phases = compute(plan, store, reporter, device=request.device)
    folder = runs / run_id(request, plan)
    clock = time.perf_counter()
    _write_folder(request, plan, store, folder, phases, pictures=pictures)
    render_report(folder)
    report = Phase("report", time.perf_counter() - clock, 1, 0)
    return Run(folder, (*phases, report))


def compute(plan: Plan, store: Store, reporter: Reporter, *, device: str) -> tuple[Phase, ...]:
    """Run what is missing; a phase's seconds are those its units took, side by side or not."""
    need_folder(store.root)
    missing = plan.missing(store)
    estimates = Estimates(store.root)
    seconds = dict.fromkeys(plan.by_stage(), 0.0)
    with reporter.task("computing", len(missing)) as advance:
        work = (
            run_in_workers(missing, store)
            if device == "cpu"
            else run_here(missing, store, reporter)
        )
        for unit, outcome in work:
            seconds[unit.stage] += outcome.seconds
            estimates.learn(unit, outcome.seconds)
            advance(1)
    absent = Counter(unit.stage for unit in missing)
    return tuple(
        Phase(stage, seconds[stage], len(units), len(units) - absent[stage])
        for stage, units in plan.by_stage().items()
    )


def _write_folder(
    request: Request,
    plan: Plan,
    store: Store,
    folder: Path,
    phases: tuple[Phase, ...],
    *,
    pictures: bool,
) -> None:
    manifest = folder / "manifest.json"
    try:
        manifest.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    analysis = store.require(*plan.analysis.need())
    for stale in (*folder.glob("*.parquet"), folder / "sanity.json"):
        stale.unlink(missing_ok=True)
    for table in sorted(analysis.glob("*.parquet")):
        write_bytes(folder / table.name, table.read_bytes())
    if plan.sanity is not None:
        checks = store.require(*plan.sanity.need()) / "sanity.json"
        write_bytes(folder / checks.name, checks.read_bytes())
    shutil.rmtree(folder / "gallery", ignore_errors=True)
    if pictures:
        write_gallery(request, plan, store, folder)
    else:
        write_json(folder / "gallery" / "index.json", [])
    content = make_manifest(request, plan, store, folder, phases)
    write_json(manifest, content | {"run_id": folder.name, "files": _digests(folder)})


def _digests(folder: Path) -> Mapping[str, str]:
    """Digests of the tables and pictures; the report is made from them and can be made again."""
    files = [*folder.glob("*.parquet"), *folder.glob("sanity.json")]
    files += sorted((folder / "gallery").iterdir())
    return {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in sorted(files)}
