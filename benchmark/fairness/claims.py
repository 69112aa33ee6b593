"""The effect table: effects of arms as rows, corrected in families, judged in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from benchmark.fairness.adjust import holm
from benchmark.fairness.arms import paired
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.effects import Effect, comparison_effects
from benchmark.fairness.estimates import metric_blocks
from benchmark.fairness.model import MetricInfo, Policy
from benchmark.fairness.study import Layout, Study

EFFECT_COLUMNS = (
    "system",
    "metric",
    "axis",
    "target",
    "arm",
    "baseline",
    "n_seeds",
    "effect",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
    "family_size",
    "verdict",
    "sentence",
)
_SPREAD_KINDS = ("gap", "range", "v_dc")
_SUBJECT = {
    "overall": "the mean of everybody",
    "range": "the range between best and worst group",
    "v_dc": "the variance between groups",
    "worst": "the worst group's mean",
}

Row = dict[str, Any]


def effect_rows(
    data: Study,
    layout: Layout,
    boot: Bootstrap,
    comparisons: Sequence[tuple[str, str, str]],
    policy: Policy,
) -> pd.DataFrame:
    """One row per comparison, metric and target of one axis, not yet judged."""
    rows: list[Row] = []
    for number, (system, arm, baseline) in enumerate(comparisons):
        for block in metric_blocks(data, layout, policy):
            found = paired(
                data, boot.parts, system=system, arm=arm, baseline=baseline, metrics=block
            )
            info = [data.metrics[i] for i in block]
            effects, worst, best = comparison_effects(layout, boot, found, info, policy)
            fixed = {
                "system": system,
                "arm": arm,
                "baseline": baseline,
                "axis": layout.axis,
                "_role": layout.role,
                "_comparison": number,
            }
            for j, metric in enumerate(block):
                about = {
                    "metric": data.metrics[metric].name,
                    "_metric": metric,
                    "_info": data.metrics[metric],
                    "_share": float(found.share[j]),
                    "_worst": layout.names[worst[j]] if worst[j] >= 0 else None,
                    "_best": layout.names[best[j]] if best[j] >= 0 else None,
                }
                rows += [{**fixed, **about, **row} for row in _numbers(effects, j, policy)]
    return pd.DataFrame(rows)


def judge(effects: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Correct the p-values inside their families; give every effect its verdict and sentence.

    A family is what one comparison is asked about one kind of target, for one family of metrics on
    one kind of axis.
    """
    if effects.empty:
        return pd.DataFrame(columns=[*EFFECT_COLUMNS, "_comparison", "_metric", "_axis", "_group"])
    effects = effects.assign(p_holm=np.nan, family_size=0)
    effects["_family"] = [info.family for info in effects["_info"]]
    for rows in effects.groupby(["_comparison", "_family", "_role", "_kind"]).groups.values():
        p = effects.loc[rows, "p_value"].to_numpy(dtype=np.float64)
        effects.loc[rows, "p_holm"] = holm(p)
        effects.loc[rows, "family_size"] = int(np.isfinite(p).sum())
    effects["verdict"] = "no_claim"
    effects["sentence"] = ""
    for rows in effects.groupby(["_comparison", "_metric", "axis"]).groups.values():
        some = cast(list[Row], effects.loc[rows].to_dict("records"))
        by_target = {row["target"]: row for row in some if row["_kind"] == "group"}
        verdicts = [_verdict(row, by_target, policy) for row in some]
        effects.loc[rows, "verdict"] = verdicts
        effects.loc[rows, "sentence"] = [
            sentence({**row, "verdict": verdict}, policy)
            for row, verdict in zip(some, verdicts, strict=True)
        ]
    return effects


def sentence(row: Row, policy: Policy) -> str:
    """What the row says, in one sentence that claims no more than it may."""
    info: MetricInfo = row["_info"]
    where = f"{row['metric']}, {row['axis']}: " if row["axis"] else f"{row['metric']}: "
    subject = _SUBJECT.get(row["_kind"], f"the mean of {row['target']}")
    if row["_kind"] == "gap":
        subject = f"the deficit of {row['_worst']} against the others"
    runs = "single run" if row["n_seeds"] == 1 else f"{row['n_seeds']} runs"
    if not np.isfinite(row["effect"]):
        return f"{where}{runs if row['n_seeds'] else 'no paired run'}: no claim, nothing to compare"
    change = (
        f"{subject} changes by {row['effect']:+.3g} "
        f"({1 - policy.alpha:.0%} interval {row['ci_low']:+.3g} to {row['ci_high']:+.3g})"
    )
    partly = ""
    if row["_share"] < 1 - policy.max_coverage_gap:
        partly = f", on the {row['_share']:.0%} of pairs that both arms let us measure"
    versus = f" with {row['arm']} instead of {row['baseline']}{partly}"
    if row["n_seeds"] < policy.min_seeds:
        return f"{where}{runs}: no claim; in it {change}{versus}"
    if row["_n"] < policy.n_min:
        return f"{where}{row['_n']:.0f} clusters are too few: no claim; {change}{versus}"
    if row["verdict"] == "no_claim":
        return f"{where}{runs}: no claim, its error cannot be told; {change}{versus}"
    tested = f"{runs}, Holm p {_p(row['p_holm'])} of {row['family_size']}"
    verdict = {
        "better": "better",
        "worse": "worse",
        "levelled_down": "levelled down, not an improvement: the others fell to the worst group",
        "no_evidence": "no evidence of a change",
    }[row["verdict"]]
    if row["verdict"] == "no_evidence" and info.margin is not None:
        largest = max(abs(row["ci_low"]), abs(row["ci_high"]))
        if largest < info.margin and row["_kind"] != "v_dc":
            verdict = f"no change as large as the margin {info.margin:g}"
    return f"{where}{change}{versus}; {tested}: {verdict}"


def _numbers(effects: list[Effect], j: int, policy: Policy) -> Iterator[Row]:
    for order, effect in enumerate(effects):
        testable = effect.n[j] >= policy.n_min
        yield {
            "target": effect.target,
            "n_seeds": int(effect.runs[j]),
            "effect": effect.value[j],
            "ci_low": effect.low[j],
            "ci_high": effect.high[j],
            "p_value": effect.p[j] if testable else np.nan,
            "_kind": effect.kind,
            "_n": effect.n[j],
            "_group": order,
        }


def _verdict(row: Row, groups: dict[str, Row], policy: Policy) -> str:
    info: MetricInfo = row["_info"]
    if row["n_seeds"] < policy.min_seeds or not np.isfinite(row["p_holm"]):
        return "no_claim"
    if row["p_holm"] > policy.alpha:
        return "no_evidence"
    good = row["effect"] * (-1 if row["_kind"] in _SPREAD_KINDS else info.direction) > 0
    if good and row["_kind"] in _SPREAD_KINDS and _levelled_down(row, groups):
        return "levelled_down"
    return "better" if good else "worse"


def _levelled_down(row: Row, groups: dict[str, Row]) -> bool:
    """The best group fell while nothing shows that the worst one rose."""
    worst, best = groups.get(row["_worst"]), groups.get(row["_best"])
    if worst is None or best is None:
        return False
    direction = row["_info"].direction
    rose = min(worst["ci_low"] * direction, worst["ci_high"] * direction) > 0
    fell = best["effect"] * direction < 0
    return bool(fell and not rose)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
