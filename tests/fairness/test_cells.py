"""The partition that everything rests on, against pandas and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.fairness.cells import cell_means, partition


def _random(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    values[rng.random(n) < 0.1] = np.nan
    return rng.integers(-1, 3, n), rng.integers(0, 40, n), values, rng.integers(0, 2, n)


def test_cell_means_equal_a_pandas_groupby() -> None:
    group, cluster, values, variant = _random()
    parts = partition(group, cluster, ("a", "b", "c"))
    means = cell_means(*parts.sums(values, variant, 2))
    frame = pd.DataFrame({"g": group, "c": cluster, "v": variant, "x": values})
    expected = frame[frame.g >= 0].groupby(["c", "g", "v"]).x.mean()
    for cell in range(parts.n_cells):
        for column in range(2):
            key = (parts.cell_cluster[cell], parts.cell_group[cell], column)
            np.testing.assert_allclose(means[cell, column], expected.get(key, np.nan))


def test_rows_per_group_counts_rows_and_leaves_excluded_ones_out() -> None:
    group, cluster, values, variant = _random()
    counts = partition(group, cluster, ("a", "b", "c")).rows_per_group(
        np.isfinite(values), variant, 2
    )
    for g in range(3):
        for v in range(2):
            use = (group == g) & (variant == v) & np.isfinite(values)
            assert counts[g, v] == use.sum()


def test_nested_clusters_are_one_stratum_a_group() -> None:
    parts = partition(np.repeat([0, 1], 20), np.arange(40), ("b", "a"))
    assert [s.key for s in parts.strata] == [("a",), ("b",)]
    assert [s.n for s in parts.strata] == [20, 20]


def test_crossed_clusters_are_one_stratum() -> None:
    parts = partition(np.tile([0, 1, 2], 20), np.repeat(np.arange(20), 3), ("a", "b", "c"))
    (stratum,) = parts.strata
    assert stratum.key == ("a", "b", "c")
    assert stratum.cells.shape == (20, 3)


def test_a_few_incomplete_clusters_join_the_stratum_they_are_most_like() -> None:
    cluster = np.repeat(np.arange(20), 2)
    group = np.tile([0, 1], 20)
    keep = np.ones(40, dtype=bool)
    keep[[1, 3]] = False  # clusters 0 and 1 lack group 1
    parts = partition(group[keep], cluster[keep], ("a", "b"))
    (stratum,) = parts.strata
    assert stratum.n == 20
    assert (stratum.cells < 0).sum() == 2


def test_many_incomplete_clusters_are_a_stratum_of_their_own() -> None:
    cluster = np.concatenate([np.repeat(np.arange(20), 2), np.arange(20, 30)])
    group = np.concatenate([np.tile([0, 1], 20), np.zeros(10, dtype=int)])
    assert [s.n for s in partition(group, cluster, ("a", "b")).strata] == [10, 20]


def test_small_nested_groups_stay_apart() -> None:
    parts = partition(np.array([0, 0, 1]), np.arange(3), ("a", "b"))
    assert [(s.key, s.n) for s in parts.strata] == [(("a",), 2), (("b",), 1)]


@pytest.mark.parametrize("n_groups", [1, 9, 70])
def test_no_rows_give_no_cells(n_groups: int) -> None:
    none = np.array([], dtype=np.int64)
    parts = partition(none, none, tuple(f"g{i}" for i in range(n_groups)))
    assert (parts.n_cells, parts.n_clusters, parts.strata) == (0, 0, ())
