"""Submissions are registry entries on disk that must say who they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.enhancers import ENHANCERS
from benchmark.errors import SpecError, UnknownNameError
from benchmark.spec import submission
from benchmark.spec.submission import find_submission, submission_names


def test_every_committed_submission_is_sound() -> None:
    assert submission_names()
    for name in submission_names():
        assert find_submission(name).origin.target in ENHANCERS


def test_a_wrong_name_gets_suggestions() -> None:
    with pytest.raises(UnknownNameError, match="equilux/lime"):
        find_submission("equilux/lim")


def test_a_file_that_says_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = submission.submission_folder() / "equilux" / "lime.yaml"
    target = tmp_path / "someone" / "lime.yaml"
    target.parent.mkdir()
    target.write_bytes(original.read_bytes())
    monkeypatch.setattr(submission, "submission_folder", lambda: tmp_path)
    with pytest.raises(SpecError, match="equilux/lime but lies at someone/lime"):
        find_submission("someone/lime")
