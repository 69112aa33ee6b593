"""The gap table: every gap beside its null, its tests, and a verdict in one word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.fairness.adjust import holm
from benchmark.fairness.estimates import Estimates
from benchmark.fairness.model import Policy
from benchmark.fairness.omnibus import equal_means
from benchmark.fairness.permutation import PairTests, max_t
from benchmark.fairness.resampling import Floats
from benchmark.fairness.spread import Spread

GAP_COLUMNS = (
    "system",
    "arm",
    "metric",
    "axis",
    "best_group",
    "worst_group",
    "gap",
    "ci_low",
    "ci_high",
    "null_mean",
    "null_p95",
    "excess",
    "p_value",
    "p_holm",
    "family_size",
    "v_dc",
    "v_dc_low",
    "v_dc_high",
    "sd_dc",
    "noise_share",
    "cochran_q",
    "cochran_p",
    "gap_to_overall",
    "ratio",
    "worst_frequency",
    "mde",
    "verdict",
    "reason",
)
PAIR_COLUMNS = (
    "system",
    "arm",
    "metric",
    "axis",
    "group_a",
    "group_b",
    "difference",
    "p_adjusted",
)
STRATA_COLUMNS = (
    "system",
    "arm",
    "metric",
    "axis",
    "context",
    "stratum",
    "n_groups",
    "gap",
    "null_mean",
    "skipped",
    "reversal",
)
_TENTATIVE_BELOW = 0.5


def pair_tests(found: Estimates, *, seed: int, policy: Policy) -> PairTests:
    """The max-T tests of all pairs of one axis."""
    return max_t(
        found.parts,
        found.layout,
        found.columns.values,
        found.eligible,
        seed=seed,
        draws=policy.permutations,
    )


def gap_table(
    found: Estimates,
    spread: Spread,
    tests: PairTests,
    variants: Sequence[tuple[str, str]],
    policy: Policy,
) -> pd.DataFrame:
    """One row per column; verdicts wait for :func:`conclude`, which needs the whole family."""
    data, names, ends = found.columns, found.layout.names, spread.extremes
    there = ends.worst >= 0
    at = (np.maximum(ends.worst, 0), np.arange(len(there)))
    q, q_p = equal_means(
        found.parts,
        found.layout,
        data.values,
        found.moments,
        eligible=found.eligible,
        rate=data.rate,
    )
    frequency = np.where(there, spread.worst_frequency[at], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        noise_share = np.where(spread.s2 > 0, spread.noise / spread.s2, np.nan)
    table = pd.DataFrame(
        {
            "best_group": [names[g] if g >= 0 else None for g in ends.best],
            "worst_group": [names[g] if g >= 0 else None for g in ends.worst],
            "gap": ends.gap,
            "ci_low": spread.low,
            "ci_high": spread.high,
            "null_mean": spread.null_mean,
            "null_p95": spread.null_p95,
            "excess": np.maximum(ends.gap - spread.null_mean, 0.0),
            "p_value": tests.p_any,
            "v_dc": spread.v_dc,
            "v_dc_low": spread.v_dc_low,
            "v_dc_high": spread.v_dc_high,
            "sd_dc": np.sqrt(np.maximum(spread.v_dc, 0.0)),
            "noise_share": noise_share,
            "cochran_q": q,
            "cochran_p": q_p,
            "gap_to_overall": np.where(there, spread.to_overall, np.nan),
            "ratio": spread.ratio,
            "worst_frequency": frequency,
            "mde": spread.mde,
            "_invalid": [_unfit(found, column, policy) for column in range(len(there))],
            "_caveat": [_caveat(found, spread, column, policy) for column in range(len(there))],
        }
    )
    return _keyed(table, found, np.arange(len(there)), variants)


def conclude(gaps: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Correct the p-values inside their families and give every gap its verdict and reason.

    A family is what one system is asked about one family of metrics on one kind of axis
    (sensitive, context, crossing): adding a system or looking at contexts costs nobody power.
    """
    if gaps.empty:
        return gaps
    gaps = gaps.copy()
    gaps["p_holm"], gaps["family_size"] = np.nan, 0
    for family in gaps.groupby(["_variant", "_family", "_role"]).groups.values():
        p = gaps.loc[family, "p_value"].to_numpy(dtype=np.float64)
        gaps.loc[family, "p_holm"] = holm(p)
        gaps.loc[family, "family_size"] = int(np.isfinite(p).sum())
    rows = cast(list[dict[str, Any]], gaps.to_dict("records"))
    outcome = [_verdict(row, policy) for row in rows]
    gaps["verdict"] = [verdict for verdict, _ in outcome]
    gaps["reason"] = [reason for _, reason in outcome]
    return gaps


