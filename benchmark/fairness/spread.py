"""How far group means lie apart, and what of it could be chance; arrays, not yet tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.fairness import omnibus
from benchmark.fairness.cells import Codes
from benchmark.fairness.estimates import Estimates
from benchmark.fairness.intervals import percentile
from benchmark.fairness.model import Policy
from benchmark.fairness.moments import ROUNDING, Moments
from benchmark.fairness.power import detectable
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Layout

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Extremes:
    """The block with the widest range, and the groups at its ends; ``[J]`` each.

    Attributes:
        gap: the range there, NaN where no block has two eligible groups.
        worst: code of its worst group, -1 without one.
        best: code of its best group, -1 without one.
    """

    gap: Floats
    worst: Codes
    best: Codes


@dataclass(frozen=True)
class Spread:
    """The gap and its uncertainty; ``[J]`` unless said otherwise.

    Attributes:
        extremes: the gap and who is at its ends.
        ranges: ``[S, J]`` range in every block.
        null_mean, null_p95: the range that groups with equal means and this scatter would show.
        null_ranges: ``[S, J]`` its mean in every block.
        pinned, low, high: the worst group's deficit against the mean of the others of its block,
            positive if it is behind, with an interval that allows for having picked the worst.
        mde: detectable deficit of the worst group.
        contrast_mde: ``[K, J]`` detectable deficit of every group.
        worst_frequency: ``[K, J]`` share of replicates in which the group is the worst.
        s2, noise: visible variance between groups and its expected noise.
        v_dc, v_dc_low, v_dc_high: S2 less noise, untruncated, with its interval.
        to_overall: largest distance of a group from the mean of all clusters outside it.
        deficits: ``[K, J]`` deficit of every group against the mean of the others of its block.
        ratio: smallest over largest mean of the widest block; NaN unless on a ratio scale.
    """

    extremes: Extremes
    ranges: Floats
    null_mean: Floats
    null_p95: Floats
    null_ranges: Floats
    pinned: Floats
    low: Floats
    high: Floats
    mde: Floats
    contrast_mde: Floats
    worst_frequency: Floats
    s2: Floats
    noise: Floats
    v_dc: Floats
    v_dc_low: Floats
    v_dc_high: Floats
    to_overall: Floats
    ratio: Floats
    deficits: Floats


def spread(found: Estimates, policy: Policy) -> Spread:
    """Measure the spread of the eligible group means of every column."""
    layout, eligible, m = found.layout, found.eligible, found.moments
    direction, block = found.columns.direction, layout.block
    oriented = m.mean * direction
    ends = extremes(oriented, m.scale, eligible, layout)
    noise_delta = found.null_delta
    null = block_ranges(noise_delta, eligible, layout)
    moved = oriented + noise_delta * direction
    weights = deficit_weights(eligible, layout) * direction
    critical = _critical_value(noise_delta * direction, eligible, layout, policy.alpha)
    value, se, df = _contrasts(m, weights, found.columns.rate)
    tail = stats.norm.sf(critical)
    margin = stats.t.isf(tail, df) * se
    mde = detectable(se, df, alpha=policy.alpha, power=policy.power)
    at = (np.maximum(ends.worst, 0), np.arange(len(ends.worst)))
    there = ends.worst >= 0

    def worst_of(x: Floats) -> Floats:
        return np.where(there, x[at], np.nan)

    s2 = omnibus.visible_variance(m.mean, eligible, block)
    s2 = np.where(s2 <= (ROUNDING * m.scale) ** 2, 0.0, s2)
    noise = omnibus.noise_variance(m.covariance(), eligible, block)
    resampled = omnibus.visible_variance(moved, eligible, block) - 2 * noise
    some = np.isfinite(s2)
    v_low, v_high = percentile(np.where(some, resampled, 0.0), level=1 - policy.alpha)
    widest = _widest(null)
    return Spread(
        extremes=ends,
        ranges=block_ranges(oriented, eligible, layout),
        null_mean=np.where(there, widest.mean(axis=0), np.nan),
        null_p95=np.where(there, np.quantile(widest, 0.95, axis=0), np.nan),
        null_ranges=null.mean(axis=0),
        pinned=worst_of(value),
        low=worst_of(value - margin),
        high=worst_of(value + margin),
        mde=worst_of(mde),
        contrast_mde=mde,
        worst_frequency=worst_frequency(moved, m.scale, eligible, layout),
        s2=s2,
        noise=noise,
        v_dc=s2 - noise,
        v_dc_low=np.where(some, v_low, np.nan),
        v_dc_high=np.where(some, v_high, np.nan),
        to_overall=_to_overall(m, eligible, layout),
        ratio=_ratio(found, ends),
        deficits=value,
    )


def block_ranges(means: Floats, eligible: Mask, layout: Layout) -> Floats:
    """``[..., S, J]`` largest less smallest eligible mean; NaN in a block with fewer than two."""
    out = []
    for block in range(layout.n_blocks):
        groups = layout.block == block
        use, part = eligible[groups], means[..., groups, :]
        top = np.where(use, part, -np.inf).max(axis=-2, initial=-np.inf)
        bottom = np.where(use, part, np.inf).min(axis=-2, initial=np.inf)
        with np.errstate(invalid="ignore"):
            out.append(np.where(use.sum(axis=0) >= 2, top - bottom, np.nan))
    return np.stack(out, axis=-2)


def extremes(oriented: Floats, scale: Floats, eligible: Mask, layout: Layout) -> Extremes:
    """The widest block and its ends; equal means are told apart by name, not by position."""
    ranges = block_ranges(oriented, eligible, layout)
    j = oriented.shape[1]
    gap = np.fmax.reduce(ranges, axis=0, initial=np.nan)
    worst, best = np.full(j, -1), np.full(j, -1)
    by_name = np.array(sorted(range(len(layout.names)), key=lambda g: layout.names[g]))
    for column in np.flatnonzero(np.isfinite(gap)):
        tie = ROUNDING * scale[column]
        blocks = np.flatnonzero(ranges[:, column] >= gap[column] - tie)
        block = min(blocks, key=lambda s: layout.block_names[s])
        groups = by_name[(eligible[:, column] & (layout.block == block))[by_name]]
        u = oriented[groups, column]
        worst[column] = groups[np.argmax(u <= u.min() + tie)]
        best[column] = groups[len(groups) - 1 - np.argmax((u >= u.max() - tie)[::-1])]
    gap = np.where(gap <= ROUNDING * scale, 0.0, gap)
    return Extremes(gap, worst, best)


def worst_frequency(means: Floats, scale: Floats, eligible: Mask, layout: Layout) -> Floats:
    """``[K, J]`` share of the ``[B, K, J]`` replicates in which a group is the worst of the widest
    block; ties are shared. NaN for groups that are not compared."""
    ranges = block_ranges(means, eligible, layout)
    tie = ROUNDING * scale
    with np.errstate(invalid="ignore"):
        widest = ranges >= _widest(ranges)[:, None] - tie
    share = widest / np.maximum(widest.sum(axis=1, keepdims=True), 1)
    out = np.full(eligible.shape, np.nan)
    for block in range(layout.n_blocks):
        groups = np.flatnonzero(layout.block == block)
        part = np.where(eligible[groups], means[:, groups], np.inf)
        with np.errstate(invalid="ignore"):
            lowest = part <= part.min(axis=1, keepdims=True, initial=np.inf) + tie
        lowest &= eligible[groups]
        each = lowest / np.maximum(lowest.sum(axis=1, keepdims=True), 1)
        out[groups] = np.einsum("bj,bgj->gj", share[:, block], each) / len(means)
    compared = eligible & np.isfinite(np.fmax.reduce(ranges[0], axis=0, initial=np.nan))
    return np.where(compared, out, np.nan)


def deficit_weights(eligible: Mask, layout: Layout) -> Floats:
    """``[K, K, J]``: row g holds the contrast "mean of the others of its block minus group g"."""
    k, j = eligible.shape
    weights = np.zeros((k, k, j))
    for block in range(layout.n_blocks):
        use = (eligible & (layout.block == block)[:, None]).astype(np.float64)
        count = use.sum(axis=0)
        rest = use / np.maximum(count - 1, 1)
        for group in np.flatnonzero(layout.block == block):
            row = np.where((use[group] > 0) & (count >= 2), rest, 0.0)
            row[group] = np.where((use[group] > 0) & (count >= 2), -1.0, 0.0)
            weights[group] = row
    return weights


def rate_floor(m: Moments, weights: Floats, rate: Mask) -> Floats:
    """``[J]`` variance to add to a contrast of rates for groups that are all 0 or all 1.

    No scatter in n clusters does not mean no uncertainty: the adjustment 1/(n+2)^2 is that of
    Agresti and Min (2005) for a table without discordant pairs.
    """
    flat = rate & (m.sd == 0) & (weights != 0)
    added: Floats = np.where(flat, weights**2 / (np.nan_to_num(m.n) + 2) ** 2, 0.0).sum(axis=0)
    return added


def _contrasts(m: Moments, weights: Floats, rate: Mask) -> tuple[Floats, Floats, Floats]:
    """Value, standard error and degrees of freedom ``[K, J]`` of ``weights[K, K, J]``."""
    rows = []
    for row in weights:
        value, se, df = m.contrast(row)
        absent = ~row.any(axis=0)
        se = np.where(absent, np.nan, np.sqrt(se**2 + rate_floor(m, row, rate)))
        rows.append((np.where(absent, np.nan, value), se, np.where(absent, 1.0, df)))
    value, se, df = (np.stack(part) for part in zip(*rows, strict=True))
    return value, se, df


def _critical_value(delta: Floats, eligible: Mask, layout: Layout, alpha: float) -> Floats:
    """``[J]`` normal quantile that covers all groups' deficits at once, from their replicates."""
    k = [(eligible & (layout.block == b)[:, None]).sum(axis=0) for b in range(layout.n_blocks)]
    several = np.stack(k)[layout.block] >= 2
    deficit = np.abs(omnibus.centred(delta, eligible, layout.block))
    sd = np.sqrt((deficit**2).mean(axis=0))
    use = several & eligible & (sd > 0)
    deficit /= np.where(use, sd, np.inf)
    critical = np.quantile(deficit.max(axis=1, initial=0.0), 1 - alpha, axis=0)
    wide: Floats = np.maximum(critical, stats.norm.isf(alpha / 2))
    return wide


def _to_overall(m: Moments, eligible: Mask, layout: Layout) -> Floats:
    out = np.full(eligible.shape[1], np.nan)
    total = np.where(eligible, m.mean * m.n, 0.0)
    for group, block in enumerate(layout.block):
        others = eligible & (layout.block == block)[:, None]
        others[group] = False
        n = np.where(others, m.n, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rest = np.where(others, total, 0.0).sum(axis=0) / n
            distance = np.where(eligible[group], np.abs(m.mean[group] - rest), np.nan)
        out = np.fmax(out, distance)
    return out


def _ratio(found: Estimates, ends: Extremes) -> Floats:
    ratio = np.full(len(ends.worst), np.nan)
    mean = found.moments.mean
    for column, (worst, best) in enumerate(zip(ends.worst, ends.best, strict=True)):
        if worst >= 0 and found.columns.info[found.columns.metric[column]].ratio_scale:
            low, high = sorted((mean[worst, column], mean[best, column]))
            if high > 0:
                ratio[column] = low / high
    return ratio


def _widest(ranges: Floats) -> Floats:
    """``[..., J]`` largest of the ``[..., S, J]`` ranges, NaN where there is none."""
    largest: Floats = np.fmax.reduce(ranges, axis=-2)
    return largest
