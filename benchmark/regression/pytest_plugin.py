"""The gate as a pytest fixture; the distribution registers it, so there is nothing to import.

def test_nobody_is_worse_off(fairness_gate):
    fairness_gate("leaderboards/baselines/face-identity", "runs")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # every pytest session imports this module: it must cost nothing
    from benchmark.regression.decision import GateReport


@pytest.fixture
def fairness_gate() -> Callable[..., GateReport]:
    """Hold a run against a baseline; the test fails with the report if the gate does.

    The function takes ``baseline`` and ``candidate`` as :func:`benchmark.gate` does, and
    ``strict=True`` to fail where too little data leave it open. It returns the report.
    """

    def check(baseline: str | Path, candidate: str | Path, *, strict: bool = False) -> GateReport:
        from benchmark.regression.decision import gate
        from benchmark.regression.outputs import as_markdown

        report = gate(baseline, candidate)
        if report.exit_code(strict=strict):
            pytest.fail(as_markdown(report), pytrace=False)
        return report

    return check