def pair_table(
    found: Estimates, tests: PairTests, variants: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """One row per column and pair that was tested."""
    pair, column = np.nonzero(np.isfinite(tests.p))
    first, second = tests.pairs[pair].T if len(pair) else (pair, pair)
    mean, names = found.moments.mean, found.layout.names
    table = pd.DataFrame(
        {
            "group_a": [names[g] for g in first],
            "group_b": [names[g] for g in second],
            "difference": mean[first, column] - mean[second, column],
            "p_adjusted": tests.p[pair, column],
            "_group": pair,
        }
    )
    return _keyed(table, found, column, variants)


def strata_table(
    found: Estimates, spread: Spread, variants: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """The gap inside every context level, then their uniform mean (``*mean``) and ``*max``.

    Guards against Simpson's paradox: a gap that only exists because groups were photographed in
    different contexts is absent here. ``reversal`` says that the group which looks worst when
    contexts are pooled is ahead of the others on average inside them.
    """
    layout = found.layout
    context = layout.axis.split("*")[1]
    reversed_ = _reversals(found, spread.deficits)
    counts = np.stack(
        [
            (found.eligible & (layout.block == b)[:, None]).sum(axis=0)
            for b in range(layout.n_blocks)
        ]
    )
    frames = []
    for column in range(spread.ranges.shape[1]):
        gap, null, n = (x[:, column] for x in (spread.ranges, spread.null_ranges, counts))
        measured = np.isfinite(gap)
        skipped = [b for b, ok in zip(layout.block_names, measured, strict=True) if not ok]
        rows = [
            (name, int(n[i]), gap[i], null[i], "" if measured[i] else "fewer than two groups")
            for i, name in enumerate(layout.block_names)
        ]
        combined: tuple[tuple[str, Callable[[Floats], np.floating]], ...] = (
            ("*mean", np.mean),
            ("*max", np.max),
        )
        for name, combine in combined:
            nothing = not measured.any()
            rows.append(
                (
                    name,
                    int(n.max(initial=0)),
                    np.nan if nothing else float(combine(gap[measured])),
                    np.nan if nothing else float(combine(null[measured])),
                    ", ".join(skipped),
                )
            )
        part = pd.DataFrame(rows, columns=["stratum", "n_groups", "gap", "null_mean", "skipped"])
        part["context"], part["reversal"] = context, reversed_[column]
        part["_group"] = np.arange(len(part))
        frames.append(_keyed(part, found, np.full(len(part), column), variants))
    table = pd.concat(frames, ignore_index=True)
    table["axis"] = layout.axis.split("*")[0]
    return table


def _reversals(found: Estimates, deficits: Floats) -> NDArray[np.bool_]:
    """``[J]`` whether the group that is worst over pooled contexts is ahead inside them."""
    level, direction = found.layout.level, found.columns.direction
    shape = (int(level.max()) + 1, len(direction))
    total, n, inside, blocks = (np.zeros(shape) for _ in range(4))
    use = found.eligible & np.isfinite(deficits)
    np.add.at(total, level, np.where(use, found.moments.mean * found.moments.n, 0.0))
    np.add.at(n, level, np.where(use, found.moments.n, 0.0))
    np.add.at(inside, level, np.where(use, deficits, 0.0))
    np.add.at(blocks, level, use.astype(np.float64))
    pooled = np.where(n > 0, direction * total / np.maximum(n, 1), np.inf)
    worst = pooled.argmin(axis=0), np.arange(shape[1])
    behind: NDArray[np.bool_] = (blocks[worst] > 0) & (inside[worst] < 0)
    return behind


def _keyed(
    table: pd.DataFrame,
    found: Estimates,
    column: NDArray[np.int64],
    variants: Sequence[tuple[str, str]],
) -> pd.DataFrame:
    """Add who and what every row is about, and the keys it is sorted by."""
    data = found.columns
    variant, metric = data.variant[column], data.metric[column]
    return table.assign(
        system=[variants[v][0] for v in variant],
        arm=[variants[v][1] for v in variant],
        metric=[data.info[i].name for i in metric],
        axis=found.layout.axis,
        _variant=variant,
        _metric=metric,
        _family=[data.info[i].family for i in metric],
        _role=found.layout.role,
        _group=table.get("_group", 0),
    )


def _unfit(found: Estimates, column: int, policy: Policy) -> tuple[str, str]:
    """Why a gap may not be judged: (verdict, reason), or two empty texts."""
    layout, data, n = found.layout, found.columns, found.moments.n[:, column]
    names, eligible = layout.names, found.eligible[:, column]
    enough = layout.compared & (data.expected_clusters[:, column] >= policy.n_min)
    coverage = data.coverage[:, column]
    for block in range(layout.n_blocks):
        groups = np.flatnonzero(enough & (layout.block == block))
        if len(groups) < 2:
            continue
        low, high = groups[np.argmin(coverage[groups])], groups[np.argmax(coverage[groups])]
        if coverage[high] - coverage[low] > policy.max_coverage_gap + 1e-9:
            text = (
                f"measured on {coverage[low]:.0%} of {names[low]} but {coverage[high]:.0%} of "
                f"{names[high]}: what is missing is not missing at random"
            )
            return "unequal_coverage", text
    blocks = [(eligible & (layout.block == b)).sum() for b in range(layout.n_blocks)]
    if max(blocks) >= 2:
        return "", ""
    sizes = ", ".join(f"{names[g]} {n[g]:.0f}" for g in np.flatnonzero(layout.compared))
    if max(blocks) == 1:
        only = names[int(np.flatnonzero(eligible)[0])]
        return "single_group", f"only {only} has {policy.n_min} clusters ({sizes})"
    return "insufficient", f"no group has {policy.n_min} clusters ({sizes or 'no groups'})"


def _caveat(found: Estimates, spread: Spread, column: int, policy: Policy) -> str:
    """What a reader must know before naming the worst group."""
    worst = int(spread.extremes.worst[column])
    if worst < 0:
        return ""
    info, notes = found.columns.info[found.columns.metric[column]], []
    name, n = found.layout.names[worst], found.moments.n[worst, column]
    frequency = spread.worst_frequency[worst, column]
    if n < policy.n_full:
        notes.append(f"worst group tentative: {name} is small ({n:.0f} clusters)")
    elif frequency < _TENTATIVE_BELOW:
        notes.append(f"worst group tentative: {name} is it in {frequency:.0%} of replicates")
    if info.floor is not None:
        short = (found.moments.mean[worst, column] - info.floor) * info.direction
        if short < 0:
            notes.append(f"{name} is beyond the floor {info.floor:g}")
    return "; ".join(notes)


def _verdict(row: dict[str, Any], policy: Policy) -> tuple[str, str]:
    verdict, reason = row["_invalid"]
    if not verdict:
        verdict = "gap" if row["p_holm"] <= policy.alpha else "no_evidence"
        if verdict == "no_evidence":
            reason = f"a deficit below {row['mde']:.3g} could go unnoticed"
    return verdict, "; ".join(text for text in (reason, row["_caveat"]) if text)
