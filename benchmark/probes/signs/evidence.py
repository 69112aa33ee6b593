"""Evidence that the sign probe can carry a claim, measured in full light.

Its signs must be readable where there is nothing to mend, by the reader of record and by another
one; twins must differ in the lamp alone; and the lamp without a spectrum must really take colour
away, or its level would be a tint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmark.probes.base import Advance, ProbeSettings
from benchmark.probes.evidence import Findings, Promise
from benchmark.probes.signs.illuminants import ILLUMINANTS
from benchmark.probes.signs.probe import sign_views
from benchmark.probes.signs.subjects import PLATE, SIGN, subject

#: What the probe promises in daylight, of the reader of record and of the other.
FLOORS = {SIGN: 0.97, PLATE: 0.9}
#: Share of daylight's spread of colour that may be left under sodium.
SODIUM_COLOUR_CEILING = 0.25
#: Correlation of the edges of twins.
TWIN_FLOOR = 0.85
READERS = ("sign-judge", "sign-reader")
_TEXTS = 400


def sign_findings(settings: ProbeSettings, *, advance: Advance) -> Findings:
    """Accuracy by lamp and kind, colour by lamp, likeness of twins, overlap of splits."""
    from benchmark.judges.base import Reader, make_judge

    views = sign_views(settings, advance=advance)
    frame = views.frame
    pictures = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
    right = {}
    for name in READERS:
        reader = make_judge(name, "reader")
        assert isinstance(reader, Reader)
        right[name] = reader.read(pictures).labels == frame["label"].to_numpy()
    accuracy = accuracy_table(frame, right)
    colour = {
        lamp: colour_spread(views.images[(frame["illuminant"] == lamp).to_numpy()])
        for lamp in ILLUMINANTS
    }
    left = colour["sodium"] / colour["daylight"]
    alike = twin_likeness(views.images, len(ILLUMINANTS))
    shared = shared_texts(settings.split, "train") + shared_texts(settings.split, "train-judge")
    promises = [
        Promise(
            f"{row.kind}s read in daylight by {name}",
            f"{row.accuracy[name]:.1%}",
            f"at least {FLOORS[row.kind]:.0%}",
            row.accuracy[name] >= FLOORS[row.kind],
        )
        for row in accuracy
        for name in READERS
        if row.illuminant == "daylight"
    ]
    promises += [
        Promise(
            "colour left under sodium",
            f"{left:.2f} of daylight's",
            f"at most {SODIUM_COLOUR_CEILING}",
            left <= SODIUM_COLOUR_CEILING,
        ),
        Promise(
            "edges of twins alike (correlation), worst lamp",
            f"{min(alike.values()):.3f}",
            f"at least {TWIN_FLOOR}",
            min(alike.values()) >= TWIN_FLOOR,
        ),
        Promise("plates shared with a training split", str(shared), "0", shared == 0),
    ]
    return Findings(
        title=f"{settings.subjects} scenes, {len(frame)} images, full exposure",
        columns=("illuminant", "kind", "n", *READERS, "colour spread"),
        rows=tuple(
            (
                *(row.illuminant, row.kind, str(row.n)),
                *(f"{row.accuracy[name]:.1%}" for name in READERS),
                f"{colour[row.illuminant]:.3f}",
            )
            for row in accuracy
        ),
        promises=tuple(promises),
        numbers={
            "accuracy": [asdict(row) for row in accuracy],
            "colour_spread": colour,
            "twin_likeness": alike,
            "shared_texts": shared,
        },
    )


@dataclass(frozen=True)
class Readable:
    """How well one kind is read under one lamp.

    Attributes:
        illuminant: the lamp.
        kind: ``sign`` or ``plate``.
        n: pictures.
        accuracy: share read rightly, by reader.
    """

    illuminant: str
    kind: str
    n: int
    accuracy: dict[str, float]


def accuracy_table(frame: pd.DataFrame, right: dict[str, NDArray[np.bool_]]) -> list[Readable]:
    """Share of right answers of every reader, by lamp and kind."""
    lamps, kinds = frame["illuminant"].to_numpy(), frame["kind"].to_numpy()
    rows = []
    for lamp in ILLUMINANTS:
        for kind in FLOORS:
            mine = (lamps == lamp) & (kinds == kind)
            if mine.any():
                accuracy = {name: float(hit[mine].mean()) for name, hit in right.items()}
                rows.append(Readable(lamp, kind, int(mine.sum()), accuracy))
    return rows


def colour_spread(images: NDArray[np.uint8]) -> float:
    """Standard deviation of chromaticity within pictures, mean over them.

    Chromaticity is (r, g) = (R, G) / (R + G + B) of linear light, so that shading does not count.
    Pixels darker than a tenth of the range are left out: 8 bits know little of their colour.

    Args:
        images: ``[N, H, W, 3]`` uint8.
    """
    encoded = images.reshape(len(images), -1, 3) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    share = linear[..., :2] / np.maximum(linear.sum(2, keepdims=True), 1e-6)
    bright = encoded.max(2) > 0.1
    spread = [
        one[seen].std(0).mean() for one, seen in zip(share, bright, strict=True) if seen.any()
    ]
    return float(np.mean(spread))


def twin_likeness(images: NDArray[np.uint8], lamps: int) -> dict[str, float]:
    """Mean correlation of the edges of each lamp's pictures with those of the first lamp.

    Args:
        images: ``[N, H, W, 3]`` uint8, the twins of a view behind each other.
        lamps: how many twins there are.
    """
    gray = np.log1p(images.astype(np.float32).max(3))
    edges = np.hypot(np.diff(gray, axis=1)[:, :, :-1], np.diff(gray, axis=2)[:, :-1])
    flat = edges.reshape(len(edges) // lamps, lamps, -1)
    flat = flat - flat.mean(2, keepdims=True)
    flat /= np.linalg.norm(flat, axis=2, keepdims=True)
    alike = (flat * flat[:, :1]).sum(2).mean(0)
    return {name: float(value) for name, value in zip(ILLUMINANTS, alike, strict=True)}


def shared_texts(one: str, other: str, *, plates: int = _TEXTS, seed: int = 0) -> int:
    """Texts that the first plates of two splits have in common; 0 for a split with itself."""
    if one == other:
        return 0
    texts = [
        {subject(2 * number + 1, split=split, seed=seed).label for number in range(plates)}
        for split in (one, other)
    ]
    return len(texts[0] & texts[1])
