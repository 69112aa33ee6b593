"""Exponentiated gradient between rounds: closed forms, the simplex, the floor, the limit."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.errors import SpecError
from benchmark.schedules.rounds import Rounds, ascended, deviations
from benchmark.schedules.table import PRIOR

ROWS = PRIOR.weights()


def test_deviations_are_paired_differences_in_bootstrap_standard_errors() -> None:
    rng = np.random.default_rng(0)
    errors, reference = rng.random((40, 2)), rng.random((40, 2))
    labels = np.repeat([0, 2], 20)
    found = deviations(errors, reference, labels, 4)
    apart = (errors - reference)[labels == 2, 1]
    resampled = rng.choice(apart, (20_000, 20)).mean(1)
    assert found[2, 1] == pytest.approx(apart.mean() / resampled.std(), rel=0.02)
    assert (found[[1, 3]] == 0).all()


def test_where_nothing_differs_nothing_is_behind() -> None:
    errors = np.random.default_rng(1).random((8, 3))
    behind = deviations(errors, errors, np.zeros(8, np.int64), 4)
    assert (behind == 0).all()
    rows = np.full((4, 3), 1 / 3)
    assert ascended(rows, behind, Rounds(), floor=0.02) is rows


def test_a_short_step_is_the_softmax_of_the_formula() -> None:
    behind = np.zeros_like(ROWS)
    behind[1, 3] = 0.5
    moved = ascended(ROWS, behind, Rounds(rate=0.3), floor=0.0)
    raw = np.exp(np.log(ROWS[1]) + 0.3 * behind[1])
    np.testing.assert_allclose(moved[1], raw / raw.sum(), rtol=1e-12)
    np.testing.assert_allclose(moved[[0, 2, 3]], ROWS[[0, 2, 3]], rtol=1e-12)


def test_rows_stay_on_the_simplex_above_the_floor_and_within_the_limit() -> None:
    rng = np.random.default_rng(2)
    rows, least = ROWS, PRIOR.floor / (1 + PRIOR.floor * ROWS.shape[1])
    for _ in range(50):
        moved = ascended(rows, rng.normal(0, 8, rows.shape), Rounds(), floor=PRIOR.floor)
        np.testing.assert_allclose(moved.sum(1), 1, rtol=1e-12)
        assert moved.min() >= least - 1e-12
        assert np.abs(moved - rows).max() <= 0.1 + 1e-12
        rows = moved


def test_what_is_behind_everywhere_alike_moves_nothing() -> None:
    moved = ascended(ROWS, np.full_like(ROWS, 3.0), Rounds(), floor=PRIOR.floor / 2)
    np.testing.assert_allclose(moved, ROWS, atol=1e-12)


def test_rounds_are_equal_parts_of_the_run() -> None:
    assert [Rounds(4).of(step, 8) for step in range(8)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {Rounds(1).of(step, 8) for step in range(8)} == {0}


@pytest.mark.parametrize("wrong", [{"count": 0}, {"rate": -1.0}, {"limit": 0.0}])
def test_rounds_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="rounds"):
        Rounds(**wrong)
