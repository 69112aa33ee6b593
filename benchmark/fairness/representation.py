"""Who is still recognised as who they are: hit rates, judge ceilings and shares of the outputs.

A judge says which level of an axis it sees in an output. What it says of the clean originals bounds
what any enhancer can reach (the *ceiling*): a judge that is unfair by itself makes a perfect
restorer look unfair. So no hit rate stands here without its ceiling, and no divergence without a
test:

* ``rdp`` (representation demographic parity; Laszkiewicz et al. 2024): are groups hit equally
  often? ``p = hit / sum(hit)`` against uniform. Normalising hides the level - all groups at 1 %
  are "fair" - so read it beside the hit rates.
* ``pr`` (proportional representation): do the outputs show the groups in the shares that the test
  set has?
* ``flip``: does the judge see other levels in the outputs than in the originals of the same people?

Group rates are means over clusters, as everywhere. A failed output is a miss, and it is missing
from the shares of the outputs; it is no flip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import DataError
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cohort import RunKey, cohort
from benchmark.fairness.correction import confusion, corrected, interval
from benchmark.fairness.divergence import divergence_table
from benchmark.fairness.model import Policy
from benchmark.fairness.resampling import Floats
from benchmark.fairness.votes import Rates, Votes, in_cells, judged_shares, vote

REPRESENTATION_COLUMNS = (
    *("system", "arm", "judge", "axis", "group", "n", "hits", "hit", "hit_low", "hit_high"),
    *("ceiling", "hit_relative", "corrected", "corrected_low", "corrected_high"),
    *("judged_share", "test_share", "flip_rate", "drift", "reason"),
)
#: A judge that recognises fewer of a group's clean originals is no yardstick for the group.
LOWEST_CEILING = 0.5


def representation(
    samples: pd.DataFrame,
    judged: Mapping[RunKey, NDArray[np.floating]],
    originals: NDArray[np.floating],
    *,
    axis: str,
    levels: Sequence[str],
    judge_levels: Sequence[str],
    judge: str,
    policy: Policy,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hit rates per group and divergences per system.

    Args:
        samples: one row per sample: ``sample``, ``cluster`` and ``axis``.
        judged: probabilities ``[N, K]`` of the judge for the outputs of every (system, arm, seed);
            NaN for a failed output. The most probable level is what the judge names.
        originals: ``[N, K]`` the same for the clean originals. Where it is NaN the judge cannot
            judge the scene, and the sample is left out (``n`` counts those that remain).
        axis: column that groups the samples.
        levels: its levels, in the order of display.
        judge_levels: ``[K]`` levels that the judge tells apart; a group is *hit* where the judge
            names the group's own level.
        judge: name of the judge, for the tables.
        policy: thresholds; groups below ``n_min`` clusters are shown and not compared.
        seed: of all random draws.

    Returns:
        One row per system, arm and group: ``hit`` with a Wilson or bootstrap interval over
        clusters; ``hit_relative`` to the ceiling, where that is at least a half; ``corrected``, the
        hit rate with the judge's errors on originals taken out (see :mod:`.correction`);
        ``flip_rate``, the share of the group in which the judge names another level than on the
        original; ``drift``, P(flips to the group's level) - P(flips from it) over everybody; and a
        ``reason`` for what does not apply.

        One row per system, arm and kind, see :mod:`.divergence`. ``chi2_corrected`` is chi2 less
        what sampling noise adds to it: ``(K - 1) / n`` for the shares of n independent draws,
        from the cluster bootstrap in general.

    Raises:
        DataError: if arrays and samples do not fit, or no group is a level of the judge.
    """
    if not set(levels) & set(judge_levels):
        raise DataError(
            f"the judge {judge!r} tells {', '.join(judge_levels)} apart, "
            f"the axis {axis!r} has {', '.join(levels)}",
            mend="take a judge of this axis",
        )
    everyone = cohort(samples, axis, levels)
    votes = vote(everyone, judged, originals, tuple(judge_levels))
    found = Rates.of(votes, Bootstrap(votes.cohort.parts, seed, policy.bootstrap))
    hits = _hit_table(votes, found, policy).assign(judge=judge, axis=axis)
    unseen = hits["group"].map(dict(zip(levels, everyone.sizes, strict=True))) > hits["n"]
    hits.loc[unseen & (hits["n"] == 0), "reason"] = "no original could be judged"
    return hits[list(REPRESENTATION_COLUMNS)], divergence_table(
        votes, found, judge, policy, seed=seed
    )


