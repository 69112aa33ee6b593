"""Units of work: what is to be computed, from what, and the key its result is stored under.

A unit is plain data. Its key digests the stage, the payload, the keys of what it needs, the source
code that computes it and the environment that can change its numbers, so an entry can be reused
exactly when nothing that matters has changed. Any engine that can run a function on a string can
run a unit: ``run_unit(Unit.from_json(text), ...)``.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from benchmark.files import content_key

Stage = Literal[
    "data",
    "pool",
    "calibrate",
    "train",
    "enhance",
    "prepare",
    "score",
    "observe",
    "invent",
    "sanity",
    "retrain",
    "analyse",
]

#: Seed of everything about the evaluation data; training seeds are separate and never meet it.
DATA_SEED = 20_230_617
#: Of data that steer a training or choose between several; neither trained on nor tested on.
VALIDATION_SEED = 19_991_231

_BANKS = ("judges.semantics", "judges.outside_segmenters", "judges.hrnet")
_TRAINING = (
    *("training", "losses", "schedules", "imaging", "enhancers", "contexts.regions"),
    *("judges.embedder", "judges.signs", "judges.signs_net", "metrics.perceptual"),
    *_BANKS,
)

#: Packages whose source decides what a stage computes; a change in one invalidates the stage.
_CODE: dict[Stage, tuple[str, ...]] = {
    "data": ("data", "probes", "imaging", "judges.landmarks", "judges.detection", "judges.chips"),
    "pool": ("data", "probes", "imaging", "contexts", "training.pool", "training.pools"),
    "calibrate": _TRAINING,
    "train": _TRAINING,
    "enhance": ("enhancers", "imaging", "contexts", *_BANKS),
    "prepare": ("metrics", "judges", "imaging"),
    "score": ("metrics", "judges", "imaging"),
    "observe": ("judges", "imaging"),
    "invent": ("metrics.structure", "judges", "imaging"),
    "sanity": ("metrics", "judges", "imaging", "data.degradations"),
    "retrain": ("judges", "imaging", "probes.signs", "assets"),
    "analyse": ("fairness", "runner.tables", "runner.statistics", "runner.sets"),
}

#: Distributions whose release can change the numbers of a stage.
_LIBRARIES: dict[Stage, tuple[str, ...]] = {
    "data": ("torch", "numpy", "pillow", "scikit-image"),
    "pool": ("torch", "numpy", "scikit-image"),
    "calibrate": ("torch",),
    "train": ("torch",),
    "enhance": ("torch", "scipy", "scikit-image"),
    "prepare": ("torch", "pyiqa", "lpips", "deepface", "dlib-bin"),
    "score": ("torch", "pyiqa", "lpips", "deepface", "dlib-bin"),
    "observe": ("torch", "numpy", "dlib-bin"),
    "invent": ("torch", "numpy", "scipy", "scikit-image"),
    "sanity": ("torch", "numpy", "scipy", "scikit-image", "pyiqa"),
    "retrain": ("torch", "numpy"),
    "analyse": ("numpy", "scipy", "pandas"),
}


@dataclass(frozen=True)
class Unit:
    """One piece of work.

    Attributes:
        stage: which function computes it.
        title: for people, for example ``"curve matched seed 0"``.
        payload: everything else that decides the result; JSON only.
        needs: roles mapped to the (stage, key) of other units' results.
        device: kind of device, ``cpu`` or ``cuda``.
        hints: where things are on this machine, for example a folder of photographs whose content
            is in the payload as a digest; not part of the key.
    """

    stage: Stage
    title: str
    payload: Mapping[str, Any]
    needs: Mapping[str, tuple[Stage, str]] = field(default_factory=dict)
    device: str = "cpu"
    hints: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def key(self) -> str:
        """Content key of the result."""
        environment = {"device": self.device, "libraries": _libraries(self.stage)}
        needs = {role: list(reference) for role, reference in self.needs.items()}
        return content_key(
            self.stage, dict(self.payload), needs, environment, source_digest(self.stage)
        )

    def need(self) -> tuple[Stage, str]:
        """How another unit refers to this one."""
        return self.stage, self.key

    def to_json(self) -> str:
        """The unit as text, for another process or machine."""
        return json.dumps(
            {
                "stage": self.stage,
                "title": self.title,
                "payload": dict(self.payload),
                "needs": {role: list(reference) for role, reference in self.needs.items()},
                "device": self.device,
                "hints": dict(self.hints),
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Unit:
        """The unit that :meth:`to_json` wrote."""
        data = json.loads(text)
        data["needs"] = {role: (stage, key) for role, (stage, key) in data["needs"].items()}
        return cls(**data)


@functools.cache
def source_digest(stage: Stage) -> str:
    """Digest of the source files of the packages a stage depends on."""
    digest = hashlib.sha256()
    for name in _CODE[stage]:
        for path in _sources(f"benchmark.{name}"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(module: str) -> list[Path]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]


@functools.cache
def _libraries(stage: Stage) -> dict[str, str]:
    releases = {name: version(name) for name in _LIBRARIES[stage]}
    return releases | {"machine": platform.machine()}
