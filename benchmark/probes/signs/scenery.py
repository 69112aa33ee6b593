"""What is behind a sign: a street, a wall, greenery, or the back of a vehicle.

Painted by number: a picture of indices, drawn with Pillow at twice the size, and one reflectance
for every index.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from benchmark.probes.signs.illuminants import Floats

_OVER = 2

Rng = np.random.Generator


class Canvas:
    """A picture of indices in pixels of the final image; each thing drawn gets a material.

    Args:
        rng: where materials come from.
        size: side of the final image.
    """

    def __init__(self, rng: Rng, size: int) -> None:
        self.rng, self.size = rng, size
        self.image = Image.new("L", (size * _OVER, size * _OVER), 0)
        self.draw = ImageDraw.Draw(self.image)
        self.materials = np.zeros((256, 3), np.float32)
        self.used = 0

    def material(self, colour: tuple[float, ...], spread: float = 0.25) -> int:
        """The number of a new material: a colour, lighter or darker by ``spread`` (log units)."""
        self.used = min(self.used + 1, 255)
        tint = self.rng.normal(0, 0.35 * spread, 3) + self.rng.normal(0, spread)
        self.materials[self.used] = np.clip(np.array(colour) * np.exp(tint), 0.01, 0.9)
        return self.used

    def box(self, corners: tuple[float, float, float, float], fill: int) -> None:
        """A rectangle (left, top, right, bottom), in shares of the side."""
        left, top, right, bottom = (value * self.size * _OVER for value in corners)
        self.draw.rectangle((left, top, max(left, right), max(top, bottom)), fill=fill)

    def blob(self, x: float, y: float, radius: float, fill: int, flat: float = 1.0) -> None:
        """An ellipse, in shares of the side."""
        x, y, radius = (value * self.size * _OVER for value in (x, y, radius))
        self.draw.ellipse((x - radius, y - radius * flat, x + radius, y + radius * flat), fill=fill)

    def reflectance(self) -> Floats:
        """Linear RGB ``[S, S, 3]``, averaged over the finer pixels."""
        return resolve(np.asarray(self.image), self.materials, _OVER)


def resolve(indices: np.ndarray, materials: Floats, over: int) -> Floats:
    """Mean reflectance of ``over`` x ``over`` blocks of a picture of indices, ``[S, S, 3]``."""
    total = materials[indices[::over, ::over]]
    for row in range(over):
        for column in range(over):
            if row or column:
                total += materials[indices[row::over, column::over]]
    result: Floats = total / np.float32(over * over)
    return result


def cloud(rng: Rng, size: int, cells: int) -> Floats:
    """Smooth noise of zero mean and about unit spread, ``[size, size]``."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


_SKY = ((0.45, 0.55, 0.70), (0.60, 0.62, 0.64), (0.30, 0.42, 0.62))
_MASONRY = ((0.30, 0.25, 0.20), (0.22, 0.10, 0.07), (0.38, 0.35, 0.30), (0.20, 0.20, 0.21))
_LEAVES = ((0.05, 0.10, 0.03), (0.08, 0.13, 0.04), (0.03, 0.06, 0.02), (0.14, 0.12, 0.05))
_CARS = (
    *((0.35, 0.36, 0.38), (0.03, 0.03, 0.035), (0.30, 0.03, 0.03)),
    *((0.04, 0.08, 0.20), (0.60, 0.60, 0.58), (0.10, 0.12, 0.11)),
)


