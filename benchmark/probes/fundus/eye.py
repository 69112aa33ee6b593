"""One eye: vessels, disc, lesions and the texture of its ground; all in degrees on the retina."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from benchmark.data.degradations import noise_generator
from benchmark.probes.fundus.tree import DOMAIN_CENTRE, DOMAIN_RADIUS, Tree, grow_tree

Floats = NDArray[np.float64]

#: Texture of the ground is drawn on a square of this many cells, of so many degrees each.
CELLS, CELL = 288, 2 * (DOMAIN_RADIUS + 1) / 288


@dataclass(frozen=True)
class Spots:
    """Round things.

    Attributes:
        centre: ``[K, 2]`` degrees.
        radius: ``[K]`` degrees.
    """

    centre: Floats
    radius: Floats


@dataclass(frozen=True)
class Eye:
    """What is the same in all photographs of an eye, whatever its pigmentation.

    Attributes:
        left: a left eye: everything is mirrored.
        disc: middle of the optic disc, ``[2]``.
        disc_axes: half width and half height of the disc.
        cup: radius of the cup relative to the disc.
        arteries: see :class:`Tree`.
        veins: wider and darker.
        microaneurysms: with dot haemorrhages, 125 to 200 micrometres across.
        exudates: deposits of lipid; each is a union of overlapping spots.
        choroid: ``[CELLS, CELLS]`` in [0, 1], 1 on choroidal vessels.
        density: ``[CELLS, CELLS]`` of melanin, around 1.
        reflex: strength of the foveal reflex.
    """

    left: bool
    disc: Floats
    disc_axes: Floats
    cup: float
    arteries: Tree
    veins: Tree
    microaneurysms: Spots
    exudates: Spots
    choroid: NDArray[np.float32]
    density: NDArray[np.float32]
    reflex: float

    @property
    def diseased(self) -> bool:
        """Whether there is any lesion."""
        return len(self.microaneurysms.radius) + len(self.exudates.radius) > 0


def make_eye(split: str, index: int, *, seed: int) -> Eye:
    """Eye number ``index`` of a split; every second one has lesions."""
    rng = noise_generator(f"fundus/{split}/{index}/eye", seed=seed)
    disc = np.array([15.2, 1.4]) + rng.normal(0, [0.5, 0.4])
    between = rng.choice([-1.0, 1.0]) * rng.uniform(0.12, 0.22)
    tortuosity = rng.uniform(0.15, 0.5)
    arteries, veins = (
        grow_tree(
            rng,
            disc,
            spread=1 + sign * between / 2,
            spacing=rng.uniform(2.7, 3.4),
            tip=tip,
            tortuosity=wound * tortuosity,
        )
        for sign, tip, wound in ((-1, 0.060, 0.8), (1, 0.076, 1.0))
    )
    disc_axes = np.array([2.55, 2.85]) * rng.normal(1, 0.05) * np.array([rng.normal(1, 0.03), 1])
    ill = _is_ill(split, index, seed)
    dots, lipid = _lesions(rng, disc, (arteries, veins)) if ill else (_NO_SPOTS, _NO_SPOTS)
    choroid, density = ground_texture(rng)
    return Eye(
        left=bool(rng.random() < 0.5),
        disc=disc,
        disc_axes=disc_axes,
        cup=float(rng.uniform(0.28, 0.55)),
        arteries=arteries,
        veins=veins,
        microaneurysms=dots,
        exudates=lipid,
        choroid=choroid,
        density=density,
        reflex=float(rng.uniform(0, 1)),
    )


_NO_SPOTS = Spots(np.zeros((0, 2)), np.zeros(0))


def _is_ill(split: str, index: int, seed: int) -> bool:
    """Every second eye from a random start, so that half of any split is ill."""
    start = int(noise_generator(f"fundus/{split}/illness", seed=seed).integers(2))
    return (index + start) % 2 == 1


def _lesions(
    rng: np.random.Generator, disc: Floats, trees: tuple[Tree, Tree]
) -> tuple[Spots, Spots]:
    """Dots and deposits of a diseased eye, clear of vessels, disc and each other."""
    vessels = cKDTree(np.concatenate([tree.position for tree in trees]))
    wanted = int(rng.integers(4, 13))
    dots = _place(rng, 40 * wanted, disc, vessels, clear=0.75)[:wanted]
    dots = _apart(dots, 1.2)
    radii = rng.uniform(0.22, 0.35, len(dots))
    centres, sizes = [np.zeros((0, 2))], [np.zeros(0)]
    if rng.random() < 0.8:
        for seat in _place(rng, 60, disc, vessels, clear=0.0)[: int(rng.integers(1, 4))]:
            # deposits lie on a part of a ring round a leaking vessel
            count, ring = int(rng.integers(3, 9)), rng.uniform(0.6, 1.8)
            angle = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 4.0, count)
            where = ring * rng.normal(1, 0.18, (count, 1))
            spots = seat + where * np.stack([np.cos(angle), np.sin(angle)], 1)
            lobes = 4
            size = np.exp(rng.normal(np.log(0.26), 0.35, count))[:, None]
            shift = rng.normal(0, 0.6, (count, lobes, 2)) * size[..., None]
            centres.append((spots[:, None] + shift).reshape(-1, 2))
            sizes.append((size * rng.uniform(0.5, 1.0, (count, lobes))).ravel())
    lipid = Spots(np.concatenate(centres), np.concatenate(sizes))
    if len(lipid.radius) and len(dots):
        gap = np.linalg.norm(dots[:, None] - lipid.centre, axis=-1) - lipid.radius
        free = gap.min(1) > 0.7
        dots, radii = dots[free], radii[free]
    outside = np.hypot(*(lipid.centre - disc).T) > 4.0
    return Spots(dots, radii), Spots(lipid.centre[outside], lipid.radius[outside])


def _place(
    rng: np.random.Generator, count: int, disc: Floats, vessels: cKDTree, *, clear: float
) -> Floats:
    """Random places round the macula, off the disc and off the fovea's middle."""
    angle, far = rng.uniform(0, 2 * np.pi, count), 13.0 * np.sqrt(rng.uniform(0, 1, count))
    spots = DOMAIN_CENTRE + far[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    good = (np.hypot(*(spots - disc).T) > 4.0) & (np.hypot(*spots.T) > 1.0)
    good &= vessels.query(spots)[0] > clear
    placed: Floats = spots[good]
    return placed


def _apart(spots: Floats, gap: float) -> Floats:
    """The spots that are not too near to an earlier one."""
    if not len(spots):
        return spots
    distance = np.linalg.norm(spots[:, None] - spots, axis=-1)
    early = np.tril(distance < gap, -1).any(1)
    return spots[np.flatnonzero(~early)]


def ground_texture(
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Choroidal vessels and density of melanin, both ``[CELLS, CELLS]``."""
    # contours of a smooth field are bands that wind, meet and part, as choroidal vessels do
    noise = _field(rng, 1.5 / CELL)
    choroid = np.exp(-((noise / 0.42) ** 2)) * 0.75 + 0.25 * np.exp(
        -((_field(rng, 0.9 / CELL) / 0.4) ** 2)
    )
    mottle = 0.02 * _field(rng, 0.25 / CELL) + 0.05 * _field(rng, 2.5 / CELL)
    return choroid.astype(np.float32), (1 + mottle).astype(np.float32)


def _field(rng: np.random.Generator, width: float) -> NDArray[np.float32]:
    """Smooth noise of unit spread."""
    noise = gaussian_filter(
        rng.standard_normal((CELLS, CELLS), dtype=np.float32), width, mode="wrap", truncate=3
    )
    result: NDArray[np.float32] = noise / noise.std()
    return result
