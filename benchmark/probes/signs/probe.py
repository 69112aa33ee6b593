"""The sign probe: scenes, their views, and every view under every lamp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data.degradations import noise_generator
from benchmark.data.views import OK, PROBE, Views
from benchmark.probes.base import Advance, ProbeSettings
from benchmark.probes.signs.illuminants import ILLUMINANTS
from benchmark.probes.signs.scene import render
from benchmark.probes.signs.subjects import LONGEST, subject

#: Side of the evaluation images.
SIZE = 128


@dataclass(frozen=True)
class SignSamples:
    """Rendered scenes with all that is known about them.

    Attributes:
        frame: as in :class:`benchmark.data.views.Views`, with the axes ``illuminant``, ``kind`` and
            ``sign_class``, and ``label``.
        images: ``[N, S, S, 3]`` uint8 sRGB.
        corners: ``[N, 4, 2]`` float32, corners of the box around the sign in pixels, from the upper
            left one clockwise.
        characters: ``[N, 6, 2]`` float32, centres of a plate's characters in reading order; NaN
            where there is none.
    """

    frame: pd.DataFrame
    images: NDArray[np.uint8]
    corners: NDArray[np.float32]
    characters: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)


def render_signs(
    scenes: int,
    *,
    views: int = 1,
    split: str,
    seed: int = 0,
    size: int = SIZE,
    illuminants: Sequence[str] = tuple(ILLUMINANTS),
    advance: Advance | None = None,
) -> SignSamples:
    """Scenes 0, 1, ... of a split; each depends on its number, the split and the seed alone.

    Args:
        scenes: how many; even ones show a sign, odd ones a plate.
        views: of each scene.
        split: name of the set; different names share no scene, and no text of a plate but by
            chance (those that the suite uses: none).
        seed: of everything.
        size: side in pixels.
        illuminants: lamps that every view is rendered under.
        advance: called with 1 after each scene.
    """
    count = scenes * views * len(illuminants)
    images = np.empty((count, size, size, 3), np.uint8)
    corners = np.empty((count, 4, 2), np.float32)
    characters = np.full((count, LONGEST, 2), np.nan, np.float32)
    rows: list[tuple[str, str, int, str, str, str, str]] = []
    for scene in range(scenes):
        shown = subject(scene, split=split, seed=seed)
        cluster = f"signs-{split}-{scene:05d}"
        for view in range(views):
            rng = noise_generator(f"signs/{split}/{scene}/{view}", seed=seed)
            made = render(shown, rng, size=size, illuminants=illuminants)
            here = slice(len(rows), len(rows) + len(illuminants))
            images[here], corners[here] = made.images, made.corners
            characters[here, : len(made.characters)] = made.characters
            known = (shown.kind, shown.sign_class, shown.label)
            rows += [
                (f"{cluster}-v{view}-{lamp}", cluster, view, lamp, *known) for lamp in illuminants
            ]
        if advance is not None:
            advance(1)
    columns = ["sample", "cluster", "view", "illuminant", "kind", "sign_class", "label"]
    frame = pd.DataFrame(rows, columns=columns).assign(role=PROBE, status=OK)
    return SignSamples(frame, images, corners, characters)


def sign_views(settings: ProbeSettings, *, advance: Advance) -> Views:
    """Every scene under every illuminant, ``settings.views`` views of it.

    The reference of a sample is the same view in full light under the same lamp: an enhancer is
    asked for light, not for another white balance. No axis is demographic; the lamp has the place
    that a group of people has elsewhere, and twins differ in it alone.
    """
    samples = render_signs(
        settings.subjects,
        views=settings.views,
        split=settings.split,
        seed=settings.seed,
        advance=advance,
    )
    frame = samples.frame
    if settings.effect == "none":
        recorded = [
            noise_generator(f"shuffle/{cluster}/{view}", seed=settings.seed).permutation(lamps)
            for (cluster, view), lamps in frame.groupby(["cluster", "view"], sort=False)[
                "illuminant"
            ]
        ]
        frame = frame.assign(illuminant=np.concatenate(recorded) if recorded else [])
    return Views(frame, samples.images)


def sign_crops(count: int, *, size: int, split: str, seed: int, advance: Advance) -> Views:
    """Pictures for training: every illuminant equally often, twins share cluster and view.

    Args:
        count: how many.
        size: side in pixels.
        split: name of the set.
        seed: of everything.
        advance: called with the number of pictures just made.
    """
    lamps = len(ILLUMINANTS)
    samples = render_signs(
        -(-count // lamps),
        split=split,
        seed=seed,
        size=size,
        advance=lambda scenes: advance(scenes * lamps),
    )
    frame = samples.frame.iloc[:count].reset_index(drop=True)
    return Views(frame, samples.images[:count])
