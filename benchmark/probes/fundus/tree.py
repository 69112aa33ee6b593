"""Growing a vessel tree: from the optic disc towards tissue that is not supplied yet.

Trunks leave the disc along the arcades, whose course in a healthy eye is close to a parabola with
the disc as its vertex (Foracchia, Grisan & Ruggeri, IEEE TMI 2004). From there branches grow by
space colonisation (Runions, Lane & Prusinkiewicz 2007): points of tissue attract the nearest end of
a vessel until it has come close enough. Calibres follow Murray's law from the ends to the root,

    r0^3 = r1^3 + r2^3     (Murray, PNAS 1926),

so where a vessel of a given calibre is depends on how much tissue lies behind it.

Everything is in degrees of visual angle on the retina of a right eye, x towards the nose, y up, the
fovea at the origin; one degree is about 0.29 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

#: Middle and radius of the part of the retina that gets vessels, degrees.
DOMAIN_CENTRE, DOMAIN_RADIUS = np.array([6.5, 0.3]), 22.0
#: Radius round the fovea without visible vessels.
AVASCULAR = 1.6

#: Length of a piece of vessel, and the distance at which a point of tissue counts as supplied.
_STEP, _REACHED = 0.6, 1.0
#: Branches of fewer pieces are left out.
_STUB = 3
#: How far tissue attracts, and how many steps each round of growth may take.
_ATTRACTION, _ROUNDS = 9.0, 60
_COARSENESS = (4.0, 2.2, 1.35, 1.0)
#: Weight of a vessel's own direction against the pull: branches leave at acute angles.
_INERTIA = 0.7


@dataclass(frozen=True)
class Tree:
    """Vessels of one kind as a forest of nodes; each node but a root ends a piece of vessel.

    Attributes:
        position: ``[N, 2]`` degrees.
        parent: ``[N]``, the node before; -1 for a root. Parents come before their children.
        radius: ``[N]`` degrees, of the piece that ends here.
    """

    position: Floats
    parent: NDArray[np.int64]
    radius: Floats

    @property
    def pieces(self) -> tuple[Floats, Floats, Floats]:
        """Starts ``[M, 2]``, ends ``[M, 2]`` and radii ``[M]`` of all pieces."""
        ends = np.flatnonzero(self.parent >= 0)
        return self.position[self.parent[ends]], self.position[ends], self.radius[ends]


def grow_tree(
    rng: np.random.Generator,
    disc: Floats,
    *,
    spread: float,
    spacing: float,
    tip: float,
    tortuosity: float,
) -> Tree:
    """Arteries or veins of one eye.

    Args:
        rng: of everything random.
        disc: middle of the optic disc, ``[2]`` degrees.
        spread: how far out the temporal arcades run, 1 on average; arteries and veins differ.
        spacing: between points of tissue, degrees; smaller gives more and finer vessels.
        tip: radius of the last visible vessels, degrees.
        tortuosity: amplitude of the vessels' winding, degrees.
    """
    growth = _Growth(*_trunks(rng, disc, spread))
    # sparse tissue first, so that a few branches go far and carry the others
    for coarseness in _COARSENESS:
        growth.colonise(_tissue(rng, disc, coarseness * spacing))
    position, parent = _pruned(growth.position, growth.parent)
    position = _wind(rng, _smooth(position, parent), disc, tortuosity)
    return Tree(position, parent, _calibres(parent, tip))


def _trunks(
    rng: np.random.Generator, disc: Floats, spread: float
) -> tuple[Floats, NDArray[np.int64]]:
    """The four great vessels: temporal and nasal, above and below."""
    positions: list[Floats] = []
    parents: list[NDArray[np.int64]] = []
    taken = 0
    for side, reach, opening, power in ((-1, 24.0, 1.95, 0.5), (1, 11.0, 1.2, 0.75)):
        for half in (1, -1):
            wide = opening * spread * rng.normal(1.0, 0.06)
            along = np.linspace(0, 1, 400) ** 2 * reach
            # beyond the fovea the arcades turn towards the horizontal raphe
            closing = 1 - 0.35 * np.clip((along - 13) / 11, 0, None) ** 2
            course = np.stack([side * along, half * wide * along**power * closing], 1)
            course += disc + rng.normal(0, 0.25, 2) + np.array([-0.3 * side, 0.25 * half])
            course = _resampled(course, _STEP)
            inside = np.hypot(*(course - DOMAIN_CENTRE).T) < DOMAIN_RADIUS
            course = course[: int(np.argmin(inside)) if not inside.all() else len(course)]
            positions.append(course)
            parents.append(np.concatenate([[-1], taken + np.arange(len(course) - 1)]))
            taken += len(course)
    return np.concatenate(positions), np.concatenate(parents).astype(np.int64)


def _resampled(course: Floats, step: float) -> Floats:
    """Points on a polyline at equal distances."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(course, axis=0).T))])
    where = np.arange(0, length[-1], step)
    return np.stack([np.interp(where, length, axis) for axis in course.T], 1)


