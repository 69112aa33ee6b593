"""Simulated samples tables with a known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.fairness import AxisInfo, MetricInfo, Policy

QUICK = Policy(bootstrap=999, permutations=999)
TONE = AxisInfo("tone", "sensitive", ("light", "medium", "dark"))
LIGHT = AxisInfo("lighting", "context", ("bright", "dim"))
SCORE = MetricInfo("score", 1)
ERROR = MetricInfo("error", -1)
FOUND = MetricInfo("found", 1, kind="rate", ratio_scale=True)


@dataclass(frozen=True)
class World:
    """What is true of the people, the images and the systems that a table is drawn from."""

    clusters: int = 36
    nested: bool = False
    gap: float = 0.0
    dim: float = 0.0
    views: int = 2
    noise: float = 0.05
    systems: tuple[tuple[str, str, int], ...] = (("input", "", -1),)
    arm_effect: float = 0.0
    arm_effect_dark: float = 0.0
    seed_sd: float = 0.0
    seed: int = 0


def draw(world: World) -> pd.DataFrame:
    """One row per system, arm, seed and sample."""
    rng = np.random.default_rng(world.seed)
    person = rng.normal(0.6, 0.1, world.clusters)
    index = [
        (c, t, light, view)
        for c in range(world.clusters)
        for t in (TONE.levels if not world.nested else (TONE.levels[c % 3],))
        for light in LIGHT.levels
        for view in range(world.views)
    ]
    base = pd.DataFrame(index, columns=["c", "tone", "lighting", "view"])
    base["sample"] = [f"{c:03d}-{t}-{i}-{v}" for c, t, i, v in index]
    base["cluster"] = [f"p{c:03d}" for c in base["c"]]
    dark = (base["tone"] == "dark").to_numpy()
    truth = person[base["c"]] - world.gap * dark - world.dim * (base["lighting"] == "dim")
    frames = []
    for system, arm, seed in world.systems:
        moved = world.arm_effect + world.arm_effect_dark * dark if arm == "cals" else 0.0
        run = rng.normal(0, world.seed_sd)
        score = truth + moved + run + rng.normal(0, world.noise, len(base))
        frames.append(
            base.assign(
                system=system,
                arm=arm,
                seed=seed,
                status="ok",
                score=score,
                error=1 - score,
                found=(rng.random(len(base)) < np.clip(score + 0.2, 0, 1)).astype(float),
            )
        )
    return pd.concat(frames, ignore_index=True).drop(columns=["c", "view"])


ARMS = tuple(("curve", arm, seed) for arm in ("matched", "cals") for seed in range(3))