def _pick(rng: Rng, palette: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
    return palette[int(rng.integers(len(palette)))]


def _street(canvas: Canvas) -> None:
    rng = canvas.rng
    horizon = rng.uniform(0.5, 0.75)
    sky = _pick(rng, _SKY)
    for step in range(8):  # paler towards the horizon
        pale = tuple(c + (0.75 - c) * step / 10 for c in sky)
        canvas.box((0, horizon * step / 8, 1, 1), canvas.material(pale, 0.02))
    left = -0.1
    while left < 1:
        width = rng.uniform(0.12, 0.4)
        top = horizon - rng.uniform(0.1, 0.6)
        canvas.box((left, top, left + width, 1), canvas.material(_pick(rng, _MASONRY)))
        pane = canvas.material((0.06, 0.07, 0.09), 0.5)
        rows, columns = rng.integers(2, 6), rng.integers(2, 5)
        for x in np.linspace(left + 0.03, left + width, columns, endpoint=False):
            for y in np.linspace(top + 0.04, horizon, rows, endpoint=False):
                canvas.box((x, y, x + 0.45 * width / columns, y + 0.05), pane)
        left += width + (rng.uniform(0, 0.15) if rng.random() < 0.4 else 0)
    canvas.box((0, horizon, 1, 1), canvas.material((0.11, 0.11, 0.115)))
    kerb = canvas.material((0.35, 0.34, 0.32))
    canvas.box((0, horizon, 1, horizon + 0.02), kerb)
    for _ in range(int(rng.integers(0, 3))):
        _tree(canvas, rng.uniform(0, 1), horizon - rng.uniform(0.15, 0.35))
    for _ in range(int(rng.integers(0, 4))):
        x, paint = rng.uniform(-0.1, 1), canvas.material(_pick(rng, _CARS))
        canvas.box((x, horizon - 0.03, x + 0.24, horizon + 0.07), paint)
        canvas.box((x + 0.05, horizon - 0.08, x + 0.19, horizon - 0.03), paint)
        for wheel in (0.05, 0.19):
            canvas.blob(x + wheel, horizon + 0.07, 0.03, canvas.material((0.02, 0.02, 0.02), 0.1))


def _tree(canvas: Canvas, x: float, y: float) -> None:
    rng = canvas.rng
    canvas.box((x - 0.02, y, x + 0.02, 1), canvas.material((0.08, 0.06, 0.04)))
    for dx, dy in rng.normal(0, 0.08, (14, 2)):
        leaf = canvas.material(_pick(rng, _LEAVES))
        canvas.blob(x + dx, y + dy, rng.uniform(0.03, 0.09), leaf)


def _wall(canvas: Canvas) -> None:
    rng = canvas.rng
    colour = _pick(rng, _MASONRY)
    canvas.box((0, 0, 1, 1), canvas.material(colour, 0.15))
    if rng.random() < 0.6:  # bricks
        course = rng.uniform(0.05, 0.1)
        bricks = [canvas.material(colour, 0.2) for _ in range(8)]
        for row, y in enumerate(np.arange(0, 1, course)):
            shift = 0.5 * (row % 2)
            for column in range(-1, int(1 / (2.4 * course)) + 2):
                x = (column + shift) * 2.4 * course
                fill = bricks[int(rng.integers(8))]
                canvas.box((x, y, x + 2.25 * course, y + 0.88 * course), fill)
    for _ in range(int(rng.integers(1, 5))):  # doors, posters, pipes
        x, y = rng.uniform(-0.2, 1, 2)
        width, height = rng.uniform(0.03, 0.4), rng.uniform(0.1, 0.7)
        muted = rng.uniform(0.04, 0.45) * rng.uniform(0.6, 1.2, 3)
        shade = canvas.material(tuple(muted), 0.3)
        canvas.box((x, y, x + width, y + height), shade)


def _greenery(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.box((0, 0, 1, 1), canvas.material((0.03, 0.05, 0.02)))
    leaves = [canvas.material(_pick(rng, _LEAVES), 0.45) for _ in range(60)]
    leaves += [canvas.material(_pick(rng, _SKY), 0.1) for _ in range(3)]
    count = 260
    # sizes with the power law of natural scenes, as in dead leaves
    radius = rng.uniform(0.1**-2, 0.012**-2, count) ** -0.5
    place = rng.uniform(-0.05, 1.05, (count, 2))
    fill, flat = rng.integers(0, len(leaves), count), rng.uniform(0.4, 1, count)
    for (x, y), r, number, f in zip(place, radius * 2, fill, flat, strict=True):
        canvas.blob(x, y, r, leaves[number], f)


def _vehicle(canvas: Canvas) -> None:
    rng = canvas.rng
    body = _pick(rng, _CARS)
    canvas.box((0, 0, 1, 1), canvas.material(body, 0.1))
    seam = canvas.material(tuple(0.4 * c for c in body), 0.1)
    window = rng.uniform(0.0, 0.18)
    canvas.box((0.05, -0.1, 0.95, window), canvas.material((0.03, 0.035, 0.04)))
    for y in (window + 0.02, rng.uniform(0.7, 0.8)):
        canvas.box((0, y, 1, y + 0.012), seam)
    lamp, height = canvas.material((0.35, 0.03, 0.03)), rng.uniform(0.08, 0.2)
    top = rng.uniform(0.25, 0.4)
    for left in (-0.02, 0.88):
        canvas.box((left, top, left + 0.14, top + height), lamp)
    canvas.box((0, 0.84, 1, 1), canvas.material((0.05, 0.05, 0.05)))
    canvas.box((0, 0.93, 1, 1), canvas.material((0.12, 0.12, 0.12)))


_SIGN_PLACES = (_street, _street, _wall, _greenery)
_PLATE_PLACES = (_vehicle, _vehicle, _wall)


def scenery(rng: Rng, size: int, *, plate: bool) -> Floats:
    """Reflectance of a background with grain, ``[size, size, 3]`` linear.

    Args:
        rng: decides everything.
        size: side in pixels.
        plate: whether something lettered will hang there.
    """
    places = _PLATE_PLACES if plate else _SIGN_PLACES
    canvas = Canvas(rng, size)
    paint = places[int(rng.integers(len(places)))]
    paint(canvas)
    rough = 0.35 if paint is _vehicle else 1.0  # sheet metal is smoother than the world
    grain = 0.08 * cloud(rng, size, 24) + 0.10 * cloud(rng, size, 5)
    grain += 0.05 * rng.standard_normal((size, size), dtype=np.float32)
    return canvas.reflectance() * np.exp(rough * grain)[..., None]