def _tissue(rng: np.random.Generator, disc: Floats, spacing: float) -> Floats:
    """Points to be supplied, ``[T, 2]``: a jittered grid without the fovea and the disc."""
    line = np.arange(-DOMAIN_RADIUS, DOMAIN_RADIUS, spacing)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2) + DOMAIN_CENTRE
    points = grid + rng.uniform(0, spacing, grid.shape)
    inside = np.hypot(*(points - DOMAIN_CENTRE).T) < DOMAIN_RADIUS
    inside &= np.hypot(*points.T) > AVASCULAR
    inside &= np.hypot(*(points - disc).T) > 3.0
    tissue: Floats = points[inside]
    return tissue


@dataclass
class _Growth:
    """A forest that is still growing."""

    position: Floats
    parent: NDArray[np.int64]

    def __post_init__(self) -> None:
        before = np.where(self.parent < 0, np.arange(len(self.parent)), self.parent)
        self.heading = _unit(self.position - self.position[before])
        self.children = np.bincount(self.parent[self.parent >= 0], minlength=len(self.parent))

    def colonise(self, tissue: Floats) -> None:
        """Grow until all tissue that attracts is supplied; nodes have at most two children."""
        tissue = tissue[cKDTree(self.position).query(tissue)[0] > _REACHED]
        for _ in range(_ROUNDS):
            if not len(tissue):
                break
            # a root is hidden in the disc and does not branch
            able = np.flatnonzero((self.children < 2) & (self.parent >= 0))
            distance, nearest = cKDTree(self.position[able]).query(tissue)
            # each vessel goes for the nearest point that it is nearest to: a mean of several would
            # let those on both sides of a vessel cancel
            order = np.argsort(distance, kind="stable")
            _, first = np.unique(nearest[order], return_index=True)
            goal = order[first]
            goal = goal[distance[goal] < _ATTRACTION]
            growing = able[nearest[goal]]
            pull = _unit(tissue[goal] - self.position[growing])
            direction = _unit(pull + _INERTIA * self.heading[growing])
            fresh = self.position[growing] + _STEP * direction
            free = cKDTree(self.position).query(fresh)[0] > 0.4 * _STEP
            free &= np.hypot(*fresh.T) > AVASCULAR
            self._extend(fresh[free], growing[free], direction[free])
            reached = cKDTree(self.position).query(tissue)[0] <= _REACHED
            reached[goal[~free]] = True  # it would pull the same piece for ever
            reached |= distance >= _ATTRACTION
            tissue = tissue[~reached]

    def _extend(self, fresh: Floats, parent: NDArray[np.int64], heading: Floats) -> None:
        self.position = np.concatenate([self.position, fresh])
        self.parent = np.concatenate([self.parent, parent])
        self.heading = np.concatenate([self.heading, heading])
        self.children[parent] += 1
        self.children = np.concatenate([self.children, np.zeros(len(fresh), np.int64)])


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: Floats = vectors / np.maximum(length, 1e-9)
    return result


def _pruned(position: Floats, parent: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """The forest without stubs: ends that are shorter than :data:`_STUB` pieces."""
    count = np.bincount(parent[parent >= 0], minlength=len(parent))
    keep = np.ones(len(parent), bool)
    for end in np.flatnonzero(count == 0):
        chain: list[int] = []
        node = int(end)
        while parent[node] >= 0 and count[node] < 2 and len(chain) < _STUB:
            chain.append(node)
            node = int(parent[node])
        if len(chain) < _STUB and count[node] == 2:
            keep[chain] = False
            count[node] -= 1
    number = np.cumsum(keep) - 1
    parent = parent[keep]
    return position[keep], np.where(parent < 0, -1, number[parent])


def _smooth(position: Floats, parent: NDArray[np.int64], rounds: int = 4) -> Floats:
    """Take out the kinks of growth; roots and ends stay where they are."""
    inner = parent >= 0
    count = np.bincount(parent[inner], minlength=len(parent))
    free = inner & (count > 0)
    for _ in range(rounds):
        total = np.stack(
            [np.bincount(parent[inner], axis[inner], len(parent)) for axis in position.T], 1
        )
        middle = 0.5 * position[parent[free]] + 0.5 * total[free] / count[free, None]
        position = position.copy()
        position[free] = 0.5 * position[free] + 0.5 * middle
    return position


def _wind(rng: np.random.Generator, position: Floats, disc: Floats, amplitude: float) -> Floats:
    """Displace all vessels by one smooth field, which keeps their topology; none at the disc."""
    waves = 10
    wavelength = rng.uniform(3.0, 9.0, waves)
    angle = rng.uniform(0, 2 * np.pi, waves)
    wave = np.stack([np.cos(angle), np.sin(angle)]) * 2 * np.pi / wavelength
    phase = rng.uniform(0, 2 * np.pi, waves)
    push = rng.normal(0, amplitude / np.sqrt(waves / 2), (waves, 2))
    fade = np.clip(np.hypot(*(position - disc).T) / 4, 0, 1)[:, None]
    wound: Floats = position + fade * np.sin(position @ wave + phase) @ push
    return wound


def _calibres(parent: NDArray[np.int64], tip: float) -> Floats:
    """Radii by Murray's law from equal tips; a root has the radius of its trunk."""
    cubes = np.zeros(len(parent))
    has_child = np.zeros(len(parent), bool)
    has_child[parent[parent >= 0]] = True
    cubes[~has_child] = tip**3
    for node in range(len(parent) - 1, -1, -1):  # children come after their parents
        if parent[node] >= 0:
            cubes[parent[node]] += cubes[node]
    radii: Floats = np.cbrt(cubes)
    return radii
