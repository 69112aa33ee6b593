"""The promises of the specification at the group sizes of the face task."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.errors import SpecError
from benchmark.fairness import selftest as module
from benchmark.fairness.selftest import LARGEST_TYPE_I, SMALLEST_COVERAGE, selftest

#: The face probe renders every identity in every tone; real people have one: 49 in four groups.
CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((48, 48, 48), {"design": "crossed"}),
    ((48, 48, 48), {"design": "crossed", "kind": "rate"}),
    ((48,) * 10, {"design": "crossed"}),
    ((27, 10, 8), {"design": "nested"}),
    ((27, 10, 8), {"design": "nested", "kind": "rate"}),
    ((30, 300), {"design": "nested", "spreads": (3.0, 1.0)}),
]


@pytest.mark.parametrize(("clusters", "settings"), CASES)
def test_nothing_is_found_where_nothing_is_and_intervals_cover(
    clusters: tuple[int, ...], settings: dict[str, Any]
) -> None:
    found = selftest(clusters, tables=1500, replicates=499, **settings)
    assert found.type_i <= LARGEST_TYPE_I
    assert found.type_i_q <= LARGEST_TYPE_I
    assert found.coverage >= SMALLEST_COVERAGE
    assert found.coverage_pinned >= SMALLEST_COVERAGE
    assert found.passed
    assert found.mean_null == pytest.approx(found.mean_gap, rel=0.06)


def test_images_of_one_person_counted_as_two_people_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = module._null_values

    def twins(*args: Any, **kwargs: Any) -> Any:
        values = whole(*args, **kwargs)
        values[1::2] = values[::2]
        return values

    monkeypatch.setattr(module, "_null_values", twins)
    found = selftest((20, 20), design="nested", tables=400, replicates=199)
    assert found.type_i > 2 * 0.05
    assert not found.passed


def test_same_seed_same_result() -> None:
    once, twice = (
        selftest((12, 12), design="crossed", tables=20, replicates=99, seed=4) for _ in range(2)
    )
    assert once == twice


def test_crossed_designs_need_equal_sizes() -> None:
    with pytest.raises(SpecError, match="same clusters"):
        selftest((8, 9), design="crossed")
