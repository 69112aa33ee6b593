"""Do the outputs of every group look like that group? Distributional perceptual parity.

GPI of a group is the distance between the features of its outputs and of its references (Ohayon
2024), here by kernel distance, which does not measure the size of the group as the Frechet distance
does. What it says depends on the network that made the features, so a parity statement needs two of
them, one of which knows the attribute, and says so where they disagree on who is worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmark.fairness.cohort import Cohort, RunKey, by_variant, cohort
from benchmark.fairness.correction import interval
from benchmark.fairness.kernel import PairedKid
from benchmark.fairness.model import Policy
from benchmark.fairness.resampling import Floats, multinomial_counts, stream

DISTRIBUTION_COLUMNS = (
    *("system", "arm", "axis", "features", "attribute_aware", "group", "n", "coverage"),
    *("kid", "se", "ci_low", "ci_high", "noise", "reason"),
)
PARITY_COLUMNS = (
    *("system", "arm", "axis", "features", "attribute_aware", "best_group", "worst_group"),
    *("gap", "v_dc", "disagreement", "reason"),
)
#: Items of a group below which a set-level distance is not given.
FEWEST = 100
#: Replicates; the quadratic form makes them dearer than those of a mean.
_REPLICATES = 2_000


def distribution(
    samples: pd.DataFrame,
    features: Mapping[RunKey, NDArray[np.floating]],
    originals: NDArray[np.floating],
    *,
    axis: str,
    levels: Sequence[str],
    net: str,
    attribute_aware: bool,
    policy: Policy,
    seed: int,
) -> pd.DataFrame:
    """Kernel distance between outputs and references of every group.

    Args:
        samples: one row per sample: ``sample``, ``cluster`` and ``axis``.
        features: ``[N, D]`` features of the outputs of every (system, arm, seed); rows of NaN are
            left out, and counted in ``coverage``.
        originals: ``[N, D]`` features of the clean references.
        axis: column that groups the samples.
        levels: its levels, in the order of display.
        net: name of the network, for the tables.
        attribute_aware: whether the network was trained on the attribute.
        policy: level of the intervals and number of replicates (at most 2,000).
        seed: of the bootstrap, which resamples (reference, output) pairs by cluster.

    Returns:
        One row per system, arm and group: ``kid`` (down is better; may be slightly negative), its
        standard error and percentile interval, and ``noise``: the variance between the groups'
        distances that sampling alone makes, of all groups that have one. NaN and a reason below
        100 images or ``n_min`` clusters.

    Intervals cover 93 to 96 % where outputs differ from references, and more (up to all) where they
    do not: without a difference the estimate is a degenerate U-statistic, whose scatter a bootstrap
    overstates. Errors and ``noise`` are then too large, never too small.

    Raises:
        DataError: if arrays and samples do not fit.
    """
    everyone = cohort(samples, axis, levels)
    reference = everyone.take(originals, f"{net} on the references")
    counts = _counts(everyone, min(policy.bootstrap, _REPLICATES), seed)
    rows = []
    for (system, arm), arrays in by_variant(features).items():
        made = [everyone.take(a, f"{net} on {system} {arm}".strip()) for a in arrays]
        label = {"system": system, "arm": arm, "axis": axis, "features": net}
        found = [
            _group(everyone, code, made, reference, counts=counts, policy=policy)
            for code in range(len(everyone.names))
        ]
        noise = _noise([replicates for _, replicates in found if replicates is not None])
        rows += [
            label | {"attribute_aware": attribute_aware, "noise": noise} | row for row, _ in found
        ]
    return pd.DataFrame(rows, columns=list(DISTRIBUTION_COLUMNS))


def _counts(everyone: Cohort, replicates: int, seed: int) -> Floats:
    """``[B, C]`` how often each cluster is drawn, stratified as everywhere."""
    parts = everyone.parts
    out = np.zeros((replicates, int(everyone.cluster.max(initial=0)) + 1))
    for stratum in parts.strata:
        cells = stratum.cells.max(axis=1)
        rng = stream(seed, "kernel", *stratum.key)
        out[:, parts.cell_cluster[cells]] = multinomial_counts(rng, rows=replicates, n=len(cells))
    return out


def _group(
    everyone: Cohort,
    code: int,
    made: Sequence[Floats],
    reference: Floats,
    *,
    counts: Floats,
    policy: Policy,
) -> tuple[dict[str, object], Floats | None]:
    """Columns of one group and the replicates of its distance."""
    mine = everyone.group == code
    sound = [mine & np.isfinite(a).all(axis=1) & np.isfinite(reference).all(axis=1) for a in made]
    n = min(int(rows.sum()) for rows in sound)
    size = int(mine.sum())
    row: dict[str, object] = {
        "group": everyone.names[code],
        "n": n,
        "coverage": np.mean([rows.sum() for rows in sound]) / size if size else float("nan"),
        "reason": "",
    }
    people = len(np.unique(everyone.cluster[np.logical_and.reduce(sound)]))
    if n < FEWEST or people < policy.n_min:
        short = f"{n} images, {FEWEST} needed" if n < FEWEST else f"{people} clusters"
        return row | {"reason": "empty" if not size else f"insufficient data: {short}"}, None
    clusters, code_of = np.unique(everyone.cluster[mine], return_inverse=True)
    whole = np.zeros(len(mine), dtype=np.int64)
    whole[mine] = code_of
    parts = [
        PairedKid.of(reference[rows], a[rows], whole[rows], len(clusters))
        for rows, a in zip(sound, made, strict=True)
    ]
    total = sum(parts[1:], start=parts[0])
    replicates = total.resample(counts[:, clusters])
    # expanded percentiles (Hesterberg 2015, section 5.3), as for group means
    t = stats.t.isf(policy.alpha / 2, people - 1) * np.sqrt(people / (people - 1))
    low, high = interval(replicates[:, None], alpha=2 * stats.norm.sf(t))
    row |= {
        "kid": total.value,
        "se": float(np.nanstd(replicates, ddof=1)),
        "ci_low": float(low[0]),
        "ci_high": float(high[0]),
    }
    return row, replicates


def _noise(replicates: Sequence[Floats]) -> float:
    """Expected variance between the estimates of equal groups: ``tr(HV) / (G - 1)``."""
    if len(replicates) < 2:
        return float("nan")
    covariance = np.cov(np.stack(replicates))
    g = len(covariance)
    return float((np.trace(covariance) - covariance.sum() / g) / (g - 1))


def parity(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Which group is furthest from its references, by how much, and whether networks agree.

    Args:
        tables: results of :func:`distribution` for one or more networks (and axes).

    Returns:
        One row per system, arm, axis and network: the groups with the smallest and the largest
        distance, ``gap`` between them, ``v_dc`` (variance between groups less its noise) and
        ``disagreement``: another network names another worst group. ``reason`` says what is
        missing: a second network, one that knows the attribute, or groups.
    """
    together = pd.concat(list(tables), ignore_index=True)
    rows = []
    for key, each in together.groupby(["system", "arm", "axis"], sort=True):
        found = [_spread(one) for _, one in each.groupby("features", sort=True)]
        worst = {row["worst_group"] for row in found if row["worst_group"]}
        aware = any(row["attribute_aware"] for row in found)
        lacking = "one network only" if len(found) < 2 else "no network knows the attribute"
        for row in found:
            if not row["reason"] and (len(found) < 2 or not aware):
                row["reason"] = lacking
            label = dict(zip(("system", "arm", "axis"), key, strict=True))
            rows.append(label | row | {"disagreement": len(worst) > 1})
    return pd.DataFrame(rows, columns=list(PARITY_COLUMNS))


def _spread(table: pd.DataFrame) -> dict[str, object]:
    """Columns of :func:`parity` for one network."""
    known = table[table["kid"].notna()]
    row: dict[str, object] = {
        "features": table["features"].iloc[0],
        "attribute_aware": bool(table["attribute_aware"].iloc[0]),
        "best_group": "",
        "worst_group": "",
        "gap": float("nan"),
        "v_dc": float("nan"),
        "reason": "",
    }
    left_out = table["group"][table["kid"].isna()]
    if len(left_out):
        row["reason"] = f"left out: {', '.join(left_out)}"
    if len(known) < 2:
        return row | {"reason": f"single group; {row['reason']}".rstrip("; ")}
    values = known["kid"].to_numpy(dtype=np.float64)
    gap = float(np.ptp(values))
    v_dc = float(values.var(ddof=1) - known["noise"].iloc[0])
    row |= {"gap": gap, "v_dc": v_dc}
    if v_dc <= 0 and not row["reason"]:
        row["reason"] = "gap within noise"
    if gap > 0:
        row["best_group"] = str(known["group"].iloc[int(values.argmin())])
        row["worst_group"] = str(known["group"].iloc[int(values.argmax())])
    return row
