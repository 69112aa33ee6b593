"""How a camera spoils a picture: lens, lamp, exposure, noise, a converter, and sRGB again.

A clean sRGB image is taken as the scene at full exposure, whose white fills the sensor's well. On
its way to the file it passes, in linear light,

    blur      a Gaussian point spread (defocus)
    haze      transmission t through a scattering medium such as a cataract, which puts a veil of
              its own blurred light over the picture:  t * x + (1 - t) * veil  (Peli & Peli 1989,
              "Restoration of retinal images obtained through cataracts")
    uneven    a lamp that is off centre: light falls off to one side, whichever
    exposure  electrons = Poisson(full_well * exposure * linear) + Normal(0, read_noise^2)
    converter code = round(clip(electrons / full_well, 0, 1) * (2^bits - 1))

and the code is stored as 8-bit sRGB without any gain: a short exposure gives a dark picture (the
raw noise model of Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and fitting for
single-image raw-data"). Black is clipped: a camera without a black-level pedestal, so very dark
areas come out slightly too bright on average.

Noise is drawn with NumPy's Philox from a key made of the seed and the name of the sample: the same
bytes on every device, in any batch, in any order. Counterfactual twins (one view in several skin
tones) get the same stratum, as nothing but the tone may differ in expectation, but independent
noise: sharing it would make errors of twins correlate in a way that no real pair has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmark.errors import DataError


@dataclass(frozen=True)
class Acquisition:
    """One way of taking a picture; the defaults spoil nothing but add the noise of a good camera.

    Attributes:
        exposure: light collected relative to the clean image, in (0, 1].
        full_well: electrons that the clean image's white would collect.
        read_noise: standard deviation of the read noise in electrons.
        bits: of the analogue-to-digital converter, which is linear; 8 to 16.
        blur: standard deviation of the point spread, as a share of the shorter side.
        haze: share of the light that is scattered, in [0, 1).
        uneven: share of the light that is missing at the darkest side, in [0, 1).
    """

    exposure: float = 1.0
    full_well: float = 1000.0
    read_noise: float = 4.0
    bits: int = 12
    blur: float = 0.0
    haze: float = 0.0
    uneven: float = 0.0

    def __post_init__(self) -> None:
        sound = (
            0 < self.exposure <= 1
            and self.full_well > 0
            and self.read_noise >= 0
            and 8 <= self.bits <= 16
            and self.blur >= 0
            and 0 <= self.haze < 1
            and 0 <= self.uneven < 1
        )
        if not sound:
            raise DataError(
                "an acquisition needs 0 < exposure <= 1, full_well > 0, read_noise >= 0, 8 to 16 "
                f"bits, blur >= 0, and haze and uneven from 0 to below 1; it is {self}"
            )

    def apply(
        self,
        image: NDArray[np.uint8] | NDArray[np.floating],
        *,
        stream: str,
        seed: int,
        exposure_factor: float = 1.0,
        read_noise_factor: float = 1.0,
    ) -> NDArray[np.uint8]:
        """One image as this camera would record it.

        Args:
            image: sRGB, ``[H, W, 3]``; uint8, or floating point in [0, 1].
            stream: name of the noise stream, by default the sample's id.
            seed: of all streams.
            exposure_factor: planted effect, multiplies the exposure.
            read_noise_factor: planted effect, multiplies the read noise.

        Returns:
            uint8 sRGB of the same shape.
        """
        light = self._optics(_linear(image), stream=stream, seed=seed)
        rng = noise_generator(stream, seed=seed)
        wells = self.full_well * self.exposure * exposure_factor
        electrons = rng.poisson(wells * light).astype(np.float32)
        read_noise = self.read_noise * read_noise_factor
        electrons += np.float32(read_noise) * rng.standard_normal(image.shape, dtype=np.float32)
        top = 2**self.bits - 1
        scaled = electrons * np.float32(top / self.full_well)
        codes = np.clip(np.rint(scaled), 0, top).astype(np.uint16)
        recorded: NDArray[np.uint8] = _encoding(self.bits)[codes]
        return recorded

    def _optics(self, light: NDArray[np.float64], *, stream: str, seed: int) -> NDArray[np.float64]:
        """What reaches the sensor of linear ``light``; draws from a stream of its own."""
        if not (self.blur or self.haze or self.uneven):
            return light
        side = min(light.shape[:2])
        if self.blur:
            light = _blurred(light, self.blur * side)
        if self.haze:
            veil = _blurred(light, _SCATTER * side).mean(2, keepdims=True) * _VEIL
            light = np.minimum((1 - self.haze) * light + self.haze * veil, 1.0)
        if self.uneven:
            angle = noise_generator(f"optics/{stream}", seed=seed).uniform(0, 2 * np.pi)
            y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in light.shape[:2]), indexing="ij")
            # from 0 on the lit edge of the inscribed circle to 1 on the dark one, smooth
            depth = np.clip((np.cos(angle) * x + np.sin(angle) * y + 1) / 2, 0, 1)
            light = light * (1 - self.uneven * depth**2 * (3 - 2 * depth))[..., None]
        return light


#: Width of the light scattered by haze as a share of the shorter side, and its gain: the veil of a
#: medium lit by the camera's own flash is brighter than what lies behind it.
_SCATTER, _VEIL = 0.1, 1.6


def _blurred(light: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    result: NDArray[np.float64] = gaussian_filter(light, (sigma, sigma, 0), mode="nearest")
    return result


#: Strata of the context axis ``exposure`` in the low-light tasks and in training.
LOW_LIGHT: Mapping[str, Acquisition] = {
    "dim": Acquisition(exposure=0.12),
    "dark": Acquisition(exposure=0.035),
}

#: Strata of the context axis ``quality`` of medical images.
MEDICAL: Mapping[str, Acquisition] = {
    "haze": Acquisition(haze=0.55, full_well=4000.0),
    "blur": Acquisition(blur=0.008, full_well=4000.0),
    "uneven": Acquisition(uneven=0.85, exposure=0.6, full_well=4000.0),
}


@dataclass(frozen=True)
class PlantedEffect:
    """A known harm to one group, to test that the statistics find it.

    Attributes:
        axis: column of the samples' table.
        group: level of that column.
        exposure: factor on the group's exposure.
        read_noise: factor on the group's read noise.
    """

    axis: str
    group: str
    exposure: float = 1.0
    read_noise: float = 1.0


def degrade(
    images: NDArray[np.uint8],
    frame: pd.DataFrame,
    *,
    seed: int,
    strata: Mapping[str, Acquisition] = LOW_LIGHT,
    axis: str = "exposure",
    planted: Sequence[PlantedEffect] = (),
) -> NDArray[np.uint8]:
    """Spoilt versions of samples.

    Args:
        images: ``[N, H, W, 3]`` uint8 sRGB.
        frame: one row per image with ``sample`` (names the noise stream), ``axis`` (names the
            stratum) and the axes of the planted effects.
        seed: of the noise.
        strata: what the names in the column ``axis`` mean.
        axis: name of that column.
        planted: harms to plant; factors of several effects multiply.

    Raises:
        DataError: for an unknown stratum or axis, or tables of different length.
    """
    if len(images) != len(frame):
        raise DataError(f"{len(images)} images but {len(frame)} rows")
    missing = {"sample", axis, *(effect.axis for effect in planted)} - set(frame)
    unknown = set(frame.get(axis, ())) - set(strata)
    if missing or unknown:
        raise DataError(
            f"the samples' table lacks columns {sorted(missing)} or names strata {sorted(unknown)} "
            f"that are not among {sorted(strata)}"
        )
    exposure, read_noise = np.ones(len(frame)), np.ones(len(frame))
    for effect in planted:
        hit = (frame[effect.axis] == effect.group).to_numpy()
        exposure[hit] *= effect.exposure
        read_noise[hit] *= effect.read_noise
    result = np.empty_like(images)
    rows = zip(images, frame["sample"], frame[axis], exposure, read_noise, strict=True)
    for index, (image, sample, stratum, more_light, more_noise) in enumerate(rows):
        result[index] = strata[stratum].apply(
            image,
            stream=str(sample),
            seed=seed,
            exposure_factor=float(more_light),
            read_noise_factor=float(more_noise),
        )
    return result


def assign_strata(
    clusters: Sequence[str],
    views: Sequence[int],
    *,
    seed: int,
    names: Sequence[str] = tuple(LOW_LIGHT),
) -> list[str]:
    """The stratum of each sample: equal for equal (cluster, view), balanced over a cluster's views.

    The views of a cluster go round the strata from a random start, so each cluster, hence each
    group, has every stratum equally often up to one view.

    Args:
        clusters: identity of each sample.
        views: number of the view within the identity; twins share it.
        seed: of the random starts.
        names: the strata to go round.
    """
    table = pd.DataFrame({"cluster": list(clusters), "view": list(views)})
    rank = table.groupby("cluster")["view"].rank("dense").astype(int).to_numpy() - 1
    starts = {
        cluster: int(noise_generator(f"strata/{cluster}", seed=seed).integers(len(names)))
        for cluster in table["cluster"].unique()
    }
    return [
        names[(starts[cluster] + position) % len(names)]
        for cluster, position in zip(table["cluster"], rank, strict=True)
    ]


def noise_generator(stream: str, *, seed: int) -> np.random.Generator:
    """A counter-based generator of its own for each (seed, stream)."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


@lru_cache(maxsize=1)
def _linear_table() -> NDArray[np.float64]:
    return _to_linear(np.arange(256) / 255)


@lru_cache(maxsize=9)
def _encoding(bits: int) -> NDArray[np.uint8]:
    """8-bit sRGB of every linear code of a converter."""
    linear = np.arange(2**bits) / (2**bits - 1)
    high = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, high)
    return np.asarray(np.rint(srgb * 255), np.uint8)


def _linear(image: NDArray[np.uint8] | NDArray[np.floating]) -> NDArray[np.float64]:
    if image.dtype == np.uint8:
        return _linear_table()[image]
    return _to_linear(np.clip(image.astype(np.float64), 0, 1))


def _to_linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """IEC 61966-2-1, in float64, where a table or a single image is wanted without torch."""
    linear: NDArray[np.float64] = np.where(
        srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4
    )
    return linear
