"""How long the site takes to build: ``python benchmarks/leaderboard.py [submissions ...]``.

Synthetic results in memory, three tasks each: every submission comes as a run of its own with the
baselines, one in ten of them as a host in two arms and three seeds, with 54 subjects in three
groups, five metrics that are ranked and seven that are not. Times are of one process and do not
include reading results from the disk or writing pages to it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.fairness import AxisInfo, MetricInfo, Policy, analyse
from benchmark.report.leaderboard.protocol import protocol_of
from benchmark.report.leaderboard.site import build_site
from benchmark.report.leaderboard.store import CLUSTERS, TABLES, Record, Result
from benchmark.report.manifest import Manifest
from benchmark.report.model import COLUMNS, RunView

LEVELS = ("light", "medium", "dark")
CONTEXTS = ("dim", "dark")
RANKED = ("endpoint", "outcome", "quality", "gain", "rate")
OTHERS = tuple(f"other{i}" for i in range(7))
SUBJECTS = 54
BASELINES = {"input": "reference", "clahe": "classical", "oracle": "reference"}


def main() -> None:
    """Print seconds for every number of submissions asked for."""
    for count in map(int, sys.argv[1:] or ("20", "500")):
        start = time.process_time()
        results = [r for task in ("one", "two", "three") for r in synthetic(task, count)]
        made = time.process_time()
        files = build_site(results, submissions={}, cards={})
        built = time.process_time()
        size = sum(len(content) for content in files.values()) / 1e6
        print(
            f"{count} submissions x 3 tasks: built in {built - made:.1f} s, {len(files)} files, "
            f"{size:.1f} MB (results made up in {made - start:.1f} s)"
        )


def synthetic(task: str, count: int) -> Iterator[Result]:
    """One result a submission."""
    template = _analysed(task)
    for number in range(1, count + 1):
        yield _result(task, number, template, trained=number % 10 == 0)


def _analysed(task: str) -> tuple[Manifest, dict[str, pd.DataFrame], pd.DataFrame]:
    """A manifest, the tables and the samples of one run with a submission and a host."""
    rng = np.random.default_rng(0)
    people = [f"p{i:03d}" for i in range(SUBJECTS)]
    variants = [*((name, "", -1) for name in BASELINES), ("sub", "", -1)]
    variants += [("host", arm, seed) for arm in ("matched", "cals") for seed in range(3)]
    frames = []
    for number, (system, arm, seed) in enumerate(variants):
        frame = pd.MultiIndex.from_product(
            [people, LEVELS, CONTEXTS], names=["cluster", "level", "context"]
        ).to_frame(index=False)
        level = frame["level"].map(LEVELS.index)
        for metric in (*RANKED, *OTHERS):
            noise = rng.normal(0, 0.05, len(frame))
            frame[metric] = np.clip(0.5 + 0.02 * number - 0.05 * level + noise, 0, 1)
        frame["sample"] = frame["cluster"] + frame["level"] + frame["context"]
        frames.append(frame.assign(system=system, arm=arm, seed=seed, status="ok"))
    samples = pd.concat(frames, ignore_index=True)
    found = analyse(
        samples,
        metrics=[MetricInfo(name, direction=1) for name in (*RANKED, *OTHERS)],
        axes=[AxisInfo("level", "sensitive", LEVELS), AxisInfo("context", "context", CONTEXTS)],
        policy=Policy(bootstrap=200, permutations=199),
        comparisons=[("host", "cals", "matched")],
    )
    tables = {name: pd.DataFrame(columns=list(COLUMNS[name])) for name in COLUMNS}
    crossed = {name: getattr(found, name) for name in ("groups", "gaps")}
    for name, table in crossed.items():
        keep = ~table["axis"].str.contains("*", regex=False) | table["metric"].isin(RANKED)
        tables[name] = table[keep]
    tables["effects"] = found.effects
    return _manifest(task), tables, samples


def _manifest(task: str) -> Manifest:
    metrics = [
        {
            "name": name,
            "version": "1",
            "direction": 1,
            "unit": "",
            "range": [0, 1],
            "summary": "made up",
            "kind": "value",
            "ratio_scale": False,
            "licence": "Apache-2.0",
            "source": "",
            "role": "primary" if name in RANKED else "secondary",
            "available": True,
            "reason": "",
            "mend": "",
            "in_loss": False,
        }
        for name in (*RANKED, *OTHERS)
    ]
    content = {
        "format": 1,
        "run_id": f"{task}-run",
        "task": {"name": task, "title": f"Task {task}", "question": "Which?"},
        "profile": "quick",
        "device": "cpu",
        "n_samples": SUBJECTS * 6,
        "seeds": [0, 1, 2],
        "created_with": {},
        "phases": [],
        "systems": [],
        "metrics": metrics,
        "axes": [
            {"name": "level", "role": "sensitive", "levels": list(LEVELS)},
            {"name": "context", "role": "context", "levels": list(CONTEXTS)},
        ],
        "headline": {
            "axis": "level",
            "endpoint": "endpoint",
            "outcome": "outcome",
            "quality": "quality",
        },
        "comparisons": [],
        "notes": [],
        "warnings": [],
        "licences": [],
        "files": {},
        "statistics": {"replicates": 10_000, "n_min": 8, "n_full": 30, "alpha": 0.05, "seed": 0},
    }
    return Manifest.model_validate_json(json.dumps(content))


def _result(
    task: str,
    number: int,
    template: tuple[Manifest, dict[str, pd.DataFrame], pd.DataFrame],
    *,
    trained: bool,
) -> Result:
    base, tables, samples = template
    name = f"owner/model-{number:04d}"
    own = [("host", "matched"), ("host", "cals")] if trained else [("sub", "")]
    keep = {*((system, "") for system in BASELINES), *own}
    rng = np.random.default_rng(number)
    shift = 0.1 * float(rng.normal())
    mine = {table: _renamed(tables[table], keep, name, shift) for table in TABLES}
    systems = [
        {
            "system": system if system in BASELINES else name,
            "arm": arm,
            "label": system,
            "kind": BASELINES.get(system, "submission"),
            "parameters": 1000 * number,
            "licence": "Apache-2.0",
            "latency_ms": 1.0,
            "note": "",
        }
        for system, arm in sorted(keep)
    ]
    record = base.model_dump(mode="json") | {"systems": systems, "run_id": f"{task}-{number}"}
    if trained:
        record["comparisons"] = [{"system": name, "arm": "cals", "baseline": "matched"}]
    manifest = Manifest.model_validate_json(json.dumps(record))
    empty = {table: tables[table].iloc[:0] for table in set(COLUMNS) - set(TABLES)}
    view = RunView(Path(), manifest, f"{number:064d}", gallery=(), sanity=(), **mine, **empty)
    means, clusters = _means(samples, keep, name, shift, rng)
    return Result(
        f"{task}/quick-{number:04d}",
        Path(),
        Record(
            format=1,
            number=number,
            note="",
            run_manifest=f"{number:064d}",
            files={},
            clusters=clusters,
            thumbnails=(),
            manifest={},
        ),
        view,
        means,
        protocol_of(manifest),
    )


def _renamed(
    table: pd.DataFrame, keep: set[tuple[str, str]], name: str, shift: float
) -> pd.DataFrame:
    if table.empty:
        return table
    mine = table[pd.MultiIndex.from_frame(table[["system", "arm"]]).isin(keep)].copy()
    own = ~mine["system"].isin(BASELINES)
    for column in {"mean", "ci_low", "ci_high"} & set(mine) if "group" in mine else ():
        mine.loc[own, column] += shift
    mine.loc[own, "system"] = name
    return mine


def _means(
    samples: pd.DataFrame,
    keep: set[tuple[str, str]],
    name: str,
    shift: float,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    people = tuple(f"p{i:03d}" for i in range(SUBJECTS))
    seeds = {"": [-1], "matched": [0, 1, 2], "cals": [0, 1, 2]}
    rows = []
    for system, arm in sorted(keep):
        own = system not in BASELINES
        for seed in seeds[arm]:
            for metric in RANKED:
                person = np.random.default_rng(7).normal(0.5, 0.05, SUBJECTS) + shift * own
                person += rng.normal(0, 0.02, SUBJECTS) if own else 0.01 * len(system)
                for level, group in enumerate(("", *LEVELS)):
                    values = " ".join(f"{v:.7g}" for v in person - 0.05 * max(0, level - 1))
                    who = name if own else system
                    rows.append((who, arm, seed, metric, group, values))
    return pd.DataFrame(rows, columns=list(CLUSTERS)), dict.fromkeys(("", *LEVELS), people)


if __name__ == "__main__":
    main()
