"""Shared fixtures: the optional folder of real images and published weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images and published weights; the test skips where it is absent."""
    folder = Path(os.environ.get("EQUILUX_SHARED_DATA", _REPOSITORY / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real test data not found at {folder} (set EQUILUX_SHARED_DATA)")
    return folder
