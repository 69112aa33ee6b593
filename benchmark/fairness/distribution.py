"""Do the outputs of every group look like that group? Distributional perceptual parity.

GPI of a group is the distance between the features of its outputs and of its references (Ohayon
2024), here by kernel distance, which does not measure the size of the group as the Frechet distance
does. What it says depends on the network that made the features, so a parity statement needs two of
them, one of which knows the attribute, and says so where they disagree on who is worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmark.fairness.cells import Codes
from benchmark.fairness.cohort import Cohort, RunKey, by_variant, cohort
from benchmark.fairness.correction import interval
from benchmark.fairness.kernel import PairedKid
from benchmark.fairness.model import Policy
from benchmark.fairness.neighbours import precision_recall
from benchmark.fairness.resampling import Floats, multinomial_counts, stream

DISTRIBUTION_COLUMNS = (
    *("system", "arm", "axis", "features", "attribute_aware", "group", "n", "coverage"),
    *("kid", "se", "ci_low", "ci_high", "precision", "recall", "noise", "reason"),
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
        distances that sampling alone makes, of all groups that have one. ``precision`` and
        ``recall`` (see :mod:`.neighbours`; up is better) compare as many images in every group as
        the smallest has. NaN and a reason below 100 images or ``n_min`` clusters.

    Intervals cover 94 to 97 % where outputs differ from references, and more (up to all) where they
    do not: without a difference the estimate is a degenerate U-statistic, whose scatter a bootstrap
    overstates. Errors and ``noise`` are then too large, never too small.

    Raises:
        DataError: if arrays and samples do not fit.
    """
    everyone = cohort(samples, axis, levels)
    reference = everyone.take(originals, f"{net} on the references")
    counts = _counts(everyone, min(policy.bootstrap, _REPLICATES), seed)
    rows: list[dict[str, object]] = []
    for (system, arm), arrays in by_variant(features).items():
        made = [everyone.take(a, f"{net} on {system} {arm}".strip()) for a in arrays]
        groups = [
            _Group.of(everyone, code, made, reference, policy)
            for code in range(len(everyone.names))
        ]
        distances = {g.name: g.distances(counts) for g in groups if not g.reason}
        size = min((g.n for g in groups if not g.reason), default=0)
        label: dict[str, object] = {"system": system, "arm": arm, "axis": axis, "features": net}
        label |= {"attribute_aware": attribute_aware, "noise": _noise([*distances.values()])}
        for group in groups:
            row = label | group.row()
            if group.name in distances:
                row |= group.estimates(distances[group.name], policy.alpha)
                row |= group.manifolds(size, stream(seed, "manifold", group.name))
            rows.append(row)
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


@dataclass(frozen=True)
class _Group:
    """Features of one group of one system and arm.

    Attributes:
        name: of the group.
        n: images that could be judged, in the seed with fewest.
        size: images that there should be.
        clusters: ``[C]`` their clusters.
        seeds: for every seed references ``[n, D]``, outputs ``[n, D]`` and ``[n]`` the place of
            each one's cluster in ``clusters``.
        coverage: judged over expected images.
        reason: why the group has no distance, empty if it has.
    """

    name: str
    n: int
    size: int
    clusters: Codes
    seeds: tuple[tuple[Floats, Floats, Codes], ...]
    coverage: float
    reason: str

    @classmethod
    def of(
        cls,
        everyone: Cohort,
        code: int,
        made: Sequence[Floats],
        reference: Floats,
        policy: Policy,
    ) -> _Group:
        mine = np.flatnonzero(everyone.group == code)
        known = np.isfinite(reference[mine]).all(axis=1)
        sound = [mine[known & np.isfinite(a[mine]).all(axis=1)] for a in made]
        clusters = np.unique(everyone.cluster[mine])
        n, people = (
            min(len(rows) for rows in sound),
            min(len(np.unique(everyone.cluster[rows])) for rows in sound),
        )
        reason = ""
        if not len(mine):
            reason = "empty"
        elif n < FEWEST:
            reason = f"insufficient data: {n} images, {FEWEST} needed"
        elif people < policy.n_min:
            reason = f"insufficient data: {people} clusters, {policy.n_min} needed"
        places = [np.searchsorted(clusters, everyone.cluster[rows]) for rows in sound]
        return cls(
            name=everyone.names[code],
            n=n,
            size=len(mine),
            clusters=clusters,
            seeds=tuple(
                (reference[rows], a[rows], place)
                for rows, a, place in zip(sound, made, places, strict=True)
            ),
            coverage=float(np.mean([len(rows) for rows in sound])) / max(len(mine), 1),
            reason=reason,
        )

    def row(self) -> dict[str, object]:
        """The columns that every group has."""
        coverage = self.coverage if self.size else float("nan")
        return {"group": self.name, "n": self.n, "coverage": coverage, "reason": self.reason}

    def distances(self, counts: Floats) -> Floats:
        """``[1 + B]`` the distance and its replicates."""
        each = [PairedKid.of(x, y, place, len(self.clusters)) for x, y, place in self.seeds]
        total = sum(each[1:], start=each[0])
        return np.concatenate([[total.value], total.resample(counts[:, self.clusters])])

    def estimates(self, distances: Floats, alpha: float) -> dict[str, object]:
        """The distance with its standard error and interval."""
        people, replicates = len(self.clusters), distances[1:]
        # expanded percentiles (Hesterberg 2015, section 5.3), as for group means
        t = stats.t.isf(alpha / 2, people - 1) * np.sqrt(people / (people - 1))
        low, high = interval(replicates[:, None], alpha=2 * stats.norm.sf(t))
        return {
            "kid": float(distances[0]),
            "se": float(np.nanstd(replicates, ddof=1)),
            "ci_low": float(low[0]),
            "ci_high": float(high[0]),
        }

    def manifolds(self, size: int, rng: np.random.Generator) -> dict[str, object]:
        """Improved precision and recall among ``size`` images, averaged over seeds."""
        each = [precision_recall(x, y, size=size, rng=rng) for x, y, _ in self.seeds]
        precision, recall = np.mean(each, axis=0)
        return {"precision": float(precision), "recall": float(recall)}


def _noise(distances: Sequence[Floats]) -> float:
    """Expected variance between the estimates of equal groups: ``tr(HV) / (G - 1)``."""
    if len(distances) < 2:
        return float("nan")
    covariance = np.cov(np.stack(distances)[:, 1:])
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
