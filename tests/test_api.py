"""The names of docs/python-api.md, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import benchmark
from benchmark import api


def test_the_package_offers_what_the_api_has() -> None:
    functions = {name for name in api.__all__ if name[0].islower()}
    assert functions == set(benchmark.__all__) - {"__version__"}
    for name in functions:
        assert getattr(benchmark, name) is getattr(api, name)
        assert name in dir(benchmark)
    with pytest.raises(AttributeError, match="no attribute 'composite_score'"):
        benchmark.composite_score  # noqa: B018


def test_importing_the_package_is_cheap() -> None:
    script = (
        "import sys, benchmark\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
