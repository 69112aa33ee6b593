"""The pictures that enhancers are given, as files for systems that run elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from PIL import Image

from benchmark.data.evalset import EvalSet
from benchmark.errors import EquiluxError, StoreError
from benchmark.progress import Reporter
from benchmark.runner.execute import run_unit
from benchmark.runner.plan import make_plan
from benchmark.runner.request import resolve
from benchmark.runner.stages import STAGES
from benchmark.runner.store import Store
from benchmark.spec.catalogue import TaskFolder


def write_inputs(
    task: TaskFolder, profile: str, *, out: Path, store: Store, reporter: Reporter
) -> int:
    """Write every degraded picture as ``<sample>.png``; the folder appears whole or not at all.

    Returns:
        How many.

    Raises:
        EquiluxError: for a profile that does not exist, or a folder that does.
        StoreError: if the folder cannot be written to.
    """
    if profile not in task.spec.profiles:
        known = ", ".join(task.spec.profiles)
        raise EquiluxError(f"there is no profile {profile!r}", mend=f"known: {known}")
    if out.exists():
        raise EquiluxError("there is something already", where=str(out), mend="name a new folder")
    request = resolve(task, profile=profile, device="cpu", systems=("input",))
    unit = make_plan(request).data
    evalset = EvalSet.load(run_unit(unit, store, STAGES, reporter).folder)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=".tmp-"))
        try:
            for name, pixels in zip(evalset.frame["sample"], evalset.inputs, strict=True):
                Image.fromarray(pixels).save(work / f"{name}.png", compress_level=1)
            work.chmod(0o755)
            work.replace(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(out)) from error
    return len(evalset)
