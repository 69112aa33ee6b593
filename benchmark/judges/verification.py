"""How well embeddings tell people apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def verification_auc(
    embeddings: NDArray[np.floating],
    identities: NDArray[np.integer],
    probes: NDArray[np.floating] | None = None,
) -> float:
    """Chance that a pair of one person is more alike than a pair of two.

    The area under the ROC curve over all pairs by the Mann-Whitney statistic, ties counted half.

    Args:
        embeddings: ``[N, D]``, rows of unit length.
        identities: ``[N]``, who it is.
        probes: ``[N, D]``, other views of the same samples (a degraded version, for example);
            pairs are then (probe i, embedding j), i and j different. Default: ``embeddings``.

    Returns:
        In [0, 1]; NaN if there is no pair of one person or none of two.
    """
    symmetric = probes is None
    left = embeddings if probes is None else probes
    cosine = left @ embeddings.T
    same = identities[:, None] == identities[None]
    count = len(identities)
    pairs = np.triu(np.ones((count, count), bool), 1) if symmetric else ~np.eye(count, dtype=bool)
    scores, genuine = cosine[pairs], same[pairs]
    positives = int(genuine.sum())
    negatives = len(genuine) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)[genuine].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
