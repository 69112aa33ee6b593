"""Randomisation tests against exact enumeration, scipy, and their own promises."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from benchmark.fairness.cells import Partition, partition
from benchmark.fairness.permutation import comparable_pairs, is_nested, max_t
from benchmark.fairness.study import Layout


def _layout(names: tuple[str, ...], blocks: int = 1, compared: object = None) -> Layout:
    level, block = np.divmod(np.arange(len(names)), blocks)
    return Layout(
        axis="x",
        role="sensitive",
        names=names,
        level=level,
        block=block,
        block_names=tuple(f"b{i}" for i in range(blocks)),
        compared=np.ones(len(names), dtype=bool) if compared is None else np.asarray(compared),
    )


def _nested(*sizes: int) -> tuple[Partition, Layout]:
    names = tuple("abcdefgh"[: len(sizes)])
    group = np.repeat(np.arange(len(sizes)), sizes)
    return partition(group, np.arange(len(group)), names), _layout(names)


def _crossed(n: int, k: int) -> tuple[Partition, Layout]:
    names = tuple("abcdefgh"[:k])
    return partition(np.tile(np.arange(k), n), np.repeat(np.arange(n), k), names), _layout(names)


def _p(parts: Partition, layout: Layout, x: np.ndarray, draws: int = 4999) -> np.ndarray:
    values = x.reshape(len(x), -1)
    eligible = np.ones((len(layout.names), values.shape[1]), dtype=bool)
    return max_t(parts, layout, values, eligible, seed=1, draws=draws).p


def _welch(a: np.ndarray, b: np.ndarray) -> float:
    return abs(stats.ttest_ind(a, b, equal_var=False).statistic)


def test_nested_p_is_that_of_all_permutations() -> None:
    x = np.random.default_rng(0).normal(size=10)
    x[:4] += 1.5
    parts, layout = _nested(4, 6)
    observed = _welch(x[:4], x[4:])
    every = [
        _welch(x[list(chosen)], np.delete(x, list(chosen))) for chosen in combinations(range(10), 4)
    ]
    exact = np.mean([t >= observed * (1 - 1e-9) for t in every])
    assert _p(parts, layout, x, 19_999)[0, 0] == pytest.approx(exact, abs=0.005)


def test_nested_p_is_that_of_scipys_permutation_test() -> None:
    x = np.random.default_rng(1).normal(size=24)
    x[:9] += 0.6
    parts, layout = _nested(9, 15)
    oracle = stats.permutation_test(
        (x[:9], x[9:]),
        _welch,
        alternative="greater",
        n_resamples=4999,
        rng=np.random.default_rng(0),
    )
    assert _p(parts, layout, x)[0, 0] == pytest.approx(oracle.pvalue, abs=0.03)


def test_crossed_p_is_that_of_all_label_swaps() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal([0.0, 0.6], size=(9, 2))
    parts, layout = _crossed(9, 2)
    d = x[:, 0] - x[:, 1]

    def t(flipped: np.ndarray) -> float:
        return abs(stats.ttest_1samp(flipped, 0).statistic)

    every = [t(d * np.array(signs)) for signs in product((-1, 1), repeat=9)]
    exact = np.mean(np.array(every) >= t(d) * (1 - 1e-9))
    assert _p(parts, layout, x.ravel(), 19_999)[0, 0] == pytest.approx(exact, abs=0.005)


def test_pairing_finds_what_unpaired_groups_hide() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 3, size=(40, 1)) + rng.normal(0, 0.3, size=(40, 2)) + [0.0, 0.5]
    crossed = _p(*_crossed(40, 2), x.ravel())[0, 0]
    nested = _p(*_nested(40, 40), x.T.ravel())[0, 0]
    assert crossed < 0.001
    assert nested > 0.1


def test_only_the_pairs_that_differ_are_found() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal([0.0, 0.0, 1.5], size=(40, 3))
    p = _p(*_nested(40, 40, 40), x.T.ravel())[:, 0]
    assert p[0] > 0.05
    assert (p[1:] <= 0.001).all()


def test_unequal_scatter_and_size_do_not_reject_too_often() -> None:
    """Unstudentised permutation rejects 39 % of these nulls (specification, fact 5)."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(0, 6, (30, 1500)), rng.normal(0, 2, (300, 1500))])
    parts, layout = _nested(30, 300)
    assert (_p(parts, layout, x, 499)[0] <= 0.05).mean() <= 0.065


