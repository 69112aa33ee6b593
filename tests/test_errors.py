"""Errors say what, where and how to mend it, also after a journey between processes."""

from __future__ import annotations

import pickle

from benchmark.errors import DataError, EquiluxError


def test_text_has_address_and_remedy() -> None:
    error = DataError("no rows", where="a.csv:3", mend="add some")
    assert str(error) == "a.csv:3: no rows\n  add some"
    assert str(EquiluxError("bare")) == "bare"


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("no rows", where="a.csv", mend="add some")))
    assert isinstance(error, DataError)
    assert (error.what, error.where, error.mend) == ("no rows", "a.csv", "add some")
