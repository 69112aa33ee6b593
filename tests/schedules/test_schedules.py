"""The invariants of the weights (methods, sections 1.4, 1.5, 1.8 and 1.10)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.contexts.base import CONTEXTS
from benchmark.errors import DataError, SpecError, UnknownNameError
from benchmark.schedules import ARMS, FAMILIES
from benchmark.schedules.arms import Course, plan_arm
from benchmark.schedules.base import Schedule
from benchmark.schedules.gate import Gate
from benchmark.schedules.matching import matched_rows, separation
from benchmark.schedules.table import PRIOR, WARM_UP, ContextTable

ALL = np.ones(len(FAMILIES))
NO_REC = np.array([1.0, 1, 1, 1, 1, 0])
K, M = len(CONTEXTS), len(FAMILIES)


def course(available: np.ndarray = NO_REC, *, steps: int = 40, seed: int = 0) -> Course:
    """Twelve samples each of generic and face, six of each a step, uncertain context vectors."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 2], 12)
    contexts = 0.8 * np.eye(K)[labels] + 0.2 * rng.dirichlet(np.ones(K), len(labels))
    halves = [
        np.concatenate([rng.permutation(12) for _ in range(steps // 2)]).reshape(steps, 6) + offset
        for offset in (0, 12)
    ]
    return Course(contexts, labels, np.concatenate(halves, 1), available)


def weights_of(name: str, run: Course, *, table: ContextTable = PRIOR, gate: Gate | None = None):
    """Weights of every sample drawn in the run, ``[S, M]``."""
    plan = plan_arm(ARMS.get(name), run, table=table, gate=gate or Gate(), seed=0)
    _, progress = run.draws()
    return plan.schedule.weights(plan.contexts[run.order.ravel()], progress, run.available)


def cals(table: ContextTable = PRIOR, gate: Gate | None = None) -> Schedule:
    return Schedule(table.weights(), np.array(WARM_UP), gate or Gate(), "sched")


def test_table_has_its_floor_and_rows_of_sum_one() -> None:
    weights = PRIOR.weights()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-15)
    generic = np.array([0.40, 0.15, 0.25, 0.02, 0.20, 0.02])
    np.testing.assert_allclose(weights[0], generic / 1.04)


@pytest.mark.parametrize(
    "rows", [((1.0,) * M,) * 3, ((1.0,) * 5,) * K, ((1.0,) * M,) * 3 + ((-1.0,) + (1.0,) * 5,)]
)
def test_a_malformed_table_is_refused(rows: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(SpecError, match="4 rows of 6"):
        ContextTable(rows)


def test_gate_has_the_published_shape() -> None:
    gate = Gate()
    shown = gate(np.array([0.0, 0.049, 0.05, 0.175, 0.30, 0.31, 1.0]))
    np.testing.assert_allclose(shown, [0, 0, 0, 0.5, 1, 1, 1], atol=1e-12)
    assert gate.mean() == pytest.approx((1 - 0.30) + (0.30 - 0.05) / 2, abs=1e-8)
    assert (np.diff(gate(np.linspace(0, 1, 101))) >= 0).all()


def test_gate_can_fall_again_and_can_be_a_step() -> None:
    falling = Gate(hold=0.8, end=0.25)
    np.testing.assert_allclose(falling(np.array([0.8, 0.9, 1.0])), [1, 0.625, 0.25])
    step = Gate(start=0.5, full=0.5)
    np.testing.assert_array_equal(step(np.array([0.49, 0.5, 1.0])), [0, 1, 1])
    with pytest.raises(SpecError):
        Gate(start=0.4, full=0.3)


@pytest.mark.parametrize("name", ARMS.names())
@pytest.mark.parametrize("available", [ALL, NO_REC])
def test_weights_are_shares_of_what_is_available(name: str, available: np.ndarray) -> None:
    weights = weights_of(name, course(available))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-14)
    assert (weights[:, available == 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(
    progress=st.floats(0, 1),
    concentration=st.floats(0.05, 5),
    seed=st.integers(0, 2**16),
)
def test_weights_are_shares_for_any_context(
    progress: float, concentration: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    contexts = rng.dirichlet(np.full(K, concentration), 5)
    available = np.maximum(rng.integers(0, 2, (5, M)), np.eye(M)[0])
    weights = cals().weights(contexts, progress, available)
    assert (weights >= 0).all()
    assert ((weights > 0) <= (available > 0)).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)


def test_a_certain_context_gets_exactly_its_row() -> None:
    weights = cals().weights(np.eye(K), 1.0, ALL)
    np.testing.assert_allclose(weights, PRIOR.weights(), rtol=1e-15)


def test_weights_move_no_further_than_the_predictor_errs() -> None:
    # sum_m |w - w*| <= 2 (1 - p(c*|x)), because all rows lie on a simplex (methods, section 1.3)
    contexts = np.random.default_rng(3).dirichlet(np.ones(K), 200)
    weights = cals().weights(contexts, 1.0, ALL)
    for context in range(K):
        distance = np.abs(weights - PRIOR.weights()[context]).sum(1)
        assert (distance <= 2 * (1 - contexts[:, context]) + 1e-12).all()


def test_a_sample_without_any_family_is_an_error() -> None:
    with pytest.raises(DataError, match="no loss term"):
        cals().weights(np.eye(K), 0.0, np.array([0.0, 0, 1, 0, 0, 0]))


def test_a_closed_gate_makes_all_scheduled_arms_identical() -> None:
    closed = Gate(start=1.0, full=1.0)
    run = course()
    first = weights_of("cals", run, gate=closed)
    np.testing.assert_allclose(first, np.broadcast_to([0.7, 0.3, 0, 0, 0, 0], first.shape))
    for name in ("matched", "oracle", "shuffled", "context-static", "matched-static"):
        np.testing.assert_array_equal(weights_of(name, run, gate=closed), first)


@pytest.mark.parametrize("available", [ALL, NO_REC])
def test_matched_spends_what_cals_spends(available: np.ndarray) -> None:
    run = course(available)
    spent, wanted = weights_of("matched", run), weights_of("cals", run)
    np.testing.assert_allclose(spent.mean(0), wanted.mean(0), rtol=0, atol=1e-11)
    assert np.abs(spent - wanted).max() > 0.05


def test_matched_agrees_over_every_single_epoch_while_the_gate_stands_still() -> None:
    # two batches of twelve are an epoch; while the gate moves, samples meet different moments of it
    run, still = course(ALL, steps=40), Gate(start=0.0, full=0.0)
    spent, wanted = (weights_of(name, run, gate=still) for name in ("matched", "cals"))
    for start in range(0, len(spent), 24):
        epoch = slice(start, start + 24)
        np.testing.assert_allclose(spent[epoch].mean(0), wanted[epoch].mean(0), rtol=0, atol=1e-6)


def test_matched_corrects_what_plain_averaging_gets_wrong_for_a_term_of_one_context() -> None:
    """Methods, section 1.8: identity on faces only; the mean row under-weights it."""
    run = course(ALL)
    contexts, progress = run.draws()
    labels = run.labels[run.order.ravel()]
    available = np.where((labels == 2)[:, None], ALL, ALL - np.eye(M)[FAMILIES.index("id")])
    schedule = cals()
    rows = matched_rows(schedule, contexts, progress, available)
    naive = np.broadcast_to((contexts @ schedule.rows).mean(0), rows.shape)
    wanted, spent, averaged = (
        s.weights(contexts, progress, available).mean(0)
        for s in (schedule, replace(schedule, rows=rows), replace(schedule, rows=naive))
    )
    identity = FAMILIES.index("id")
    np.testing.assert_allclose(spent, wanted, atol=1e-11)
    assert averaged[identity] < 0.8 * wanted[identity]


def test_matching_equal_rows_returns_them_bit_for_bit() -> None:
    row = (0.31, 0.17, 0.13, 0.11, 0.19, 0.09)
    table = ContextTable((row,) * K)
    run = course()
    rows = matched_rows(cals(table), *run.draws(), run.available)
    np.testing.assert_array_equal(rows, table.weights())
    np.testing.assert_array_equal(
        weights_of("cals", run, table=table), weights_of("matched", run, table=table)
    )


def test_separation_is_zero_for_equal_rows_and_the_l1_distance_otherwise() -> None:
    table = ContextTable(((0.3, 0.3, 0.1, 0.1, 0.1, 0.1),) * K)
    np.testing.assert_array_equal(separation(cals(table), table.weights(), ALL), np.zeros(K))
    run = course(ALL)
    rows = matched_rows(cals(), *run.draws(), ALL)
    expected = np.abs(PRIOR.weights() - rows[0]).sum(1)
    np.testing.assert_allclose(separation(cals(), rows, ALL), expected)


def test_permuting_contexts_keeps_the_mean_weights_where_all_terms_exist() -> None:
    # whole epochs: every sample is drawn equally often, at moments that differ
    run, still = course(ALL), Gate(start=0.0, full=0.0)
    shuffled = weights_of("shuffled", run, gate=still)
    ordered = weights_of("cals", run, gate=still)
    np.testing.assert_allclose(shuffled.mean(0), ordered.mean(0), atol=1e-12)
    assert np.abs(shuffled - ordered).max() > 0.05


def test_reverse_and_static_arms_spend_what_the_forward_ones_do() -> None:
    run = course(ALL, steps=400)
    forward = weights_of("cals", run).mean(0)
    np.testing.assert_allclose(weights_of("reverse", run).mean(0), forward, atol=2e-3)
    np.testing.assert_allclose(weights_of("context-static", run).mean(0), forward, atol=2e-3)
    np.testing.assert_allclose(weights_of("matched-static", run).mean(0), forward, atol=2e-3)
    static = weights_of("matched-static", run)
    np.testing.assert_allclose(static, np.broadcast_to(static[0], static.shape), rtol=1e-12)


def test_reverse_runs_the_gate_backwards() -> None:
    run = course(ALL)
    plan = plan_arm(ARMS.get("reverse"), run, table=PRIOR, gate=Gate(), seed=0)
    weights = plan.schedule.weights(np.eye(K), 1.0, ALL)
    np.testing.assert_allclose(weights, np.broadcast_to(WARM_UP, weights.shape))


def test_oracle_sees_labels_and_cals_does_not() -> None:
    run = course()
    plans = {n: plan_arm(ARMS.get(n), run, table=PRIOR, gate=Gate(), seed=0) for n in ARMS.names()}
    np.testing.assert_array_equal(plans["oracle"].contexts, np.eye(K)[run.labels])
    np.testing.assert_array_equal(plans["cals"].contexts, run.contexts)
    np.testing.assert_array_equal(np.sort(plans["shuffled"].contexts, 0), np.sort(run.contexts, 0))


def test_uniform_and_fidelity() -> None:
    run = course()
    np.testing.assert_allclose(weights_of("uniform", run)[0], NO_REC / 5)
    np.testing.assert_array_equal(weights_of("fidelity", run)[0], np.eye(M)[0])


def test_arms_have_distinct_codes_and_a_wrong_name_gets_a_suggestion() -> None:
    codes = [ARMS.get(name).code for name in ARMS.names()]
    assert len(set(codes)) == len(codes)
    with pytest.raises(UnknownNameError, match="matched"):
        ARMS.get("mached")