def test_family_wise_error_over_all_pairs_is_kept_when_one_group_differs() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(16, 4, 800))
    x[:, 3] += 2
    parts, layout = _crossed(16, 4)
    p = _p(parts, layout, x.reshape(64, 800), 499)
    equal = (comparable_pairs(layout) < 3).all(axis=1)
    assert (p[equal].min(axis=0) <= 0.05).mean() <= 0.065


@pytest.mark.parametrize("design", ["nested", "crossed"])
def test_equal_values_are_no_evidence(design: str) -> None:
    parts, layout = _nested(9, 9, 9) if design == "nested" else _crossed(9, 3)
    assert (_p(parts, layout, np.full(27, 0.1)) == 1).all()


@pytest.mark.parametrize("design", ["nested", "crossed"])
def test_separated_constants_are_as_much_evidence_as_their_number_allows(design: str) -> None:
    x = np.array([[0.1] * 10, [0.7] * 10])
    if design == "nested":
        p, smallest = _p(*_nested(10, 10), x.ravel()), 2 / 184_756
    else:
        p, smallest = _p(*_crossed(10, 2), x.T.ravel()), 2 / 2**10
    assert p[0, 0] == pytest.approx(smallest, abs=0.002)


def test_groups_that_may_not_be_compared_have_no_p() -> None:
    parts, layout = _nested(10, 10, 3)
    values = np.random.default_rng(7).normal(size=(23, 2))
    eligible = np.array([[True, True], [True, False], [False, False]])
    found = max_t(parts, layout, values, eligible, seed=0, draws=99)
    assert np.isfinite(found.p).tolist() == [[True, False], [False, False], [False, False]]
    assert np.isnan(found.p_any[1])


def test_missing_clusters_are_not_there() -> None:
    x = np.random.default_rng(8).normal(size=30)
    gone = np.zeros(30, dtype=bool)
    gone[[2, 20, 21]] = True
    whole, layout = _nested(15, 15)
    some, same = _nested(14, 13)
    with_gaps = np.where(gone, np.nan, x)
    np.testing.assert_allclose(
        _p(whole, layout, with_gaps, 9999), _p(some, same, x[~gone], 9999), atol=0.02
    )


def test_contexts_are_never_compared_with_each_other() -> None:
    rng = np.random.default_rng(9)
    names = ("a*dim", "a*bright", "b*dim", "b*bright")
    layout = _layout(names, blocks=2)
    assert comparable_pairs(layout).tolist() == [[0, 2], [1, 3]]
    people = np.repeat(np.arange(40), 2)
    group = np.where(people < 20, 0, 2) + np.tile([0, 1], 40)
    parts = partition(group, people, names)
    assert is_nested(parts, layout)
    x = rng.normal(size=80) + 5 * np.tile([0, 1], 40)
    assert (_p(parts, layout, x) > 0.05).all()
    assert (_p(parts, layout, x + 2.0 * (people < 20)) < 0.01).all()


def test_a_column_has_the_same_p_whoever_is_analysed_beside_it() -> None:
    x = np.random.default_rng(10).normal(size=(60, 40))
    for parts, layout in (_nested(20, 20, 20), _crossed(20, 3)):
        np.testing.assert_array_equal(
            _p(parts, layout, x)[:, 3], _p(parts, layout, x[:, 3:4])[:, 0]
        )


@pytest.mark.parametrize("design", ["half crossed", "crossed, a fifth missing"])
def test_people_in_some_of_the_groups_do_not_reject_too_often(design: str) -> None:
    rng, tables = np.random.default_rng(12), 1500
    if design == "half crossed":
        group = np.concatenate([np.tile([0, 1, 2], 20), np.repeat([0, 1, 2], [12, 8, 30])])
        person = np.concatenate([np.repeat(np.arange(20), 3), np.arange(20, 70)])
    else:
        group, person = np.tile([0, 1, 2], 40), np.repeat(np.arange(40), 3)
    parts = partition(group, person, ("a", "b", "c"))
    x = rng.normal(size=(70, tables))[parts.cell_cluster]
    x += rng.normal(0, 0.5, size=x.shape) * np.array([1.0, 1.0, 3.0])[parts.cell_group][:, None]
    if design != "half crossed":
        x[rng.random(x.shape) < 0.2] = np.nan
    p = _p(parts, _layout(("a", "b", "c")), x, 299)
    assert not is_nested(parts, _layout(("a", "b", "c")))
    assert (p.min(axis=0) <= 0.05).mean() <= 0.065
