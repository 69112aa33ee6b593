"""How fast the cluster bootstrap is: against fairlearn's, and on a million rows.

    python benchmarks/bootstrap.py [--full]

Both parts run in one process. Part 1 computes 95 % percentile intervals of the group means at
10,000 rows x 8 metrics x 1,000 replicates with fairlearn's ``MetricFrame(n_boot=...)`` and with
this suite. fairlearn is slow, so by default it is timed at 50 replicates and scaled (its time is
proportional to them); ``--full`` runs all 1,000. Part 2 is 10,000 replicates of a million rows x 8
metrics x 10 groups in 20,000 clusters, from the raw columns to BCa intervals. All times are CPU
seconds, of all cores together.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd

from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import cell_means, partition
from benchmark.fairness.intervals import mean_intervals, percentile
from benchmark.fairness.moments import moments

METRICS = 8


def rows(n: int, groups: int, clusters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group codes, cluster codes and ``[n, 8]`` metrics of simulated images."""
    rng = np.random.default_rng(0)
    cluster = np.arange(n) % clusters
    values = rng.normal(size=(clusters, METRICS))[cluster] + rng.normal(size=(n, METRICS))
    return cluster % groups, cluster, values


def ours(
    group: np.ndarray, cluster: np.ndarray, values: np.ndarray, *, replicates: int, bca: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ``[K, 8]``, from raw columns, nothing prepared."""
    names = tuple(f"g{i}" for i in range(group.max() + 1))
    parts = partition(group, cluster, names)
    once = np.zeros(len(group), dtype=np.int64)
    cells = np.concatenate([cell_means(*parts.sums(x, once, 1)) for x in values.T], axis=1)
    estimate = moments(parts, cells)
    found = Bootstrap(parts, 0, replicates).run(cells, estimate)
    if not bca:
        low, high = percentile(found.delta)
        return estimate.mean + low, estimate.mean + high
    low, high, method = mean_intervals(
        cells,
        parts.cell_group,
        estimate,
        found,
        rate=np.zeros(METRICS, dtype=bool),
        items=estimate.n,
        level=0.95,
    )
    assert (method == "bca").all()
    return low, high


def fairlearns(group: np.ndarray, values: np.ndarray, *, replicates: int) -> list[pd.DataFrame]:
    """Low and high of the group means by fairlearn, which resamples rows over all groups."""
    from fairlearn.metrics import MetricFrame

    def item_mean(column: int) -> Callable[[np.ndarray, np.ndarray], float]:
        return lambda y_true, y_pred: float(values[y_pred, column].mean())

    index = np.arange(len(group))
    frame = MetricFrame(
        metrics={f"m{i}": item_mean(i) for i in range(METRICS)},
        y_true=index,
        y_pred=index,
        sensitive_features=group,
        n_boot=replicates,
        ci_quantiles=[0.025, 0.975],
        random_state=0,
    )
    return list(frame.by_group_ci)


def timed(work: Callable[[], object]) -> float:
    """CPU seconds that ``work`` takes, so that other work on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--full", action="store_true", help="run fairlearn with all replicates")
    full = parser.parse_args().full
    group, _, values = rows(10_000, 7, 10_000)
    alone = np.arange(10_000)
    work = (group, alone, values)
    ours(*work, replicates=1_000, bca=False)
    mine = median(timed(lambda: ours(*work, replicates=1_000, bca=False)) for _ in range(5))
    replicates = 1_000 if full else 50
    theirs = timed(lambda: fairlearns(group, values, replicates=replicates))
    print("1. percentile intervals of 7 group means, 10,000 rows x 8 metrics x 1,000 replicates")
    print(f"   this suite            {mine:8.3f} s  (median of 5)")
    if full:
        print(f"   fairlearn             {theirs:8.1f} s")
    else:
        print(f"   fairlearn             {theirs:8.1f} s for {replicates} replicates, measured")
        theirs *= 1_000 / replicates
        print(f"   fairlearn             {theirs:8.1f} s for 1,000, scaled (--full measures it)")
    print(f"   ratio                 {theirs / mine:8.0f} x")
    group, cluster, values = rows(1_000_000, 10, 20_000)
    seconds = timed(lambda: ours(group, cluster, values, replicates=10_000, bca=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print("2. BCa intervals, 1,000,000 rows x 8 metrics x 10 groups in 20,000 clusters,")
    print(f"   10,000 replicates     {seconds:8.1f} s, peak memory of this process {peak:.2f} GB")


if __name__ == "__main__":
    main()
