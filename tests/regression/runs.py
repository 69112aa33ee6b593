"""Small finished runs with true aggregates: rendered people in three tones, two enhancers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.files import sha256_of_file
from benchmark.runner.statistics import analyse_samples

TONES = ("light", "medium", "dark")
METRICS = {"psnr": ("dB", "value", 1), "detected": ("", "rate", 1), "gmsd": ("", "value", -1)}
#: Changes a table in place, or returns another.
Edit = Callable[[pd.DataFrame], pd.DataFrame | None]
ManifestEdit = Callable[[dict[str, Any]], None]


def samples(people: int = 12, *, seeds: tuple[int, ...] = (0,), seed: int = 0) -> pd.DataFrame:
    """One row per system, arm, seed and sample; the same people in every tone."""
    rng = np.random.default_rng(seed)
    own, rows = rng.normal(size=people), []
    systems = [("input", "", -1), ("mine", "", -1), *(("host", "cals", s) for s in seeds)]
    for number, (system, arm, training) in enumerate([*systems, ("oracle", "", -1)]):
        for level, tone in enumerate(TONES):
            for person in range(people):
                clean = system == "oracle"
                psnr = 100.0 if clean else 14 + 3 * number + 2 * own[person] - level
                found = clean or bool(own[person] + rng.normal() > level - 1.5)
                rows.append(
                    {
                        "system": system,
                        "arm": arm,
                        "seed": training,
                        "sample": f"p{person:02d}-{tone}",
                        "cluster": f"p{person:02d}",
                        "tone": tone,
                        "status": "ok",
                        "psnr": psnr + (0 if clean else rng.normal()),
                        "detected": float(found),
                        "gmsd": 0.0 if clean else 0.1 + 0.02 * rng.random(),
                    }
                )
    return pd.DataFrame(rows)


def write_run(
    folder: Path,
    *,
    people: int = 12,
    seeds: tuple[int, ...] = (0,),
    edit: Edit | None = None,
    manifest_edit: ManifestEdit | None = None,
) -> Path:
    """Write a run folder whose tables follow from its samples, and return it."""
    folder.mkdir(parents=True)
    table = samples(people, seeds=seeds)
    if edit is not None:
        changed = edit(table)
        table = table if changed is None else changed
    analysis = _analysis()
    table.to_parquet(folder / "samples.parquet", index=False)
    for name, frame in analyse_samples(table, analysis).items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "figures").mkdir()
    (folder / "figures" / "dots.svg").write_text("<svg/>", encoding="utf-8")
    (folder / "report.html").write_text("<html></html>", encoding="utf-8")
    content = _manifest(table, analysis)
    content["run_id"] = folder.name
    content["files"] = {p.name: sha256_of_file(p) for p in sorted(folder.glob("*.parquet"))}
    if manifest_edit is not None:
        manifest_edit(content)
    (folder / "manifest.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    return folder


def lose(amount: float, *, system: str = "mine", tone: str = "dark", metric: str = "psnr") -> Edit:
    """Take ``amount`` from one group of one system, with a little noise everywhere in it."""

    def edit(table: pd.DataFrame) -> None:
        rng = np.random.default_rng(9)
        mine = table["system"] == system
        table.loc[mine, metric] += rng.normal(size=mine.sum()) * 0.02
        table.loc[mine & (table["tone"] == tone), metric] -= amount

    return edit


def _analysis() -> dict[str, Any]:
    return {
        "metrics": list(METRICS),
        "primary": ["psnr", "detected"],
        "axes": [
            {"name": "tone", "role": "sensitive", "levels": list(TONES), "excluded": []},
        ],
        "policy": {"alpha": 0.05, "n_min": 8, "n_full": 30, "coverage_tolerance": 0.01},
        "replicates": 200,
        "comparisons": [],
        "declared": {
            name: {"direction": direction, "kind": kind, "ratio_scale": False}
            for name, (_, kind, direction) in METRICS.items()
        },
        "reader": None,
        "protocol": None,
        "seed": 1,
    }


def _manifest(table: pd.DataFrame, analysis: dict[str, Any]) -> dict[str, Any]:
    kinds = {"input": "reference", "oracle": "reference", "host": "trained"}
    keys = table[["system", "arm"]].drop_duplicates().itertuples(index=False)
    return {
        "format": 1,
        "task": {"name": "faces", "title": "Faces", "question": "Who is lost?"},
        "specification": {"version": 3, "protocol": None},
        "profile": "smoke",
        "device": "cpu",
        "n_samples": int(table["sample"].nunique()),
        "seeds": [0],
        "created_with": {"equilux": "0.1.0", "torch": "2.15.0"},
        "phases": [{"name": "score", "seconds": 1.0, "units": 1, "cached": 0}],
        "systems": [
            {
                "system": system,
                "arm": arm,
                "label": f"{system} {arm}".strip(),
                "kind": kinds.get(system, "classical"),
                "parameters": 0,
                "licence": "Apache-2.0",
                "latency_ms": 1.0,
                "note": "",
            }
            for system, arm in keys
        ],
        "metrics": [
            {
                "name": name,
                "version": "1",
                "direction": direction,
                "unit": unit,
                "range": [0, 100],
                "summary": name,
                "kind": kind,
                "ratio_scale": False,
                "licence": "Apache-2.0",
                "source": "",
                "role": "primary" if name in analysis["primary"] else "secondary",
                "available": True,
                "reason": "",
                "mend": "",
                "in_loss": False,
            }
            for name, (unit, kind, direction) in METRICS.items()
        ],
        "axes": [
            {"name": "tone", "role": "sensitive", "levels": list(TONES), "title": "Skin tone"}
        ],
        "headline": {
            "axis": "tone",
            "endpoint": "psnr",
            "quality": "psnr",
            "outcome": "detected",
        },
        "comparisons": [],
        "notes": [],
        "warnings": [],
        "licences": [],
        "data": {"source": "probe", "probe": "faces", "subjects": 12},
        "instruments": [
            {"name": "faces", "metrics": ["detected"], "identity": {"detector": "hog 1"}}
        ],
        "analysis": analysis,
    }
