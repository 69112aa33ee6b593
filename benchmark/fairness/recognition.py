"""Does enhancement help a recogniser, whom, and whom does it harm? (metrics, section 5.6)

Every output is paired with the input and the clean reference of its own sample. A picture counts as
a picture here, unlike in the group table where a person with many counts once. Harm is the share of
all pictures that were read before and are not after, help the reverse, both with the denominator
beside them; ``net = help - harm = delta``. What the pictures of a cluster share is honoured by
intervals and tests, which rest on clusters (:mod:`benchmark.fairness.flips`).

Rules for what is not plainly right or wrong:

* a failed output was not recognised: it counts as wrong after, whatever came before;
* what the reader made of input and reference belongs to the sample, so a failed row takes it from
  the rows of other systems and runs, of which the table always has the ``input``; where no row
  knows it (the picture itself could not be read), nobody recognised it before either;
* a sample without a right answer cannot be counted at all: ``n`` says how many could.

An arm that was trained from R seeds has R outcomes per sample. Counts are then averages over seeds
and may be fractions; a cluster's sum runs over all of them, so the test asks whether these runs
changed anything for clusters like these. What another training run would do is the question of the
effects table, not of this one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.fairness.adjust import holm
from benchmark.fairness.calibration import calibration_error
from benchmark.fairness.flips import difference_interval, rate_interval, sign_flip_p
from benchmark.fairness.model import AxisInfo, MetricInfo, Policy
from benchmark.fairness.resampling import Floats
from benchmark.fairness.study import Layout, Study, study

OUTCOME_COLUMNS = (
    "system",
    "arm",
    "axis",
    "group",
    "protocol",
    "judge",
    "n",
    "n_clusters",
    "accuracy_input",
    "accuracy",
    "accuracy_reference",
    "delta",
    "delta_low",
    "delta_high",
    "worse",
    "better",
    "mcnemar_p",
    "p_holm",
    "harm_rate",
    "harm_low",
    "harm_high",
    "harm_n",
    "help_rate",
    "help_low",
    "help_high",
    "help_n",
    "net",
    "recovery",
    "ece",
    "ece_n",
)

#: Distance between input and reference below which their recovery is a ratio of noise.
SMALLEST_LOSS = 0.02
#: Pictures below which no calibration error is given.
LEAST_FOR_ECE = 200

_COLUMNS = ("accuracy", "accuracy_input", "accuracy_reference", "confidence")


@dataclass(frozen=True)
class _Answers:
    """Rows of one system and arm that can be counted, ``[n]`` each: 1 for right, 0 for wrong.

    ``clean`` is NaN without a reference and ``confidence`` where the output failed; ``runs`` is the
    number of seeds.
    """

    before: Floats
    after: Floats
    clean: Floats
    confidence: Floats
    cluster: NDArray[np.int64]
    sample: NDArray[np.int64]
    group: NDArray[np.int64]
    runs: int

    def of(self, group: int) -> _Answers:
        """Those of one group."""
        use = self.group == group
        parts = {
            name: getattr(self, name)[use] for name in self.__dataclass_fields__ if name != "runs"
        }
        return _Answers(**parts, runs=self.runs)


def outcomes(
    samples: pd.DataFrame,
    *,
    axes: Sequence[AxisInfo],
    policy: Policy | None = None,
    protocol: str,
    judge: str,
    suffix: str = "",
) -> pd.DataFrame:
    """What became of every picture that a reader was shown, per system, arm and stratum.

    Strata are everybody (axis ``""``), the levels of every sensitive and context axis, and the
    crossings of any of them with a context. The hypotheses of one axis, all its groups and all
    systems, share a Holm correction; where nothing turned either way no test could have rejected,
    so those do not count (Tarone 1990).

    Args:
        samples: columns system, arm, seed, sample, cluster, status, one per axis, ``accuracy``,
            ``accuracy_input`` and ``confidence``, and ``accuracy_reference`` and ``label`` where
            there are any.
        axes: what to stratify by.
        policy: for ``alpha``; the defaults of the specification if None.
        protocol: ``frozen`` or ``retrained``, for the column of that name: rows of the two are
            answers to two questions and are never mixed.
        judge: name of the reader, for the column of that name.
        suffix: of the columns with its answers, as in ``accuracy:cifar10-resnet20``.

    Returns:
        Columns :data:`OUTCOME_COLUMNS`, one row per system, arm, axis and group.

    Raises:
        DataError: if the samples table does not have what was asked for.
    """
    policy = policy or Policy()
    data, answers = _answers(samples, axes, suffix)
    tables = []
    for layout, group in _strata(data, axes):
        rows = list(_rows(data, answers, layout, group, level=1 - policy.alpha))
        table = pd.DataFrame(rows)
        if len(table):
            changed = (table["worse"] + table["better"]) > 0
            table["p_holm"] = holm(table["mcnemar_p"].where(changed))
            table["p_holm"] = table["p_holm"].where(changed, table["mcnemar_p"])
            tables.append(table)
    if not tables:
        return pd.DataFrame(columns=list(OUTCOME_COLUMNS))
    table = pd.concat(tables, ignore_index=True).assign(protocol=protocol, judge=judge)
    return table.sort_values(["_variant"], kind="stable", ignore_index=True)[list(OUTCOME_COLUMNS)]


def _answers(
    samples: pd.DataFrame, axes: Sequence[AxisInfo], suffix: str
) -> tuple[Study, pd.DataFrame]:
    """The study, and of each of its rows before, after, clean, confidence and whether it counts."""
    if suffix:
        of_record = [name for name in _COLUMNS if name in samples]
        own = {f"{name}{suffix}": name for name in _COLUMNS}
        samples = samples.drop(columns=of_record).rename(columns=own)
    if "accuracy_reference" not in samples:
        samples = samples.assign(accuracy_reference=np.nan)
    data = study(samples, [MetricInfo(name, 1, kind="rate") for name in _COLUMNS], axes)
    after, before, clean, confidence = data.values.T
    sample = pd.factorize(data.frame["sample"])[0]
    table = pd.DataFrame({"before": before, "clean": clean})
    table = table.fillna(table.groupby(sample).transform("max")).fillna(
        {"before": 0.0} | ({"clean": 0.0} if np.isfinite(clean).any() else {})
    )
    unanswerable = data.ok & ~np.isfinite(after)
    if "label" in data.frame:
        unanswerable |= data.frame["label"].isna().to_numpy()
    unanswerable = pd.Series(unanswerable).groupby(sample).transform("max").to_numpy(dtype=bool)
    return data, table.assign(
        after=np.where(np.isfinite(after), after, 0.0),
        confidence=confidence,
        sample=sample,
        counts=~unanswerable,
    )


def _strata(data: Study, axes: Sequence[AxisInfo]) -> Iterator[tuple[Layout, NDArray[np.int64]]]:
    """Layouts with the group of every row; contexts are crossed with each other as well."""
    found = data.layouts(axes)
    for one, two in combinations([axis for axis in axes if axis.role == "context"], 2):
        found.append(data.layouts((replace(one, role="sensitive"), two))[-1])
    for layout, parts in found:
        yield layout, parts.cell_group[parts.cell_of_row]


def _rows(
    data: Study,
    answers: pd.DataFrame,
    layout: Layout,
    group: NDArray[np.int64],
    *,
    level: float,
) -> Iterator[dict[str, object]]:
    for number, (system, arm) in enumerate(data.variants):
        own = (data.variant == number) & answers["counts"].to_numpy()
        part = answers[own]
        rows = _Answers(
            before=part["before"].to_numpy(),
            after=part["after"].to_numpy(),
            clean=part["clean"].to_numpy(),
            confidence=part["confidence"].to_numpy(),
            cluster=data.clusters[own],
            sample=part["sample"].to_numpy(),
            group=group[own],
            runs=max(1, data.frame["seed"][data.variant == number].nunique()),
        )
        for code, name in enumerate(layout.names):
            yield {
                "_variant": number,
                "system": system,
                "arm": arm,
                "axis": layout.axis,
                "group": name,
                **_stratum(rows.of(code), level),
            }


def _stratum(rows: _Answers, level: float) -> dict[str, float]:
    """The numbers of one row of the table."""
    _, cluster = np.unique(rows.cluster, return_inverse=True)

    def by_cluster(values: NDArray[np.generic]) -> Floats:
        return np.bincount(cluster.ravel(), values).astype(np.float64)

    n, samples = len(rows.after), len(np.unique(rows.sample))
    bad, good = rows.before > rows.after, rows.before < rows.after
    items, worse, better = by_cluster(np.ones(n)), by_cluster(bad), by_cluster(good)
    before, after, clean = _mean(rows.before), _mean(rows.after), _mean(rows.clean)
    loss = clean - before
    harm = rate_interval(worse, items, level=level)
    aid = rate_interval(better, items, level=level)
    delta = difference_interval(worse=worse, better=better, items=items, level=level)
    told = np.isfinite(rows.confidence)
    ece_n = len(np.unique(rows.sample[told]))
    return {
        "n": samples,
        "n_clusters": len(items),
        "accuracy_input": before,
        "accuracy": after,
        "accuracy_reference": clean,
        "delta": _ratio((good.sum() - bad.sum()), n),
        "delta_low": delta[0],
        "delta_high": delta[1],
        "worse": bad.sum() / rows.runs,
        "better": good.sum() / rows.runs,
        "mcnemar_p": sign_flip_p((better - worse).astype(np.int64)) if n else math.nan,
        "harm_rate": _ratio(bad.sum(), n),
        "harm_low": harm[0],
        "harm_high": harm[1],
        "harm_n": samples,
        "help_rate": _ratio(good.sum(), n),
        "help_low": aid[0],
        "help_high": aid[1],
        "help_n": samples,
        "net": _ratio(good.sum(), n) - _ratio(bad.sum(), n),
        "recovery": (after - before) / loss if loss >= SMALLEST_LOSS else math.nan,
        "ece": calibration_error(rows.confidence[told], rows.after[told], rows.cluster[told])
        if ece_n >= LEAST_FOR_ECE
        else math.nan,
        "ece_n": ece_n,
    }


def _mean(values: Floats) -> float:
    """NaN if one is missing: the accuracies of a row speak of the same pictures."""
    return float(values.mean()) if len(values) else math.nan


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
