"""The names of docs/python-api.md, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import benchmark
from benchmark import api
from benchmark.errors import EquiluxError


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "face-identty"}, "did you mean face-identity"),
        ({"profile": "tiny"}, "no profile called 'tiny'"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"systems": "clae"}, "no system called 'clae'"),
        ({"arms": ["calls"]}, "did you mean cals"),
        ({"metrics": ["pnsr"]}, "did you mean psnr"),
        ({"data": "/no/such/folder"}, "no such folder"),
    ],
)
def test_misuse_is_told_before_any_work(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    places = {"runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    with pytest.raises(EquiluxError, match=said):
        benchmark.run(**{"task": "face-identity", "profile": "smoke"} | options | places)
    assert not list(tmp_path.iterdir())
