"""The synthetic run as one that a leaderboard takes: this version of the task, true digests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.files import sha256_of_file
from benchmark.spec.catalogue import find_task

from .synthetic_run import Options, write_run

ORDINARY = Options()


def write_published(
    folder: Path,
    options: Options = ORDINARY,
    change: Callable[[dict[str, Any]], object] = lambda manifest: None,
) -> Path:
    """Write a run; ``change`` may edit its manifest before the digests are taken."""
    write_run(folder, options)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    task = find_task("face-identity").spec
    profile = task.profiles["quick"]
    manifest["specification"]["version"] = task.version
    manifest["data"] = {
        "source": "probe",
        "probe": "faces",
        "effect": "group",
        "degradation": {},
        "subjects": profile.subjects,
        "views": profile.views,
    }
    manifest["instruments"] = [
        {
            "name": "faces",
            "metrics": ["id_cosine", "detected"],
            "identity": {"judge": "dlib", "weights": "55" * 32, "metrics": "id_cosine=1"},
        }
    ]
    change(manifest)
    manifest["files"] = {p.name: sha256_of_file(p) for p in sorted(folder.glob("*.parquet"))}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return folder
