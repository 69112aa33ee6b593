"""What stands in, on a machine of tests, for published bytes and for minutes of training.

Put in place in the server before any command runs, so that commands are typed as they are printed.
"""

from __future__ import annotations

import os
from dataclasses import fields, is_dataclass, replace
from functools import partial
from hashlib import sha256
from inspect import signature
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

#: Sizes of the trainings of the suite's own instruments: the way through, not its result.
INSTRUMENTS = {
    "steps": 2,
    "count": 8,
    "held_out": 8,
    "scenes": 40,
    "calibration_scenes": 20,
    "validation_scenes": 20,
}
#: Catalogued files that pages fetch or add, and whose content none of their commands reads.
BYTES = (
    "alexnet",
    "hrnet-w48-pascal",
    "kind",
    "niqe",
    "niqe-basicsr",
    "squeezenet1_1",
    "vgg16",
)
#: Those of which the keys are read.
KEYS = ("mirnet-lol",)


def prepare() -> None:
    """Put all of them in place."""
    published(Path(os.environ["DOCS_PUBLISHED"]), os.environ["DOCS_ADDRESS"])
    instruments()


def published(folder: Path, address: str) -> None:
    """Networks as published but untrained, under their digest and an address of this machine."""
    from benchmark.enhancers.published import PUBLISHED
    from benchmark.losses.reconstruction import PUBLISHED as RECONSTRUCTION
    from benchmark.losses.reconstruction import Reconstruction
    from benchmark.weights import WEIGHTS

    torch.manual_seed(0)
    networks = {name: each.build for each in PUBLISHED for name in each.weights}
    networks[RECONSTRUCTION] = Reconstruction
    for name in (*networks, *KEYS, *BYTES):
        entry = WEIGHTS.entry(name)
        path = folder / entry.target.file
        if not path.is_file():
            if name in networks:
                torch.save(networks[name]().state_dict(), path)
            else:
                path.write_bytes(zeros(name) if name in KEYS else b"a stand-in")
        weight = replace(
            entry.target,
            sha256=(sha256(path.read_bytes()).hexdigest(),),
            url=f"{address}/published/{path.name}" if entry.target.url else "",
            packed="",
        )
        WEIGHTS._entries[name] = replace(entry, target=weight)


def zeros(system: str) -> bytes:
    """Weights that fit a large network and take a few kilobytes: one number, seen in all places."""
    from benchmark.enhancers.published import LINKED

    with torch.device("meta"):
        network = next(each for each in LINKED if each.name == system).build()
    weights = {name: torch.zeros(()).expand(t.shape) for name, t in network.state_dict().items()}
    file = BytesIO()  # not a path, whose name would be part of the bytes
    torch.save(weights, file)
    return file.getvalue()


def instruments() -> None:
    """Every training with few pictures and steps."""
    from benchmark.assets import INSTRUMENTS as TRAININGS

    for name in TRAININGS.names():
        entry, train = TRAININGS.entry(name), TRAININGS.get(name)
        TRAININGS._entries[name] = replace(entry, target=partial(train, settings=_small(train)))


def _small(train: Any) -> Any:
    """The settings that a training has by default, with :data:`INSTRUMENTS` for its sizes."""
    function = getattr(train, "func", train)
    given = signature(train).parameters["settings"]
    kind = function.__globals__[str(given.annotation).partition(" ")[0]]
    settings = given.default if is_dataclass(given.default) else kind()
    known = {field.name for field in fields(settings)}
    return replace(settings, **{k: v for k, v in INSTRUMENTS.items() if k in known})
