"""The worst cases of every system and group as small pictures: input, output, reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.evalset import EvalSet
from benchmark.files import write_json, write_with
from benchmark.runner.plan import Plan
from benchmark.runner.request import Request
from benchmark.runner.store import Store
from benchmark.runner.systems import SystemRun

_SIDE = 160


def write_gallery(request: Request, plan: Plan, store: Store, folder: Path) -> None:
    """Write ``gallery/index.json`` and its pictures: per system and group, the worst sample.

    Worst is by the endpoint of the headline, or the first primary metric that is at hand;
    of a host trained in several seeds the first seed is shown.
    """
    samples = pd.read_parquet(folder / "samples.parquet")
    metric = _metric(request, plan, samples)
    entries: list[dict[str, Any]] = []
    if metric is not None:
        direction = plan.scorers.metrics[metric].direction
        evalset = EvalSet.load(store.require(*plan.data.need()))
        for run in _one_seed_each(request.systems):
            images = np.load(store.require(*plan.enhancements[run].need()) / "images.npy")
            worst = _worst_rows(samples, run, request.headline_axis, metric, direction)
            entries += [
                _case(run, row, metric=metric, evalset=evalset, images=images, folder=folder)
                for row in worst
            ]
    write_json(folder / "gallery" / "index.json", entries)


def _metric(request: Request, plan: Plan, samples: pd.DataFrame) -> str | None:
    spec = request.task.spec.metrics
    candidates = (spec.headline.endpoint, *spec.primary, *request.metrics)
    return next((m for m in candidates if m in plan.scorers.metrics and m in samples), None)


def _one_seed_each(systems: tuple[SystemRun, ...]) -> list[SystemRun]:
    first: dict[tuple[str, str], SystemRun] = {}
    for run in systems:
        first.setdefault((run.system, run.arm), run)
    return list(first.values())


def _worst_rows(
    samples: pd.DataFrame, run: SystemRun, axis: str, metric: str, direction: int
) -> list[dict[str, Any]]:
    """The worst row of every group of one system: its number in the dataset, group and value."""
    chosen = (samples["system"] == run.system) & (samples["arm"] == run.arm)
    rows = samples[chosen & (samples["seed"] == run.seed)].reset_index(drop=True)
    found = []
    for group, members in rows.groupby(axis, sort=True):
        values = members[metric].dropna()
        if not values.empty:
            row = int((values * direction).sort_values(kind="stable").index[0])
            sample = rows.loc[row, "sample"]
            found.append(
                {"row": row, "axis": axis, "group": group, "sample": sample}
                | {"value": float(values.loc[row])}
            )
    return found


def _case(
    run: SystemRun,
    worst: dict[str, Any],
    *,
    metric: str,
    evalset: EvalSet,
    images: NDArray[np.uint8],
    folder: Path,
) -> dict[str, Any]:
    """One entry of the index, its pictures written."""
    row = worst["row"]
    stem = "-".join(part for part in (run.system, run.arm, str(worst["group"])) if part)
    return {
        "system": run.system,
        "arm": run.arm,
        "seed": run.seed,
        "axis": worst["axis"],
        "group": worst["group"],
        "sample": worst["sample"],
        "metric": metric,
        "value": worst["value"],
        "input": _picture(folder, f"{stem}-input", evalset.inputs[row]),
        "output": _picture(folder, f"{stem}-output", images[row]),
        "reference": _picture(folder, f"{stem}-reference", evalset.references[row]),
    }


def _picture(folder: Path, stem: str, pixels: NDArray[np.uint8]) -> str:
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in stem) + ".png"
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    write_with(folder / "gallery" / name, lambda stream: image.save(stream, "PNG", optimize=True))
    return f"gallery/{name}"
