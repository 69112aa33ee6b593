"""Is a change a regression for somebody? One-sided, paired, clustered tests against margins.

Three verdicts for every metric and group (metrics specification, section 7):

* **fail**: the Holm-adjusted test rejects "the group lost at most ``harm``";
* **pass**: the one-sided confidence bound shows that it lost less than ``non_inferior``;
* **inconclusive**: neither, with the number of clusters that would decide.

Beside the groups stand three hypotheses about what lies between them. The *gap* is the contrast
that the baseline pins (its worst group against the mean of the others), compared as a difference
in differences, so that no new worst group has to be picked. *V_dc*, the variance between groups
less its noise, sees any other rearrangement; its margins are what it grows by when the standard
deviation between groups grows by the metric's margin. *Levelled down* is a gap that shrank because
its best group fell while nothing shows that the worst one rose.

Everything is an array over J columns, so one call judges all metrics of a system and the
simulations of ``benchmarks/gate.py`` judge a thousand pairs with the very same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.fairness import omnibus
from benchmark.fairness.adjust import holm
from benchmark.fairness.arms import Paired
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.effects import Change, change
from benchmark.fairness.intervals import effective_n, wilson
from benchmark.fairness.model import MetricInfo, Policy
from benchmark.fairness.moments import Moments
from benchmark.fairness.resampling import Floats
from benchmark.fairness.sources import Source, margin, p_value
from benchmark.fairness.spread import deficit_weights
from benchmark.fairness.study import Layout
from benchmark.spec.gate import GatePolicy

Verdict = Literal["pass", "fail", "inconclusive"]
Kind = Literal["group", "gap", "v_dc", "levelled_down"]


@dataclass(frozen=True)
class Losses:
    """What T targets lost in J metrics; positive is harm whatever the metric's direction.

    Attributes:
        targets: names of the groups, then ``gap``, ``v_dc`` and ``levelled_down``.
        kinds: what they are.
        before, after: ``[T, J]`` their values in the metric's own direction.
        loss: ``[T, J]`` what was lost.
        low, high: ``[T, J]`` one-sided confidence bounds of the loss.
        harm, allowed: ``[T, J]`` the margins.
        p: ``[T, J]`` of "lost at most ``harm``"; NaN where nothing can be tested.
        n, sd: ``[T, J]`` clusters behind it and the scatter that each contributes.
        runs: ``[T, J]`` whether training runs differ more than clusters let one know: then more
            clusters decide nothing.
    """

    targets: tuple[str, ...]
    kinds: tuple[Kind, ...]
    before: Floats
    after: Floats
    loss: Floats
    low: Floats
    high: Floats
    harm: Floats
    allowed: Floats
    p: Floats
    n: Floats
    sd: Floats
    runs: NDArray[np.bool_]

    def adjusted(self) -> Floats:
        """``[T, J]`` Holm-adjusted inside each column, for columns that are gates of their own."""
        columns = [adjusted(column[:, None], self.kinds) for column in self.p.T]
        return np.concatenate(columns, axis=1)


def adjusted(p: Floats, kinds: Sequence[Kind]) -> Floats:
    """``[T, J]`` Holm-adjusted p-values of one system.

    The groups of all metrics are one family; what lies between groups is another, so that asking
    about gaps costs the groups no power (at 7 groups it would cost three points of detection).
    """
    out = np.full(p.shape, np.nan)
    group = np.array([kind == "group" for kind in kinds])
    for family in (group, ~group):
        out[family] = holm(p[family].ravel()).reshape(p[family].shape)
    return out


def engine_policy(policy: GatePolicy) -> Policy:
    """The thresholds as the engine knows them."""
    return Policy(
        n_min=policy.n_min,
        n_full=max(policy.n_min, 30),
        alpha=policy.alpha,
        power=policy.power,
        bootstrap=policy.replicates,
    )


def losses(
    layout: Layout,
    boot: Bootstrap,
    data: Paired,
    info: Sequence[MetricInfo],
    policy: GatePolicy,
) -> Losses:
    """Compare the candidate (the arm of ``data``) with its baseline on one axis.

    Args:
        layout: the groups, all of one block, with the role ``sensitive``.
        boot: draws of their partition.
        data: paired cells.
        info: the J metrics; their names are keys of ``policy.metrics``.
        policy: margins and levels.
    """
    found = change(layout, boot, data, info, engine_policy(policy))
    k, direction = len(layout.names), np.array([m.direction for m in info], dtype=np.float64)
    rows = [*range(k), found.kinds.index("gap"), found.kinds.index("v_dc")]
    sources = tuple(Source(s.se[rows], s.df[rows]) for s in found.sources)
    loss, n = found.value[rows], found.n[rows]
    loss[:k] *= -direction
    harm, allowed = (
        np.tile([getattr(policy.metrics[m.name], name) for m in info], (k + 2, 1))
        for name in ("harm", "non_inferior")
    )
    before, after = (_levels(m, found, layout, direction) for m in (found.before, found.after))
    base = np.sqrt(np.maximum(before[k + 1], 0.0))
    harm[k + 1], allowed[k + 1] = ((base + one[k + 1]) ** 2 - base**2 for one in (harm, allowed))
    tested = (n >= policy.n_min) & np.isfinite(loss)
    p = np.where(tested, _exceeds(loss, harm, sources), np.nan)
    reach = margin(sources, 2 * policy.alpha)
    se, *of_runs = (source.se for source in sources)
    runs = of_runs[0] > se if of_runs else np.zeros(se.shape, dtype=bool)
    groups: list[Kind] = ["group"] * k
    kinds: tuple[Kind, ...] = (*groups, "gap", "v_dc")
    measured = Losses(
        (*layout.names, "gap", "v_dc"),
        kinds,
        before, after, loss, loss - reach, loss + reach, harm, allowed, p, n, se * np.sqrt(n), runs,
    )  # fmt: skip
    return _with_guard(measured, found, sources)


def _levels(m: Moments, found: Change, layout: Layout, direction: Floats) -> Floats:
    """``[K + 2, J]`` group means, deficit of the pinned worst group, V_dc."""
    weights = deficit_weights(found.eligible, layout)
    j = np.arange(m.mean.shape[1])
    pinned = weights[np.maximum(found.worst, 0), :, j].T * direction
    deficit = np.where(pinned != 0, pinned * m.mean, 0.0).sum(axis=0)
    s2 = omnibus.visible_variance(m.mean, found.eligible, layout.block)
    noise = omnibus.noise_variance(m.covariance(), found.eligible, layout.block)
    there = found.worst >= 0
    between = np.where(there, np.stack([deficit, s2 - noise]), np.nan)
    return np.concatenate([m.mean, between])


def _exceeds(loss: Floats, bound: Floats | float, sources: tuple[Source, ...]) -> Floats:
    """One-sided p-value of "the loss is at most ``bound``"."""
    excess = loss - bound
    p = p_value(excess, sources)
    one_sided: Floats = np.where(excess > 0, p / 2, 1 - p / 2)
    return np.where(np.isfinite(p), one_sided, np.nan)


def _with_guard(found: Losses, source: Change, sources: tuple[Source, ...]) -> Losses:
    """Add the level-down guard: the gap shrank *and* its best group fell (intersection-union)."""
    k, j = len(found.targets) - 2, np.arange(found.loss.shape[1])
    worst, best = np.maximum(source.worst, 0), np.maximum(source.best, 0)
    fell, shrank = found.loss[best, j], -found.loss[k]
    at_best = tuple(Source(s.se[best, j], s.df[best, j]) for s in sources)
    of_gap = tuple(Source(s.se[k], s.df[k]) for s in sources)
    p = np.fmax(_exceeds(fell, 0.0, at_best), _exceeds(shrank, 0.0, of_gap))
    rose = found.high[worst, j] < 0
    # a fall that is certain but tiny is no trade: it must reach the harm margin as estimated
    p = np.where(rose | (fell < found.harm[best, j]), 1.0, p)
    testable = np.isfinite(found.p[k]) & (source.worst >= 0)

    def added(rows: Floats, last: Floats) -> Floats:
        return np.concatenate([rows, np.where(testable, last, np.nan)[None]])

    return Losses(
        (*found.targets, "levelled_down"),
        (*found.kinds, "levelled_down"),
        added(found.before, found.before[best, j]),
        added(found.after, found.after[best, j]),
        added(found.loss, fell),
        added(found.low, found.low[best, j]),
        added(found.high, found.high[best, j]),
        added(found.harm, found.harm[best, j]),
        added(found.allowed, found.allowed[best, j]),
        added(found.p, p),
        np.concatenate([found.n, found.n[best, j][None]]),
        added(found.sd, found.sd[best, j]),
        np.concatenate([found.runs, found.runs[best, j][None]]),
    )


def verdicts(found: Losses, p_adjusted: Floats, policy: GatePolicy) -> list[list[Verdict]]:
    """``T`` rows of ``J`` verdicts, from p-values adjusted in the family that the caller chose."""
    fails = p_adjusted <= policy.alpha
    passes = found.high < found.allowed
    guard = np.array([kind == "levelled_down" for kind in found.kinds])
    passes = np.where(guard[:, None], np.isfinite(found.p), passes & np.isfinite(found.p))
    names: list[list[Verdict]] = []
    for fail_row, pass_row in zip(fails, passes, strict=True):
        names.append(
            [
                "fail" if fail else "pass" if good else "inconclusive"
                for fail, good in zip(fail_row, pass_row, strict=True)
            ]
        )
    return names


def deciding_n(
    *, loss: float, sd: float, harm: float, allowed: float, n: float, policy: GatePolicy
) -> int:
    """Clusters with which a truth equal to the estimate would be decided with chance ``power``.

    A gain that was estimated is taken for none, so luck does not promise a small study. 0 if no
    number decides: the estimate lies exactly where neither margin is passed.
    """
    z = float(stats.norm.isf(policy.alpha) + stats.norm.ppf(policy.power))
    distance = max(allowed - max(loss, 0.0), loss - harm)
    if not np.isfinite(distance * sd) or distance <= 0:
        return 0
    return max(policy.n_min, int(n) + 1, ceil((z * sd / distance) ** 2 - 1e-9))


def worst_bound(
    m: Moments, info: MetricInfo, column: int, items: Floats, policy: GatePolicy
) -> tuple[int, float] | None:
    """The group whose one-sided confidence bound is worst, and that bound.

    Args:
        m: moments of the candidate.
        info: the metric of ``column``.
        column: which column of ``m``.
        items: ``[K]`` measured items of every group.
        policy: level, and the fewest clusters of a group that is judged.

    Returns:
        Group code and bound in the metric's own direction; None without a large enough group.
    """
    mean, n, variance = m.mean[:, column], m.n[:, column], m.variance[:, column]
    groups = np.flatnonzero(n >= policy.n_min)
    if not len(groups):
        return None
    if info.kind == "rate":
        share = np.clip(mean, 0.0, 1.0)
        level = 1 - 2 * policy.alpha
        worth = effective_n(share, variance, clusters=n, items=items, level=level)
        low, high = wilson(share, worth, level=level)
    else:
        reach = stats.t.isf(policy.alpha, np.maximum(n - 1, 1)) * np.sqrt(variance)
        low, high = mean - reach, mean + reach
    bound = low if info.direction > 0 else -high
    worst = groups[np.argmin(bound[groups])]
    return int(worst), float(info.direction * bound[worst])
