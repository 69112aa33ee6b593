"""Small folders of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.data.opened import RealData, open_data
from benchmark.data.references import parse_reference
from benchmark.spec.mapping import MappingSpec

BASE: Mapping[str, Any] = {
    "format": 2,
    "name": "mine",
    "title": "Mine",
    "licence": "CC0-1.0",
    "source": "made here",
    "image": "file_name",
    "size": 16,
    "axes": [{"column": "group", "role": "sensitive", "source": "self-reported"}],
}


def spec(**changes: Any) -> MappingSpec:
    """A mapping of a folder with ``file_name`` and ``group``, changed; None takes a key out."""
    changed = {**BASE, **changes}
    return MappingSpec.model_validate({k: v for k, v in changed.items() if v is not None})


def opened(folder: Path | str, **changes: Any) -> RealData:
    """Data opened by such a mapping."""
    return open_data(parse_reference(str(folder)), spec(**changes))


def picture(path: Path, *, seed: int = 0, size: tuple[int, int] = (24, 20)) -> Path:
    """A picture of smooth noise, different for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def table(folder: Path, rows: list[str], header: str, name: str = "metadata.csv") -> None:
    """A CSV file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of two people, one group blank."""
    rows = ["a1.png,x,a,front", "a2.png,x,a,side", "b1.png,,b,front", "b2.png,,b,side"]
    table(tmp_path, rows, "file_name,group,who,view")
    for number, row in enumerate(rows):
        picture(tmp_path / row.split(",")[0], seed=number)
    return tmp_path


Maker = Callable[..., Path]
