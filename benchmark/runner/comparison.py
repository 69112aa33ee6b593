"""Measuring systems by the protocols of papers, so that printed numbers can stand beside ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.contamination import LEAKS
from benchmark.metrics import plan_scorers
from benchmark.papers import AT_BRIGHTNESS, tables_on
from benchmark.progress import Reporter
from benchmark.runner.plan import make_plan
from benchmark.runner.request import resolve
from benchmark.runner.run import execute
from benchmark.runner.store import Store
from benchmark.spec.catalogue import TaskFolder, mapping_for
from benchmark.weights import WeightStore

#: Also where no paper prints them; the second tells how much of an error is brightness alone.
_ALWAYS = ("psnr", AT_BRIGHTNESS, "ssim_uniform")

_CLASSICAL = ("gamma", "clahe", "lime")


@dataclass(frozen=True)
class Measured:
    """What a run on a paper's data gave.

    Attributes:
        dataset: key, as in the papers' tables.
        folder: of the run.
        metrics: what was measured.
        means: by system and metric, over the pictures that did not fail.
        notes: by system: what it has seen of these data, and how many pictures failed.
        cautions: about the dataset as a whole, and what is missing here.
    """

    dataset: str
    folder: Path
    metrics: tuple[str, ...]
    means: Mapping[str, Mapping[str, float]]
    notes: Mapping[str, str]
    cautions: tuple[str, ...]


def measure(
    task: TaskFolder,
    *,
    data: str,
    mapping: str,
    systems: tuple[str, ...],
    everything: bool = False,
    device: str,
    store: Store,
    runs: Path,
    reporter: Reporter,
    trust: bool = False,
) -> Measured:
    """Run systems on a dataset that papers print numbers on.

    Args:
        task: whose groups the run is reported by; no number here depends on it.
        data: the dataset's folder.
        mapping: how it is read; its name is the dataset's key.
        systems: as for a run; empty: the input, and those that papers name and that are at hand.
        everything: also every published system that is at hand, and the classical methods.
        device: where torch runs.
        store: stage results.
        runs: where the run's folder goes.
        reporter: for progress.
        trust: that foreign code may run.
    """
    dataset = mapping_for(data, mapping).name
    asked = systems
    if everything or not systems:
        asked = (*at_hand(dataset, everything=everything), *systems)
    wanted = metrics_for(dataset)
    lacking = plan_scorers(wanted).unavailable
    request = resolve(
        task,
        profile="quick",
        device=device,
        data=data,
        mapping=mapping,
        systems=asked,
        metrics=tuple(metric for metric in wanted if metric not in lacking),
        trust=trust,
    )
    done = execute(request, make_plan(request), store=store, runs=runs, reporter=reporter)
    samples = pd.read_parquet(done.folder / "samples.parquet")
    manifest = json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))
    notes = {}
    for row in manifest["systems"]:
        mine = samples[samples["system"] == row["system"]]
        failed = int((mine["status"] != "ok").sum())
        counted = [f"{failed} of {len(mine)} pictures failed"] if failed else []
        notes[row["system"]] = "; ".join([*counted, row["note"]])
    metrics = tuple(name for name in request.metrics if name in samples)
    found: dict[str, dict[str, float]] = {}
    for system, rows in samples.groupby("system", sort=False):
        means = rows[[*metrics]].mean().dropna()
        found[str(system)] = {str(metric): float(value) for metric, value in means.items()}
    cautions = [*(request.real.notes() if request.real else ())]
    cautions += [LEAKS[dataset].statement] if dataset in LEAKS else []
    cautions += [
        f"{metric} is not measured here, {why.reason}: {why.mend}"
        for metric, why in lacking.items()
    ]
    return Measured(dataset, done.folder, metrics, found, notes, tuple(cautions))


def metrics_for(dataset: str) -> tuple[str, ...]:
    """Metrics by the protocols of the papers' columns."""
    named = [
        paper.column(name).ours for paper, table in tables_on(dataset) for name in table.columns
    ]
    return tuple(dict.fromkeys([*_ALWAYS, *filter(None, named)]))


def at_hand(dataset: str, *, everything: bool = False) -> tuple[str, ...]:
    """The input, and registered systems of which nothing is missing.

    Args:
        dataset: whose tables name them.
        everything: also published and classical systems that no table names.
    """
    named = [row.ours for _, table in tables_on(dataset) for row in table.rows if row.ours]
    if everything:
        entries = map(ENHANCERS.entry, ENHANCERS.names())
        named += [*_CLASSICAL, *(e.name for e in entries if e.meta.get("kind") == "published")]
    store = WeightStore()

    def complete(name: str) -> bool:
        states = [store.status(each) for each in ENHANCERS.entry(name).meta.get("weights", ())]
        return all(state.path is not None and state.state != "wrong" for state in states)

    registered = [name for name in dict.fromkeys(("input", *named)) if name in ENHANCERS]
    return tuple(name for name in registered if complete(name))
