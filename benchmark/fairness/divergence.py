"""How far shares are from what they should be, each with a test that respects clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from benchmark.fairness.counts import goodness_of_fit, homogeneity, symmetry
from benchmark.fairness.indices import divergences
from benchmark.fairness.model import Policy
from benchmark.fairness.resampling import Floats
from benchmark.fairness.votes import Rates, Votes, judged_shares

DIVERGENCE_COLUMNS = (
    *("system", "arm", "judge", "axis", "kind", "chi2", "chi2_corrected", "cheb", "tv", "tv_l1"),
    *("kl", "js", "test", "statistic", "p_value", "n", "reason"),
)
_INDICES = ("chi2", "cheb", "tv", "tv_l1", "kl", "js")
#: Pearson's chi2 distribution is trusted from this expected count on.
_EXPECTED = 5.0


@dataclass(frozen=True)
class Divergence:
    """One row: a kind of divergence of one system.

    Attributes:
        kind: ``rdp``, ``pr`` or ``flip``.
        n: items that the shares are made of.
        p, q: ``[K]`` shares, and what they should be; None where they are not defined.
        replicates: ``[B, K]`` of p, or of p - q where q is random too.
        test: name of the test.
        statistic, p_value: its result.
        reason: why a number is missing, or who was left out.
    """

    kind: str
    n: int
    p: Floats | None = None
    q: Floats | None = None
    replicates: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    test: str = ""
    statistic: float = float("nan")
    p_value: float = float("nan")
    reason: str = ""

    def row(self) -> dict[str, object]:
        """The columns from ``kind`` on."""
        found = dict.fromkeys((*_INDICES, "chi2_corrected"), float("nan"))
        if self.p is not None and self.q is not None:
            use = (self.q > 0) | (self.p > 0)
            found |= divergences(self.p[use], self.q[use])
            noise = np.nanvar(self.replicates[:, use], axis=0) / self.q[use]
            found["chi2_corrected"] = found["chi2"] - float(noise.sum())
        result = {"test": self.test, "statistic": self.statistic, "p_value": self.p_value}
        return {"kind": self.kind, "n": self.n, "reason": self.reason} | found | result


def divergence_table(
    votes: Votes, found: Rates, judge: str, policy: Policy, *, seed: int
) -> pd.DataFrame:
    """Three rows for every system and arm; see :func:`.representation.representation`."""
    kinds = (
        _equal_hits(votes, found, policy, seed),
        _test_shares(votes, found, policy, seed),
        _flips(votes, found, policy, seed),
    )
    rows = [
        {"system": system, "arm": arm, "judge": judge, "axis": votes.cohort.axis} | one.row()
        for (system, arm), *each in zip(votes.variants, *kinds, strict=True)
        for one in each
    ]
    return pd.DataFrame(rows, columns=list(DIVERGENCE_COLUMNS))


def _equal_hits(votes: Votes, found: Rates, policy: Policy, seed: int) -> Iterator[Divergence]:
    """``rdp``: the shares that groups have in the hits against uniform."""
    everyone, v = votes.cohort, len(votes.variants)
    compared = (everyone.clusters >= policy.n_min) & (votes.own >= 0)
    n = int(everyone.sizes[compared].sum())
    out = [name for name, use in zip(everyone.names, compared, strict=True) if not use]
    reason = f"left out: {', '.join(out)}" if out else ""
    hit = votes.own_level(found.mean)[compared, :v]
    again = votes.own_level(found.resampled)[:, compared, :v]
    own = np.maximum(votes.own, 0)[everyone.parts.cell_group]
    cells = found.by_cell[:, :v]
    cells = np.take_along_axis(cells, own[:, None, None], axis=2)[:, :, 0]
    statistic, p_value = homogeneity(
        everyone.parts, cells, compared, seed=seed, draws=policy.permutations
    )
    for number in range(v):
        total = hit[:, number].sum()
        if len(hit) < 2 or not total > 0:
            why = "single group" if len(hit) < 2 else "no hits"
            yield Divergence("rdp", n, reason=f"{why}; {reason}".rstrip("; "))
            continue
        rate = (everyone.sizes[compared] * hit[:, number]).sum() / n
        expected = everyone.sizes[compared].min() * min(rate, 1 - rate)
        plain = everyone.independent and not votes.repeated[number] and expected >= _EXPECTED
        mass = again[:, :, number].sum(axis=1, keepdims=True)
        shares = np.divide(
            again[:, :, number], mass, out=np.full_like(again[:, :, number], np.nan), where=mass > 0
        )
        yield Divergence(
            kind="rdp",
            n=n,
            p=hit[:, number] / total,
            q=np.full(len(hit), 1 / len(hit)),
            replicates=shares,
            test="chi2" if plain else "chi2, labels shuffled",
            statistic=float(statistic[number]),
            p_value=float(
                stats.chi2.sf(statistic[number], len(hit) - 1) if plain else p_value[number]
            ),
            reason=reason,
        )


def _test_shares(votes: Votes, found: Rates, policy: Policy, seed: int) -> Iterator[Divergence]:
    """``pr``: the shares of the levels among the outputs against those of the test set."""
    everyone, v = votes.cohort, len(votes.variants)
    q, n = votes.test_share, int(everyone.sizes.sum())
    shares = judged_shares(votes, found.mean)[:v]
    again = judged_shares(votes, found.resampled)[:, :v]
    strange = [name for name, own in zip(everyone.names, votes.own, strict=True) if own < 0]
    lacking = [name for name, share in zip(votes.levels, q, strict=True) if share == 0]
    if strange or lacking:
        what = f"no level of the judge: {', '.join(strange)}" if strange else (
            f"not in the test set: {', '.join(lacking)}"
        )  # fmt: skip
        yield from (Divergence("pr", n, reason=what) for _ in range(v))
        return
    for number in range(v):
        if np.isnan(shares[number]).any():
            yield Divergence("pr", n, reason="nothing could be judged")
            continue
        statistic, p_value = goodness_of_fit(
            _beyond_expected(votes, found, number, q),
            q,
            n=n,
            seed=seed,
            draws=policy.permutations,
        )
        yield Divergence(
            kind="pr",
            n=n,
            p=shares[number],
            q=q,
            replicates=again[:, number],
            test="goodness of fit, clusters flipped",
            statistic=statistic,
            p_value=p_value,
        )


def _beyond_expected(votes: Votes, found: Rates, number: int, q: Floats) -> Floats:
    """``[C, K]`` what each cluster adds to (judged share - share in the test set).

    With rates f and weight w of a cell, own level e and r the share of outputs that exist, the
    linearised contribution is ``w (f - r e - q (sum f - r)) / r``.
    """
    parts = votes.cohort.parts
    weight = (votes.cohort.sizes / votes.cohort.sizes.sum() / votes.cohort.clusters)[
        parts.cell_group
    ]
    f = found.by_cell[:, number]
    own = np.eye(len(q))[votes.own[parts.cell_group]]
    exist = f.sum(axis=1)
    r = float((weight * exist).sum())
    beyond = weight[:, None] * (f - r * own - q * (exist - r)[:, None]) / r
    out = np.zeros((int(parts.cell_cluster.max()) + 1, len(q)))
    np.add.at(out, parts.cell_cluster, beyond)
    return out


def _flips(votes: Votes, found: Rates, policy: Policy, seed: int) -> Iterator[Divergence]:
    """``flip``: what the judge sees in the outputs against what it sees in the originals."""
    everyone, v = votes.cohort, len(votes.variants)
    shares = judged_shares(votes, found.resampled)
    clusters = int(everyone.cluster.max(initial=0)) + 1
    for number in range(v):
        pairs = votes.pairs[:, number]
        table = pairs.sum(axis=0)
        n = round(float(table.sum()))
        if not table.sum() > 0:
            yield Divergence("flip", n, reason="nothing could be judged")
            continue
        by_cluster = np.zeros((clusters, *table.shape))
        np.add.at(by_cluster, everyone.cluster, pairs)
        statistic, p_value = symmetry(table, by_cluster, seed=seed, draws=policy.permutations)
        p, q = table.sum(axis=0) / table.sum(), table.sum(axis=1) / table.sum()
        new = bool(((p > 0) & (q == 0)).any())
        yield Divergence(
            kind="flip",
            n=n,
            p=None if new else p,
            q=None if new else q,
            replicates=shares[:, number] - shares[:, v],
            test="bowker, clusters flipped",
            statistic=statistic,
            p_value=p_value,
            reason="a level that no original shows" if new else "",
        )