def _hit_table(votes: Votes, found: Rates, policy: Policy) -> pd.DataFrame:
    everyone, v, g = votes.cohort, len(votes.variants), len(votes.cohort.names)
    low, high = found.intervals(votes, level=1 - policy.alpha)
    hit = votes.own_level(found.mean)
    ceiling = np.repeat(hit[:, v:], v, axis=1)
    items = np.stack([votes.share[everyone.group == code].sum(axis=0) for code in range(g)])
    share = judged_shares(votes, found.mean)[:v]
    own_share = votes.test_share[np.maximum(votes.own, 0)]
    bounds = tuple(votes.own_level(bound)[:, :v] for bound in (low, high))
    true, true_low, true_high = _corrected_hits(votes, found, bounds, policy)
    flip, drift = _flips(votes)
    columns = {
        "n": np.repeat(everyone.sizes[:, None], v, axis=1),
        "hits": votes.own_level(items),
        "hit": hit[:, :v],
        "hit_low": bounds[0],
        "hit_high": bounds[1],
        "ceiling": ceiling,
        "hit_relative": np.divide(
            hit[:, :v], ceiling, out=np.full_like(ceiling, np.nan), where=ceiling >= LOWEST_CEILING
        ),
        "corrected": true,
        "corrected_low": true_low,
        "corrected_high": true_high,
        "judged_share": votes.own_level(np.broadcast_to(share, (g, *share.shape))),
        "test_share": np.repeat(np.where(votes.own >= 0, own_share, np.nan)[:, None], v, axis=1),
        "flip_rate": flip,
        "drift": votes.own_level(np.broadcast_to(drift, (g, *drift.shape))),
    }
    table = pd.DataFrame({name: values.T.ravel() for name, values in columns.items()})
    table["system"] = [system for system, _ in votes.variants for _ in range(g)]
    table["arm"] = [arm for _, arm in votes.variants for _ in range(g)]
    table["group"] = list(everyone.names) * v
    reason = np.full(len(table), "", dtype=object)
    reason[table["corrected"].isna()] = "not corrected: the judge confuses the levels"
    reason[table["ceiling"] < LOWEST_CEILING] = "the judge misses most originals of the group"
    reason[np.tile(everyone.clusters < policy.n_min, v)] = "insufficient data"
    reason[np.tile(votes.own < 0, v)] = "no level of the judge"
    reason[np.tile(everyone.sizes == 0, v)] = "empty"
    return table.assign(reason=reason)


def _corrected_hits(
    votes: Votes, found: Rates, bounds: tuple[Floats, ...], policy: Policy
) -> tuple[Floats, Floats, Floats]:
    """Corrected hit rates ``[G, V]`` with their interval.

    NaN unless the groups are exactly the levels of the judge: the matrix must be square. Every
    replicate has a judge's matrix of its own, so the interval knows how well that is known. Where
    all hit, or none, a bootstrap knows no doubt: there the interval is as long on either side as
    that of the hit rate (``bounds``), which does.
    """
    v, k = len(votes.variants), len(votes.levels)
    unknown = np.full((len(votes.own), v), np.nan)
    if sorted(votes.own) != list(range(k)):
        return unknown, unknown, unknown
    row = np.argsort(votes.own)  # group that each level of the judge belongs to

    def solve(rates: Floats) -> Floats:
        judge = confusion(rates[..., row, v, :])
        return votes.own_level(corrected(rates[..., :v, :], judge))

    true = solve(found.mean)
    low, high = interval(solve(found.resampled), alpha=policy.alpha)
    hit = votes.own_level(found.mean)[:, :v]
    certain = (hit == 0) | (hit == 1)
    low = np.where(certain, np.maximum(true - (hit - bounds[0]), 0.0), low)
    high = np.where(certain, np.minimum(true + (bounds[1] - hit), 1.0), high)
    return true, low, high


def _flips(votes: Votes) -> tuple[Floats, Floats]:
    """Flip rate ``[G, V]`` and drift ``[V, K]``."""
    k, n_groups = len(votes.levels), len(votes.cohort.names)
    pairs = votes.pairs
    both = pairs.sum(axis=(2, 3))
    off = both - np.einsum("nvkk->nv", pairs)
    flipped = np.divide(off, both, out=np.full_like(off, np.nan), where=both > 0)
    cells = in_cells(votes.cohort, flipped)
    known = np.isfinite(cells)
    total, count = np.zeros((2, n_groups, cells.shape[1]))
    np.add.at(total, votes.cohort.parts.cell_group, np.where(known, cells, 0.0))
    np.add.at(count, votes.cohort.parts.cell_group, known.astype(np.float64))
    rate = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    table = pairs.sum(axis=0)
    net, whole = table.sum(axis=1) - table.sum(axis=2), table.sum(axis=(1, 2))[:, None]
    drift = np.divide(net, whole, out=np.full((len(net), k), np.nan), where=whole > 0)
    return rate, drift
