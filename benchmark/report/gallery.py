"""Worst cases as pictures inside the page: small, self-contained, and honest about what is left."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from benchmark.report.manifest import GalleryItem
from benchmark.report.model import RunView
from benchmark.report.wording import Scale, humanise

#: Bytes of all pictures in a page, before base64; the report is to stay under 5 MB.
BUDGET = 2_500_000
_SIDE = 160


@dataclass(frozen=True)
class Picture:
    """An image in the page; ``uri`` is None if its file is missing or broken."""

    role: str
    alt: str
    uri: str | None
    width: int
    height: int


@dataclass(frozen=True)
class Case:
    """One worst case with its caption."""

    system: str
    arm: str
    seed: int
    sample: str
    score: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """The cases of one group."""

    group: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Gallery:
    """Sections in the order of the axis; ``left_out`` cases did not fit the budget."""

    axis: str
    metric: str
    systems: tuple[str, ...]
    sections: tuple[Section, ...]
    left_out: int


def build(view: RunView) -> Gallery | None:
    """Read and shrink the pictures of ``gallery/``; None if the run has none.

    Pictures are stored as WebP at quality 90, which is not lossless: the PNG files beside the
    report are. Where the budget is spent, every group loses the cases latest in its part of the
    index, so that none is without.
    """
    if not view.gallery:
        return None
    first = view.gallery[0]
    encoder = _Encoder(view.folder)
    cases: dict[str, list[Case]] = {level: [] for level in view.levels(first.axis)}
    left_out = 0
    for item in _in_turns(view.gallery):
        pictures = tuple(
            encoder.picture(getattr(item, role), role, item)
            for role in ("input", "output", "reference")
        )
        if encoder.spent > BUDGET:
            left_out += 1
            continue
        cases.setdefault(item.group, []).append(_case(view, item, pictures))
    return Gallery(
        axis=humanise(first.axis),
        metric=humanise(first.metric),
        systems=tuple(dict.fromkeys(item.system for item in view.gallery)),
        sections=tuple(Section(group, tuple(found)) for group, found in cases.items() if found),
        left_out=left_out,
    )


def _in_turns(items: Sequence[GalleryItem]) -> Iterator[GalleryItem]:
    """The first item of every group, then the second of every group, and so on."""
    groups: dict[str, list[GalleryItem]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return (item for turn in zip_longest(*groups.values()) for item in turn if item)


def _case(view: RunView, item: GalleryItem, pictures: tuple[Picture, ...]) -> Case:
    metric = next((m for m in view.manifest.metrics if m.name == item.metric), None)
    if item.value is None:
        score = "not measured"
    elif metric is None:
        score = f"{item.value:.3g}"
    else:
        scale = Scale.of(metric)
        score = scale.with_unit(scale.number(item.value))
    return Case(item.system, item.arm, item.seed, item.sample, score, pictures)


class _Encoder:
    """Encodes each file once and counts the bytes that the page carries."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.spent = folder, 0
        self._known: dict[str, tuple[str | None, int, int]] = {}

    def picture(self, path: str, role: str, item: GalleryItem) -> Picture:
        if path not in self._known:
            self._known[path] = _encode(self.folder / path)
        uri, width, height = self._known[path]
        self.spent += len(uri or "") * 3 // 4
        alt = f"{role} of {item.system} {item.arm}".strip() + f", {item.group}, {item.sample}"
        return Picture(role, alt, uri, width, height)


def _encode(path: Path) -> tuple[str | None, int, int]:
    """Data URI, width and height; no URI if the file cannot be read."""
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None, _SIDE, _SIDE
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90, method=4)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/webp;base64,{content}", image.width, image.height
