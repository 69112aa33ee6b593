"""Five versions of one clean picture, one for each class of degradation (methods, section 4.2).

soft        blur, resize, noise and JPEG, all twice, and a ringing low-pass before the last JPEG:
            the second-order pipeline of Real-ESRGAN (Wang et al. 2021), with milder ranges because
            its own are made for enlarging four times
reflection  T + beta * (k * R) in linear light: R is another picture, seen in a pane of glass that
            blurs it (Gaussian) or doubles it (two surfaces), beta from .2 to .6
motion      a kernel of 11 to 31 pixels along a line or an arc, in linear light
none        the picture itself
dark        the suite's own cameras of the low-light tasks (``data.degradations.LOW_LIGHT``)

Every draw comes from a stream named after the sample, so a picture does not depend on its batch.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import fftconvolve
from scipy.special import j1

from benchmark.contexts.router.base import CLASSES
from benchmark.data.degradations import LOW_LIGHT, noise_generator
from benchmark.imaging.colour import to_linear, to_srgb

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]

_RESAMPLING = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX)
#: Of the two passes: widest blur in pixels, range of the scale, strongest noise in grey levels.
_PASSES = ((2.4, (0.4, 1.25), 18.0), (1.5, (0.6, 1.2), 12.0))
_QUALITY = (35, 90)
_BETA = (0.2, 0.6)
_LENGTH = (11, 31)
#: A reflection is of something bright: its 95th percentile in linear light is brought to this.
_BRIGHT = 0.8


def versions(image: Picture, other: Picture, *, stream: str, seed: int) -> Picture:
    """All versions of a picture.

    Args:
        image: clean, ``[H, W, 3]`` uint8 sRGB, both sides at least 32.
        other: what is reflected, the same shape, of somebody else.
        stream: name of the random stream, by default the sample's.
        seed: of all streams.

    Returns:
        ``[5, H, W, 3]`` uint8 in the order of ``CLASSES``.
    """

    def rng(name: str) -> np.random.Generator:
        return noise_generator(f"router/{name}/{stream}", seed=seed)

    makers: dict[str, Callable[[], Picture]] = {
        "soft": lambda: soft(image, rng("soft")),
        "reflection": lambda: reflection(image, other, rng("reflection")),
        "motion": lambda: motion(image, rng("motion")),
        "none": lambda: image,
        "dark": lambda: _dark(image, rng("dark"), stream=stream, seed=seed),
    }
    return np.stack([makers[name]() for name in CLASSES])


def soft(image: Picture, rng: np.random.Generator) -> Picture:
    """Blur, resize, noise and JPEG, twice."""
    size = (image.shape[1], image.shape[0])
    pixels = image.astype(np.float32)
    for number, (widest, scales, noisiest) in enumerate(_PASSES):
        pixels = _convolved(pixels, gaussian_kernel(rng, widest))
        scale = rng.uniform(*scales)
        target = (max(round(size[0] * scale), 16), max(round(size[1] * scale), 16))
        pixels = _resized(pixels, target, rng)
        pixels = _noisy(pixels, rng, noisiest)
        if number == 0:
            pixels = _jpeg(pixels, rng)
    # back to size and the ringing filter before the last compression, or after it
    sinc_first = rng.random() < 0.5
    pixels = _resized(pixels, size, rng)
    if sinc_first:
        return _jpeg(_convolved(pixels, sinc_kernel(rng)), rng).astype(np.uint8)
    return _bytes(_convolved(_jpeg(pixels, rng), sinc_kernel(rng)))


def reflection(image: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """What is behind the glass plus what the glass shows of something else."""
    mirrored = other[:, ::-1] if rng.random() < 0.5 else other
    light = _linear(mirrored)
    light = light * np.float32(_BRIGHT / max(float(np.quantile(light, 0.95)), 1e-3))
    kernel = gaussian_kernel(rng, 3.0) if rng.random() < 0.5 else double_kernel(rng)
    seen = _convolved(light.clip(0, 1), kernel)
    return _encoded(_linear(image) + np.float32(rng.uniform(*_BETA)) * seen)


def motion(image: Picture, rng: np.random.Generator) -> Picture:
    """The mean over a path of the camera."""
    return _encoded(_convolved(_linear(image), motion_kernel(rng)))


def gaussian_kernel(rng: np.random.Generator, widest: float) -> Floats:
    """A generalised Gaussian, round or long, in any direction; sums to one."""
    sigma = rng.uniform(0.5, widest, 2)
    if rng.random() < 0.5:
        sigma[1] = sigma[0]
    angle, shape = rng.uniform(0, np.pi), rng.uniform(0.6, 2.0)
    radius = int(np.ceil(3 * max(sigma)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    along = (np.cos(angle) * x + np.sin(angle) * y) / sigma[0]
    across = (np.cos(angle) * y - np.sin(angle) * x) / sigma[1]
    kernel = np.exp(-0.5 * (along**2 + across**2) ** shape)
    return _normalised(kernel)


def sinc_kernel(rng: np.random.Generator, *, radius: int = 7) -> Floats:
    """A circular low-pass filter, which rings: w J1(w r) / (2 pi r); sums to one."""
    cutoff = rng.uniform(np.pi / 3, np.pi)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    r = np.hypot(x, y)
    r[radius, radius] = 1.0
    kernel = cutoff * j1(cutoff * r) / (2 * np.pi * r)
    kernel[radius, radius] = cutoff**2 / (4 * np.pi)
    return _normalised(kernel)


def double_kernel(rng: np.random.Generator) -> Floats:
    """Two points, the weaker a few pixels off: both surfaces of a pane reflect; sums to one."""
    distance, angle = rng.uniform(2, 8), rng.uniform(0, 2 * np.pi)
    offset = distance * np.array([np.sin(angle), np.cos(angle)])
    kernel = np.zeros((19, 19))
    kernel[9, 9] = 1.0
    _splat(kernel, 9 + offset[:1], 9 + offset[1:], rng.uniform(0.4, 0.9))
    return _normalised(kernel)


def motion_kernel(rng: np.random.Generator) -> Floats:
    """A path of 11 to 31 pixels: straight half of the time, else an arc; sums to one."""
    length = rng.uniform(*_LENGTH)
    turn = 0.0 if rng.random() < 0.5 else rng.uniform(0.4, 2.0) * rng.choice([-1.0, 1.0])
    start = rng.uniform(0, 2 * np.pi)
    steps = 4 * int(np.ceil(length))
    heading = start + turn * np.linspace(0, 1, steps)
    step = length / steps
    path = np.cumsum(np.stack([np.sin(heading), np.cos(heading)]) * step, axis=1)
    path -= (path.max(1, keepdims=True) + path.min(1, keepdims=True)) / 2
    radius = int(np.ceil(np.abs(path).max())) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    _splat(kernel, path[0] + radius, path[1] + radius, 1.0)
    return _normalised(kernel)


def _splat(kernel: Floats, rows: Floats, columns: Floats, weight: float) -> None:
    """Add points between cells to the four cells around each."""
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    for row, share in ((top, 1 - down), (top + 1, down)):
        np.add.at(kernel, (row, left), weight * share * (1 - right))
        np.add.at(kernel, (row, left + 1), weight * share * right)


def _dark(image: Picture, rng: np.random.Generator, *, stream: str, seed: int) -> Picture:
    names = tuple(LOW_LIGHT)
    camera = LOW_LIGHT[names[int(rng.integers(len(names)))]]
    return camera.apply(image, stream=f"router/{stream}", seed=seed)


def _noisy(pixels: Floats, rng: np.random.Generator, strongest: float) -> Floats:
    """Gaussian or Poisson noise, grey two times in five."""
    shape = pixels.shape if rng.random() < 0.6 else (*pixels.shape[:2], 1)
    level = rng.uniform(1.0, strongest)
    draw = rng.standard_normal(shape, dtype=np.float32) * np.float32(level)
    if rng.random() < 0.5:
        return pixels + draw
    brightness = pixels if shape == pixels.shape else pixels.mean(2, keepdims=True)
    return np.asarray(pixels + np.sqrt(brightness.clip(0) / 128) * draw)


def _resized(pixels: Floats, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    method = _RESAMPLING[int(rng.integers(len(_RESAMPLING)))]
    planes = [
        Image.fromarray(pixels[..., c].astype(np.float32)).resize(size, method) for c in range(3)
    ]
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes], axis=2)


def _jpeg(pixels: Floats, rng: np.random.Generator) -> Floats:
    stream = io.BytesIO()
    quality = int(rng.integers(_QUALITY[0], _QUALITY[1] + 1))
    Image.fromarray(_bytes(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream), dtype=np.float32)


def _convolved(pixels: Floats, kernel: Floats) -> Floats:
    """``[H, W, 3]`` filtered, its border mirrored as often as the kernel needs."""
    radius = kernel.shape[0] // 2
    padded = np.pad(pixels, ((radius, radius), (radius, radius), (0, 0)), mode="symmetric")
    return np.asarray(fftconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1)))


def _normalised(kernel: Floats) -> Floats:
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


@lru_cache(maxsize=1)
def _decoding() -> Floats:
    """Linear light of the 256 codes."""
    return np.asarray(to_linear(torch.arange(256) / 255))


@lru_cache(maxsize=1)
def _encoding() -> Picture:
    """The code of 65536 levels of linear light: closer than rounding to a code anywhere."""
    srgb = to_srgb(torch.arange(65536, dtype=torch.float64) / 65535)
    return np.asarray(np.rint(srgb.numpy() * 255), np.uint8)


def _linear(image: Picture) -> Floats:
    return np.asarray(_decoding()[image])


def _encoded(light: Floats) -> Picture:
    return np.asarray(_encoding()[np.rint(light.clip(0, 1) * 65535).astype(np.uint16)])


def _bytes(pixels: Floats) -> Picture:
    return np.asarray(np.rint(pixels.clip(0, 255)).astype(np.uint8))
