"""Tiers instead of ranks, and gaps within each context: tables that guard against hasty claims."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from benchmark.report.model import RunView
from benchmark.report.table import TD, TH, Table, number, text
from benchmark.report.tables import BLANK, system_cell
from benchmark.report.wording import Scale, humanise

_COMBINED = {"*mean": "mean of all", "*max": "largest of all"}


def tiers(view: RunView) -> Table | None:
    """Who can be told apart from whom; None if the run has no such table."""
    if view.tiers.empty:
        return None
    rows = [_tier(view, row) for row in view.tiers.to_dict("records")]
    return Table(
        slug="tiers",
        caption="Tiers: systems in one tier cannot be told apart on the same subjects",
        columns=[
            TH("system", facet=True),
            TH("metric", facet=True, preset=humanise(view.manifest.headline.endpoint)),
            TH("ranked by", facet=True),
            TH("value", numeric=True),
            TH("tier", numeric=True),
            TH("rank", numeric=True),
            TH("rank", note="90 % interval", numeric=True),
            TH("seeds", numeric=True),
        ],
        rows=rows,
        filterable=True,
    )


def _tier(view: RunView, row: Mapping[Hashable, Any]) -> list[TD]:
    metric = view.manifest.metric(row["metric"])
    axis = humanise(row["axis"])
    low, high = row["rank_low"], row["rank_high"]
    return [
        system_cell(view.by_key[row["system"], row["arm"]]),
        text(humanise(metric.name)),
        text(f"worst group of {axis}" if row["target"] == "worst" else "everyone"),
        number(row["value"], Scale.of(metric).number(row["value"], blank=BLANK)),
        number(row["tier"], f"{row['tier']:g}"),
        number(row["rank"], f"{row['rank']:g}"),
        number(low, f"{low:g} to {high:g}"),
        number(row["n_seeds"], f"{row['n_seeds']:g}"),
    ]


def strata(view: RunView) -> Table | None:
    """The gap inside every context level, against Simpson's paradox; None if there is none."""
    if view.strata.empty:
        return None
    first = view.manifest.headline
    return Table(
        slug="strata",
        caption="Gaps within each context: a gap that only pooling makes is absent here",
        columns=[
            TH("system", facet=True),
            TH("metric", facet=True, preset=humanise(first.endpoint)),
            TH("axis", facet=True, preset=humanise(first.axis)),
            TH("within", facet=True),
            TH("groups", numeric=True),
            TH("gap", numeric=True),
            TH("null", note="by chance", numeric=True),
            TH("remark"),
        ],
        rows=[_stratum(view, row) for row in view.strata.to_dict("records")],
        filterable=True,
        wide=True,
    )


def _stratum(view: RunView, row: Mapping[Hashable, Any]) -> list[TD]:
    metric = view.manifest.metric(row["metric"])
    scale = Scale.of(metric, fine=int(metric.kind == "rate"))
    within = _COMBINED.get(row["stratum"], humanise(row["stratum"]))
    skipped = f"without {row['skipped']}" if row["stratum"] in _COMBINED else row["skipped"]
    remark = "; ".join(
        part
        for part in (
            "the order of the groups is reversed by pooling" if row["reversal"] else "",
            skipped if row["skipped"] else "",
        )
        if part
    )
    return [
        system_cell(view.by_key[row["system"], row["arm"]]),
        text(humanise(metric.name), note=scale.difference_unit),
        text(humanise(row["axis"])),
        text(f"{humanise(row['context'])}: {within}"),
        number(row["n_groups"], f"{row['n_groups']:g}"),
        number(row["gap"], scale.number(row["gap"], blank=BLANK)),
        number(row["null_mean"], scale.number(row["null_mean"], blank=BLANK)),
        text(remark or BLANK, tone="warn" if row["reversal"] else ""),
    ]
