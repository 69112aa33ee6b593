"""How often the gate is wrong: simulated pairs of runs with and without a planted loss.

Every pair is a column that is judged as a gate of its own by the very code that judges real runs,
so a thousand pairs cost seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness.arms import Paired
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import Partition, partition
from benchmark.fairness.gate import losses, verdicts
from benchmark.fairness.intervals import wilson
from benchmark.fairness.model import MetricInfo
from benchmark.fairness.resampling import Floats, stream
from benchmark.fairness.study import Layout
from benchmark.spec.gate import GatePolicy, Margin

#: What the suite promises for a planted loss of half a decibel at fifty clusters a group.
LARGEST_FALSE_BLOCKS, SMALLEST_DETECTION = 0.01, 0.90

_PAIRS_AT_A_TIME = 200
_METRIC = "psnr"


@dataclass(frozen=True)
class World:
    """Where the simulated runs come from.

    Attributes:
        groups: number of groups; the baseline's means are equal up to ``spread``.
        clusters: clusters in each.
        design: ``nested`` (each cluster in one group) or ``crossed`` (every cluster in all).
        difficulty: standard deviation between clusters that both runs share, dB.
        noise: standard deviation of what each run adds by itself, dB.
        spread: standard deviation of the true group means, dB.
        items: pictures of a cluster in a group; only for rates.
        rate: simulate outcomes 0/1 of this mean in place of decibels; None for values.
    """

    groups: int = 7
    clusters: int = 50
    design: Literal["nested", "crossed"] = "nested"
    difficulty: float = 3.0
    noise: float = 0.5
    spread: float = 0.0
    items: int = 4
    rate: float | None = None


@dataclass(frozen=True)
class Rates:
    """Shares of simulated pairs, each with a 95 % Wilson interval.

    Attributes:
        pairs: how many were simulated.
        blocked, passed: share with the verdict fail, and with nothing but passes.
        blocked_interval: of ``blocked``.
        by_mean: what a threshold would block: a group's mean is down by more than the harm margin.
        by_gap: the same of the range between group means, up by more than the margin.
    """

    pairs: int
    blocked: float
    blocked_interval: tuple[float, float]
    passed: float
    by_mean: float = float("nan")
    by_gap: float = float("nan")


def simulate(
    world: World,
    *,
    loss: float,
    victim: Literal["random", "worst", "all"] = "random",
    margin: Margin | None = None,
    pairs: int = 1000,
    replicates: int = 500,
    seed: int = 0,
) -> Rates:
    """Count how often a gate blocks and how often it passes.

    Args:
        world: where the pairs come from.
        loss: taken from one group of the candidate, in the metric's unit; 0 for no change.
        victim: which group loses.
        margin: of the metric; 0.1 and 0.3 dB if None.
        pairs: how many pairs.
        replicates: of the bootstrap inside a gate.
        seed: fixes the result.
    """
    policy = GatePolicy(
        format=1,
        metrics={_METRIC: margin or Margin(harm=0.1, non_inferior=0.3)},
        axes=["group"],
        replicates=replicates,
    )
    parts = _parts(world)
    layout = Layout(
        axis="group",
        role="sensitive",
        names=parts.names,
        level=np.arange(world.groups),
        block=np.zeros(world.groups, dtype=np.int64),
        block_names=("",),
        compared=np.ones(world.groups, dtype=bool),
    )
    kind: Literal["value", "rate"] = "value" if world.rate is None else "rate"
    info = MetricInfo(_METRIC, 1, kind=kind)
    rng, boot = stream(seed, "gate", world.design, kind, victim), Bootstrap(parts, seed, replicates)
    blocked = passed = 0
    by_threshold = np.zeros(2)
    for start in range(0, pairs, _PAIRS_AT_A_TIME):
        j = min(_PAIRS_AT_A_TIME, pairs - start)
        baseline, candidate = _draw(rng, world, parts, j, loss=loss, victim=victim)
        data = Paired(
            (-1,), candidate[:, None], baseline[:, None], np.ones((len(baseline), 1, j)), np.ones(j)
        )
        found = losses(layout, boot, data, [info] * j, policy)
        said = np.array(verdicts(found, found.adjusted(), policy))
        blocked += int((said == "fail").any(axis=0).sum())
        passed += int((said == "pass").all(axis=0).sum())
        harm = policy.metrics[_METRIC].harm
        by_threshold += _thresholds(parts, baseline, candidate, harm).sum(axis=1)
    low, high = wilson(np.array(blocked / pairs), np.array(float(pairs)))
    by_mean, by_gap = (by_threshold / pairs).tolist()
    interval = float(low), float(high)
    return Rates(pairs, blocked / pairs, interval, passed / pairs, by_mean, by_gap)


def _thresholds(
    parts: Partition, baseline: Floats, candidate: Floats, harm: float
) -> NDArray[np.bool_]:
    """``[2, j]`` what two gates without statistics block: any mean down, the range up."""
    before, after = np.zeros((2, parts.n_groups, baseline.shape[1]))
    size = np.bincount(parts.cell_group)[:, None]
    np.add.at(before, parts.cell_group, baseline / size[parts.cell_group])
    np.add.at(after, parts.cell_group, candidate / size[parts.cell_group])
    down = (before - after > harm).any(axis=0)
    return np.stack([down, np.ptp(after, axis=0) - np.ptp(before, axis=0) > harm])


def _parts(world: World) -> Partition:
    groups = np.repeat(np.arange(world.groups), world.clusters)
    crossed = np.tile(np.arange(world.clusters), world.groups)
    clusters = crossed if world.design == "crossed" else np.arange(len(groups))
    names = tuple(f"g{number}" for number in range(world.groups))
    return partition(groups.astype(np.int64), clusters.astype(np.int64), names)


def _draw(
    rng: np.random.Generator, world: World, parts: Partition, j: int, *, loss: float, victim: str
) -> tuple[Floats, Floats]:
    """``[M, j]`` cell means of both runs."""
    people = int(parts.cell_cluster.max()) + 1
    centre = rng.normal(size=(world.groups, j)) * world.spread
    hit = np.zeros((world.groups, j))
    if victim == "all":
        hit[:] = loss
    else:
        who = centre.argmin(axis=0) if victim == "worst" else rng.integers(world.groups, size=j)
        hit[who, np.arange(j)] = loss
    own = rng.normal(size=(people, j))[parts.cell_cluster]
    if world.rate is not None:
        return _outcomes(rng, world, own, hit[parts.cell_group])
    shared = own * world.difficulty + centre[parts.cell_group]
    first, second = (rng.normal(size=shared.shape) * world.noise for _ in range(2))
    return shared + first, shared + second - hit[parts.cell_group]


def _outcomes(
    rng: np.random.Generator, world: World, own: Floats, hit: Floats
) -> tuple[Floats, Floats]:
    """Shares of ``items`` yes-or-no outcomes; a twentieth of the pictures flips by itself."""
    assert world.rate is not None
    chance = np.clip(world.rate + 0.15 * own, 0.02, 0.98)[None]
    before = rng.random((world.items, *own.shape)) < chance
    flipped = rng.random(before.shape) < 0.05
    after = np.where(flipped, rng.random(before.shape) < chance, before)
    # the loss takes yes away from as many pictures as it takes to lower the mean by it
    share = np.clip(hit / chance.mean(axis=(0, 1)), 0, 1)
    after &= rng.random(before.shape) >= share
    return before.mean(axis=0), after.mean(axis=0)
