"""The face probe: a crossed design of people, skin tones and views, rendered and labelled.

Every identity appears in every tone (counterfactual twins): the twins of one view share geometry,
expression, light, background and noise stream, and differ in skin albedo alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmark.errors import DataError
from benchmark.files import content_key
from benchmark.probes.cache import cached_arrays
from benchmark.probes.faces.identity import draw_vectors, split_key, traits_of
from benchmark.probes.faces.render import shoot
from benchmark.probes.faces.tones import LEVEL_TONES, TONES, ToneLevel, level_of, monk_albedo
from benchmark.probes.faces.views import (
    BACKGROUNDS,
    EXPRESSIONS,
    ILLUMINATIONS,
    POSES,
    Views,
    gallery_views,
    join,
    probe_views,
)
from benchmark.probes.threads import map_parallel

if TYPE_CHECKING:
    from datasets import Dataset

#: Raised whenever the same parameters would give other pixels.
RENDERER_VERSION = 4

Advance = Callable[[int], None]


@dataclass(frozen=True)
class FaceSamples:
    """Rendered samples in the order of ``frame``.

    Attributes:
        frame: one row per image: ``sample`` (unique id), ``identity``, ``role`` (``gallery`` or
            ``probe``), ``view`` (number within the identity, 0 is the gallery view), ``tone``,
            ``tone_level``, ``pose``, ``expression``, ``illumination``, ``background``, ``yaw`` and
            ``pitch`` in degrees.
        images: ``[N, S, S, 3]`` uint8 sRGB.
        landmarks: ``[N, 5, 2]`` float32 pixels, the order of ``imaging.alignment``.
        skin: ``[N, S, S]`` bool, visible bare skin (no lips, eyes, brows, beard, hair).
    """

    frame: pd.DataFrame
    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    skin: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> FaceSamples:
        """The samples that a mask or an index names."""
        frame = self.frame.iloc[np.flatnonzero(rows) if rows.dtype == bool else rows]
        return FaceSamples(
            frame.reset_index(drop=True), self.images[rows], self.landmarks[rows], self.skin[rows]
        )


@dataclass(frozen=True)
class FaceProbe:
    """A rendered set of people; equal parameters give equal samples.

    Attributes:
        split: name of the set of people; different names share nobody.
        identities: number of people.
        views: varied views of each person in each tone, beside one gallery view.
        tones: ``levels`` renders each person in one tone of each level (which one is balanced over
            people and the same in all views), ``all`` in all ten; ``random`` gives each view one
            tone of its own and is three to ten times smaller: for training, not for comparing.
        size: pixels per side, a multiple of 8.
        seed: of the people and the views.
        supersample: rays per pixel and axis.
        effect: ``tone`` records the tone that was rendered; ``none`` records labels that are
            shuffled within each person, so that no group can differ in truth.
        first: index of the first person, to render a split in parts.
    """

    split: str = "test"
    identities: int = 60
    views: int = 8
    tones: Literal["levels", "all", "random"] = "levels"
    size: int = 128
    seed: int = 0
    supersample: int = 2
    effect: Literal["tone", "none"] = "tone"
    first: int = 0

    def __post_init__(self) -> None:
        if self.identities < 1 or self.views < 0 or self.size < 16 or self.size % 8:
            raise DataError(
                "a face probe needs at least one identity and a size that is a multiple of 8, "
                f"from 16 on; it has identities={self.identities}, views={self.views}, "
                f"size={self.size}",
                where=f"face probe, split {self.split}",
            )

    @property
    def key(self) -> str:
        """Content key of the samples."""
        return content_key("faces", RENDERER_VERSION, asdict(self))

    def identity_vectors(self) -> NDArray[np.float32]:
        """Identity vectors in the unit cube, ``[identities, P]``."""
        return draw_vectors(self.split, self.identities, seed=self.seed, first=self.first)

    def render(
        self,
        *,
        cache: Path | None = None,
        device: torch.device | str = "cpu",
        advance: Advance | None = None,
    ) -> FaceSamples:
        """The samples as arrays.

        Args:
            cache: folder to keep them in; a damaged entry is rendered again.
            device: where to compute.
            advance: called with the number of views just rendered, of
                ``identities * (views + 1)``.
        """

        def make() -> dict[str, NDArray[np.generic]]:
            samples = self._render(torch.device(device), advance or (lambda _: None))
            arrays: dict[str, NDArray[np.generic]] = {
                f"frame.{name}": _as_array(column) for name, column in samples.frame.items()
            }
            return arrays | {
                "images": samples.images,
                "landmarks": samples.landmarks,
                "skin": np.packbits(samples.skin, axis=-1),
            }

        arrays = cached_arrays(cache, f"faces-{self.key}", make)
        columns = {
            name.removeprefix("frame."): values
            for name, values in arrays.items()
            if name.startswith("frame.")
        }
        return FaceSamples(
            frame=pd.DataFrame({name: _as_column(values) for name, values in columns.items()}),
            images=arrays["images"],
            landmarks=arrays["landmarks"],
            skin=np.unpackbits(arrays["skin"], axis=-1).astype(bool),
        )

    def build(self, *, cache: Path | None = None, device: torch.device | str = "cpu") -> Dataset:
        """The samples as a Hugging Face dataset: the frame's columns, ``image`` and ``skin_mask``
        as PNG images, and ``landmarks`` as five (x, y) pairs.
        """
        import datasets

        samples = self.render(cache=cache, device=device)
        columns = samples.frame.to_dict("list")
        columns["image"] = [_png(image) for image in samples.images]
        columns["skin_mask"] = [_png(mask.astype(np.uint8) * 255) for mask in samples.skin]
        columns["landmarks"] = samples.landmarks.tolist()
        features = {name: datasets.Value("string") for name in samples.frame}
        features |= {name: datasets.Value("float32") for name in ("yaw", "pitch")}
        features |= {
            "view": datasets.Value("int32"),
            "image": datasets.Image(),
            "skin_mask": datasets.Image(),
            "landmarks": datasets.Array2D((5, 2), "float32"),
        }
        return datasets.Dataset.from_dict(columns, features=datasets.Features(features))

    def _render(self, device: torch.device, advance: Advance) -> FaceSamples:
        plan = self._plan()
        albedo = torch.from_numpy(monk_albedo()).to(device)
        count, size = len(plan.frame), self.size
        images = np.empty((count, size, size, 3), np.uint8)
        landmarks = np.empty((count, 5, 2), np.float32)
        skin = np.empty((count, size, size), bool)
        traits = traits_of(self.identity_vectors())
        # one image at a time keeps the CPU's cache warm, and an image independent of its batch
        batch = 1 if device.type == "cpu" else 24
        shots = len(plan.views)
        order = np.argsort(plan.shot, kind="stable")
        bounds = np.searchsorted(plan.shot[order], np.arange(shots + 1))

        def work(start: int) -> int:
            stop = min(start + batch, shots)
            taken = np.arange(start, stop)
            done = shoot(
                traits.take(plan.person[taken]),
                plan.views.take(taken),
                size=size,
                supersample=self.supersample,
                device=device,
            )
            rows = order[bounds[start] : bounds[stop]]
            which = torch.from_numpy(plan.shot[rows] - start).to(device)
            images[rows] = done.develop(albedo[plan.tone[rows]], which).cpu().numpy()
            landmarks[rows] = done.landmarks[which].cpu().numpy()
            skin[rows] = (done.skin[which] > 0.5).cpu().numpy()
            return stop - start

        workers = None if device.type == "cpu" else 1
        for count_done in map_parallel(work, range(0, shots, batch), workers=workers):
            advance(count_done)
        return FaceSamples(plan.frame, images, landmarks, skin)

    def _plan(self) -> _Plan:
        """Which shots to take and which tones to develop each of them in."""
        key = split_key(self.split, self.seed)
        views, people, parts = [], [], []
        taken = 0
        for number in range(self.identities):
            index = self.first + number
            rng = np.random.Generator(np.random.Philox(key=[key, index], counter=[0, 0, 0, 1]))
            views.append(join([gallery_views(1), probe_views(rng, self.views)]))
            people.append(np.full(self.views + 1, number))
            part = self._tone_table(rng, index)
            parts.append(part.assign(identity=f"{self.split}-{index:05d}", shot=taken + part.view))
            taken += self.views + 1
        frame, all_views = pd.concat(parts, ignore_index=True), join(views)
        shot = frame.pop("shot").to_numpy()
        tone = frame.pop("rendered").to_numpy()
        frame["role"] = np.where(frame.view == 0, "gallery", "probe")
        frame["sample"] = [
            f"{identity}-{tone}-{'g' if view == 0 else 'p'}{view:03d}"
            for identity, tone, view in zip(frame.identity, frame.tone, frame.view, strict=True)
        ]
        for name, codes, names in (
            ("pose", all_views.pose, POSES),
            ("expression", all_views.expression, EXPRESSIONS),
            ("illumination", all_views.illumination, ILLUMINATIONS),
            ("background", all_views.background, BACKGROUNDS),
        ):
            frame[name] = np.array(names)[codes[shot]]
        degrees = np.rad2deg(all_views.angles[shot]).astype(np.float32)
        frame["yaw"], frame["pitch"] = degrees[:, 0], degrees[:, 1]
        return _Plan(frame[list(_COLUMNS)], all_views, np.concatenate(people), shot, tone)

    def _tone_table(self, rng: np.random.Generator, index: int) -> pd.DataFrame:
        """Rows (tone, view) of one person, with the tone to render and the tone to record."""
        views = np.arange(self.views + 1)
        if self.tones == "random":
            rendered = rng.integers(0, len(TONES), len(views))
            view = views
            recorded = rng.integers(0, len(TONES), len(views)) if self._shuffled else rendered
        else:
            palette = (
                np.arange(len(TONES))
                if self.tones == "all"
                else np.array([LEVEL_TONES[level][index % len(LEVEL_TONES[level])]
                               for level in ToneLevel])
            )  # fmt: skip
            labels = rng.permutation(palette) if self._shuffled else palette
            rendered, view = np.repeat(palette, len(views)), np.tile(views, len(palette))
            recorded = np.repeat(labels, len(views))
        return pd.DataFrame(
            {
                "view": view,
                "rendered": rendered,
                "tone": np.array(TONES)[recorded],
                "tone_level": [level_of(int(tone)).value for tone in recorded],
            }
        )

    @property
    def _shuffled(self) -> bool:
        return self.effect == "none"


@dataclass(frozen=True)
class _Plan:
    """Rows to produce and the shots that they come from."""

    frame: pd.DataFrame
    views: Views
    person: NDArray[np.int64]
    shot: NDArray[np.int64]
    tone: NDArray[np.int64]


_COLUMNS = (
    "sample", "identity", "role", "view", "tone", "tone_level", "pose", "expression",
    "illumination", "background", "yaw", "pitch",
)  # fmt: skip


def _as_array(column: pd.Series[Any]) -> NDArray[np.generic]:
    """A column as an array that needs no pickle."""
    values = column.to_numpy()
    return values.astype(np.str_) if values.dtype.kind in "OU" else values


def _as_column(values: NDArray[np.generic]) -> NDArray[np.generic] | list[str]:
    return values.tolist() if values.dtype.kind == "U" else values


def _png(image: NDArray[np.uint8]) -> dict[str, bytes]:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return {"bytes": stream.getvalue()}
