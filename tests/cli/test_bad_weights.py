"""Weights that are not what they should be: told before any work, and never taken in."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.enhancers.published import LINKED
from benchmark.enhancers.published.zero_dce import ZeroDce
from benchmark.errors import EquiluxError

#: A system whose publisher gives no digest: nothing but its keys tells its weights from others.
SYSTEM = next(system for system in LINKED if system.name == "enlightengan")


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("exit 3",)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-999])


def _other(path: Path) -> None:
    torch.save({"state_dict": ZeroDce().state_dict()}, path)


def _truncated(path: Path) -> None:
    _other(path)
    _cut(path)


def _truncated_safetensors(path: Path) -> None:
    save_file(ZeroDce().state_dict(), path)
    _cut(path)


def _module(path: Path) -> None:
    torch.save(ZeroDce(), path)


def _bomb(path: Path) -> None:
    torch.save({"state_dict": _Bomb()}, path)


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Bomb()))


def _page(path: Path) -> None:
    path.write_text("\n<!DOCTYPE html><title>Quota exceeded</title>")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


#: What is in the file: what is said of it, and what to do.
BAD: dict[Callable[[Path], None], tuple[str, str]] = {
    _truncated: ("cannot read weights: ", "once more"),
    _truncated_safetensors: ("cannot read weights: ", "once more"),
    _empty: ("cannot read weights: it ends at once", "once more"),
    _module: ("could run its code (benchmark.enhancers.", "ask its publisher for safetensors"),
    _bomb: (f"could run its code ({os.name}.system)", "ask its publisher for safetensors"),
    _pickled: ("could run its code", "ask its publisher for safetensors"),
    _page: ("this is a web page and no weights", "open it in a browser"),
}
EACH = pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(folder))
    return folder


def refused(*command: str) -> EquiluxError:
    """The error that a command ends with, before a line about its work was printed."""
    result = CliRunner().invoke(app, list(command))
    assert isinstance(result.exception, EquiluxError), result.output
    assert "plan:" not in result.output
    return result.exception


@EACH
def test_a_bad_file_is_not_taken_in(
    make: Callable[[Path], None], store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file.pth"
    make(file)
    error = refused("weights", "add", SYSTEM.name, str(file))
    what, mend = BAD[make]
    assert what in error.what
    assert mend in str(error.mend)
    assert error.where == str(file)
    assert not store.exists()


def test_the_keys_of_another_architecture_are_told(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "file.pth"
    _other(file)
    error = refused("weights", "add", SYSTEM.name, str(file))
    assert "another architecture than EnlightenGan (missing: bn1_1.bias, " in error.what
    assert "; left over: e_conv1.bias, " in error.what
    assert "belongs to this network" in str(error.mend)
    assert not store.exists()


def test_the_right_keys_are_taken_in_whatever_the_file_is_called(
    store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file.safetensors"
    save_file(SYSTEM.build().state_dict(), file)
    result = CliRunner().invoke(app, ["weights", "add", SYSTEM.name, str(file)])
    assert result.exit_code == 0, result.output
    # kept under the name of the publisher's torch file, and told apart by its content
    assert (store / f"{SYSTEM.name}.pth").is_file()
    assert SYSTEM().network is not None
    torch.save(SYSTEM.build().state_dict(), file)
    error = refused("weights", "add", SYSTEM.name, str(file))
    assert "as of the first copy" in error.what
    assert f"delete {store / SYSTEM.name}.pth.sha256" in str(error.mend)


@pytest.mark.parametrize("make", [_other, *BAD], ids=lambda make: make.__name__)
def test_a_run_stops_before_it_begins(make: Callable[[Path], None], store: Path) -> None:
    store.mkdir()
    file = store / f"{SYSTEM.name}.pth"
    make(file)  # by hand, past the check of ``weights add``
    task = ("run", "--task", "face-identity", "--profile", "smoke", "--dry-run")
    error = refused(*task, "--system", SYSTEM.name)
    assert str(file) in str(error.where)
    if "once more" in BAD.get(make, ("", "once more"))[1]:
        assert f"delete it, then: python -m benchmark weights add {SYSTEM.name}" in str(error.mend)


@pytest.mark.parametrize("make", [_other, *BAD], ids=lambda make: make.__name__)
def test_so_does_one_of_a_file_from_outside(make: Callable[[Path], None], tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    file = tmp_path / "file.pth"
    make(file)
    task = ("run", "--task", "face-identity", "--profile", "smoke", "--dry-run")
    error = refused(*task, "--system", f"spandrel:{file}")
    assert error.where == str(file)
    assert BAD.get(make, ("no architecture with these keys: e_conv1.bias, ",))[0] in error.what
