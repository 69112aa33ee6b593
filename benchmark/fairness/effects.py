"""What an arm changes against its baseline, for everybody, every group and the gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.fairness import omnibus
from benchmark.fairness.arms import Paired
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import Codes, Partition
from benchmark.fairness.model import MetricInfo, Policy
from benchmark.fairness.moments import Moments, moments
from benchmark.fairness.resampling import Floats
from benchmark.fairness.sources import Source, margin, over_repetitions, p_value
from benchmark.fairness.spread import block_ranges, deficit_weights, extremes, rate_floor
from benchmark.fairness.study import Layout

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Effect:
    """The effect on one target in J metrics.

    Attributes:
        target: group name, overall, gap, range, v_dc or worst.
        kind: group, overall, gap, range, v_dc or worst.
        value: ``[J]`` arm minus baseline.
        low, high: ``[J]`` its interval; for one run it covers other people, not other runs.
        p: ``[J]`` its p-value.
        n: ``[J]`` clusters behind it.
        runs: ``[J]`` training runs behind it.
    """

    target: str
    kind: str
    value: Floats
    low: Floats
    high: Floats
    p: Floats
    n: Floats
    runs: Floats


@dataclass(frozen=True)
class _Setting:
    """What is fixed by the baseline before the arm is looked at."""

    layout: Layout
    parts: Partition
    direction: Floats
    rate: Mask
    eligible: Mask
    worst: Codes
    best: Codes
    weights: Floats

    def repeated(self, times: int) -> _Setting:
        """The same for ``times`` stacked copies of the columns."""
        return _Setting(
            self.layout,
            self.parts,
            np.tile(self.direction, times),
            np.tile(self.rate, times),
            np.tile(self.eligible, (1, times)),
            np.tile(self.worst, times),
            np.tile(self.best, times),
            np.tile(self.weights, (1, times)),
        )


@dataclass(frozen=True)
class Change:
    """Change from a baseline on T targets in J metrics, with what makes it uncertain.

    Attributes:
        targets, kinds: as in :class:`Effect`.
        value: ``[T, J]`` arm minus baseline.
        sources: sources of its error: other clusters, and other training runs if there are several.
        n: ``[T, J]`` clusters behind it.
        runs: ``[T, J]`` training runs in which all that it compares was measured.
        worst, best: ``[J]`` the baseline's worst and best group, -1 without one.
        eligible: ``[K, J]`` groups that may be compared.
        before, after, difference: moments of the paired cells.
    """

    targets: tuple[str, ...]
    kinds: tuple[str, ...]
    value: Floats
    sources: tuple[Source, ...]
    n: Floats
    runs: Floats
    worst: Codes
    best: Codes
    eligible: Mask
    before: Moments
    after: Moments
    difference: Moments


def comparison_effects(
    layout: Layout,
    boot: Bootstrap,
    data: Paired,
    info: Sequence[MetricInfo],
    policy: Policy,
) -> tuple[list[Effect], Codes, Codes]:
    """All effects of one comparison on one axis.

    Returns:
        The effects, and the baseline's worst and best group in every metric (-1 without one).
    """
    found = change(layout, boot, data, info, policy)
    reach, p = margin(found.sources, policy.alpha), p_value(found.value, found.sources)
    effects = []
    for row, (name, kind) in enumerate(zip(found.targets, found.kinds, strict=True)):
        value = found.value[row]
        low, high = value - reach[row], value + reach[row]
        n, runs = found.n[row], found.runs[row]
        effects.append(Effect(name, kind, value, low, high, p[row], n, runs))
    return effects, found.worst, found.best


def change(
    layout: Layout,
    boot: Bootstrap,
    data: Paired,
    info: Sequence[MetricInfo],
    policy: Policy,
) -> Change:
    """What changed, for every group and, on axes whose groups are compared, between them."""
    arm, baseline = data.pooled()
    before, after = moments(boot.parts, baseline), moments(boot.parts, arm)
    setting = _setting(layout, boot.parts, before, info, policy)
    difference = moments(boot.parts, arm - baseline)
    value = _smooth(difference, setting)
    made = _runs(data, setting)
    seeds, runs = _seed_error(data, setting, made), made.sum(axis=1).astype(np.float64)
    errors = _cluster_error(difference, setting)
    names = ["overall"] if layout.role == "overall" else list(layout.names)
    kinds = [("overall" if layout.role == "overall" else "group")] * len(names)
    n = [*difference.n]
    if layout.role in ("sensitive", "crossing"):
        names += ["gap", "range", "v_dc", "worst"]
        kinds += ["gap", "range", "v_dc", "worst"]
        jumps = _jumpy(before, after, setting)
        value = np.concatenate([value, jumps])
        resampled = _resampled_error(
            boot, arm=arm, baseline=baseline, before=before, after=after, setting=setting
        )
        errors = Source(
            np.concatenate([errors.se, resampled.se]), np.concatenate([errors.df, resampled.df])
        )
        fewest = np.where(setting.eligible, difference.n, np.inf).min(axis=0)
        n += [np.where(np.isfinite(fewest), fewest, 0.0)] * 4
    else:
        value, errors = value[:-1], Source(errors.se[:-1], errors.df[:-1])
        seeds = Source(seeds.se[: len(value)], seeds.df[: len(value)])
        runs = runs[: len(value)]
    return Change(
        tuple(names),
        tuple(kinds),
        value,
        (errors, seeds) if data.n_seeds > 1 else (errors,),
        np.stack(n),
        runs,
        setting.worst,
        setting.best,
        setting.eligible,
        before,
        after,
        difference,
    )


def _setting(
    layout: Layout, parts: Partition, before: Moments, info: Sequence[MetricInfo], policy: Policy
) -> _Setting:
    direction = np.array([m.direction for m in info], dtype=np.float64)
    eligible = layout.compared[:, None] & (before.n >= policy.n_min)
    ends = extremes(before.mean * direction, before.scale, eligible, layout)
    weights = deficit_weights(eligible, layout)
    j = np.arange(len(direction))
    pinned = np.where(ends.worst >= 0, weights[np.maximum(ends.worst, 0), :, j].T, 0.0)
    rate = np.array([m.kind == "rate" for m in info], dtype=bool)
    return _Setting(
        layout, parts, direction, rate, eligible, ends.worst, ends.best, pinned * direction
    )


def _smooth(change: Moments, setting: _Setting) -> Floats:
    """``[K + 1, J]`` linear targets: change of every group mean, then of the pinned deficit."""
    used = setting.weights != 0
    gap = np.where(used, setting.weights * change.mean, 0.0).sum(axis=0)
    return np.concatenate([change.mean, np.where(used.any(axis=0), gap, np.nan)[None]])


def _jumpy(before: Moments, after: Moments, setting: _Setting) -> Floats:
    """``[3, J]`` change of range, V_dc and worst group mean, each recomputed in either arm."""
    one, two = (_summaries(m.mean, setting) for m in (before, after))
    block, eligible = setting.layout.block, setting.eligible
    noise = [omnibus.noise_variance(m.covariance(), eligible, block) for m in (before, after)]
    two[1] -= noise[1] - noise[0]
    changed: Floats = two - one
    return changed


def _summaries(means: Floats, setting: _Setting) -> Floats:
    """``[3, ..., J]`` range, visible variance and worst mean (in the metric's own units)."""
    eligible, layout = setting.eligible, setting.layout
    ranges = np.fmax.reduce(block_ranges(means, eligible, layout), axis=-2)
    s2 = omnibus.visible_variance(means, eligible, layout.block)
    lowest = np.where(eligible, means * setting.direction, np.inf).min(axis=-2)
    comparable = np.isfinite(ranges)
    worst = np.where(comparable, lowest * setting.direction, np.nan)
    return np.stack([ranges, np.where(comparable, s2, np.nan), worst])


def _runs(data: Paired, setting: _Setting) -> Mask:
    """``[T, R, J]`` the training runs that a target can be told from.

    A run whose training failed measured nothing, and one may have missed a whole group: a run
    counts for a contrast if it measured every group that the contrast compares.
    """
    k, j = setting.eligible.shape
    pairs = np.zeros((k, data.n_seeds, j))
    np.add.at(pairs, setting.parts.cell_group, data.counts)
    measured = pairs > 0
    pinned = (measured | (setting.weights == 0)[:, None]).all(axis=0)
    compared: Mask = np.all(measured | ~setting.eligible[:, None], axis=0)
    return np.concatenate([measured, pinned[None], np.repeat(compared[None], 3, axis=0)])


def _seed_error(data: Paired, setting: _Setting, made: Mask) -> Source:
    """Error due to training runs, by the jackknife over seeds; for linear targets its
    pseudo-values are the effects of the single runs."""
    rows, r, j = made.shape
    if r < 2:  # without it nothing is left
        return Source(np.zeros((rows, j)), np.ones((rows, j)))
    arm, baseline = data.without_each()
    stacked = setting.repeated(r)
    change = moments(setting.parts, arm - baseline)
    parts = [_smooth(change, stacked)]
    before, after = moments(setting.parts, baseline), moments(setting.parts, arm)
    parts.append(_jumpy(before, after, stacked))
    left_out = np.concatenate(parts).reshape(rows, r, j)
    # the standard deviation of pseudo-values is (R - 1) times that of the values themselves
    factor = made.sum(axis=1, keepdims=True) - 1.0
    return over_repetitions(np.where(made, factor * left_out, np.nan), axis=1)


def _cluster_error(change: Moments, setting: _Setting) -> Source:
    """Error of the linear targets due to clusters, from their covariance."""
    k, j = change.mean.shape
    se, df = [], []
    for group in range(k + 1):
        weights = setting.weights
        if group < k:
            weights = np.zeros((k, j))
            weights[group] = 1.0
        _, error, freedom = change.contrast(weights)
        se.append(np.sqrt(error**2 + rate_floor(change, weights, setting.rate)))
        df.append(np.where(np.isfinite(freedom), freedom, 1.0))
    return Source(np.stack(se), np.stack(df))


def _resampled_error(
    boot: Bootstrap,
    *,
    arm: Floats,
    baseline: Floats,
    before: Moments,
    after: Moments,
    setting: _Setting,
) -> Source:
    """Error of range, V_dc and worst due to clusters: both arms resampled with the same draws."""
    summaries = []
    for values, estimate in ((baseline, before), (arm, after)):
        n = np.maximum(estimate.n, 2.0)
        delta = boot.run(values, estimate).delta * np.sqrt(n / (n - 1))
        delta += np.where(np.isfinite(estimate.mean), estimate.mean, 0.0)
        summaries.append(_summaries(delta, setting))
    se = (summaries[1] - summaries[0]).std(axis=1)
    fewest = np.where(setting.eligible, before.n, np.inf).min(axis=0)
    df = np.where(np.isfinite(fewest), fewest - 1, 1.0)
    return Source(se, np.broadcast_to(df, se.shape))
