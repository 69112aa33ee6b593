"""Draws: exact multinomials, paired, independent of everything but seed and names."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.fairness import resampling
from benchmark.fairness.bootstrap import Bootstrap
from benchmark.fairness.cells import Partition, partition
from benchmark.fairness.moments import moments
from benchmark.fairness.resampling import multinomial_counts, random_signs, stream

RNG = np.random.default_rng(5)


def _nested(sizes: tuple[int, ...], names: tuple[str, ...]) -> Partition:
    return partition(np.repeat(np.arange(len(sizes)), sizes), np.arange(sum(sizes)), names)


def test_counts_follow_the_multinomial() -> None:
    counts = multinomial_counts(stream(1, "x"), rows=20_000, n=5)
    assert (counts.sum(axis=1) == 5).all()
    observed = np.bincount(counts[:, 0].astype(int), minlength=6)
    expected = stats.binom.pmf(np.arange(6), 5, 0.2) * len(counts)
    assert stats.chisquare(observed, expected).pvalue > 0.001
    correlation = np.corrcoef(counts[:, 0], counts[:, 1])[0, 1]
    assert correlation == pytest.approx(-1 / 4, abs=0.02)


def test_signs_are_fair() -> None:
    signs = random_signs(stream(1, "x"), rows=1000, n=50)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 4 / np.sqrt(signs.size)


def test_replicates_are_the_means_of_the_drawn_clusters() -> None:
    parts = _nested((12, 7), ("a", "b"))
    values = RNG.normal(size=(19, 3))
    values[4, 1] = np.nan
    estimate = moments(parts, values)
    found = Bootstrap(parts, 9, 50).run(values, estimate).delta + estimate.mean
    for group, (name, at) in enumerate((("a", slice(0, 12)), ("b", slice(12, 19)))):
        n = at.stop - at.start
        counts = multinomial_counts(stream(9, "bootstrap", name), rows=50, n=n).astype(int)
        for replicate in range(50):
            drawn = np.repeat(values[at], counts[replicate], axis=0)
            np.testing.assert_allclose(found[replicate, group], np.nanmean(drawn, axis=0))


def test_replicate_variances_are_those_of_the_drawn_clusters() -> None:
    parts, values = _nested((12,), ("a",)), RNG.normal(size=(12, 2))
    found = Bootstrap(parts, 9, 20).run(values, moments(parts, values), studentise=np.array([True]))
    counts = multinomial_counts(stream(9, "bootstrap", "a"), rows=20, n=12).astype(int)
    assert found.variance is not None
    for replicate in range(20):
        drawn = np.repeat(values, counts[replicate], axis=0)
        np.testing.assert_allclose(found.variance[replicate, 0], drawn.var(axis=0) / 11)


def test_a_group_is_drawn_the_same_whoever_else_is_there_and_in_whatever_order() -> None:
    x = RNG.normal(size=(30, 1))
    one, two = _nested((20, 10), ("a", "b")), _nested((10, 20), ("b", "a"))
    first = Bootstrap(one, 0, 99).run(x, moments(one, x)).delta
    swapped = np.concatenate([x[20:], x[:20]])
    second = Bootstrap(two, 0, 99).run(swapped, moments(two, swapped)).delta
    np.testing.assert_allclose(first, second[:, ::-1], rtol=0, atol=1e-14)


def test_kept_and_fresh_weights_and_any_block_of_columns_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, x = _nested((300, 200), ("a", "b")), RNG.normal(size=(500, 6))
    boot = Bootstrap(parts, 0, 300)
    whole = boot.run(x, moments(parts, x)).delta
    again = boot.run(x[:, 2:4], moments(parts, x[:, 2:4])).delta
    np.testing.assert_allclose(whole[:, :, 2:4], again, rtol=0, atol=1e-15)
    monkeypatch.setattr("benchmark.fairness.bootstrap._KEPT_WEIGHTS", 0)
    np.testing.assert_array_equal(whole, Bootstrap(parts, 0, 300).run(x, moments(parts, x)).delta)


def test_chunks_cover_everything_once() -> None:
    covered = [i for rows in resampling.chunks(2_500, 1_000) for i in range(rows.start, rows.stop)]
    assert covered == list(range(2_500))


def test_variance_of_replicates_is_the_plug_in_variance() -> None:
    parts, x = _nested((40,), ("a",)), RNG.normal(size=(40, 1))
    delta = Bootstrap(parts, 0, 20_000).run(x, moments(parts, x)).delta
    assert delta.var() == pytest.approx(x.var() / 40, rel=0.04)


def test_crossed_groups_move_together() -> None:
    person = RNG.normal(size=30)
    x = np.stack([person, person + 1], axis=1).ravel()[:, None]
    parts = partition(np.tile([0, 1], 30), np.repeat(np.arange(30), 2), ("a", "b"))
    delta = Bootstrap(parts, 0, 99).run(x, moments(parts, x)).delta
    np.testing.assert_allclose(delta[:, 0], delta[:, 1], atol=1e-12)
