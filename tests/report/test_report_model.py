"""Reading a run strictly: what is wrong is said with its place, and nothing is guessed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.errors import DataError
from benchmark.report.model import RunView, load_run


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_levels_come_in_the_declared_order(view: RunView) -> None:
    assert view.levels("tone_level") == ("light", "medium", "dark")
    assert view.levels("tone_level*illumination") == tuple(
        f"{tone}*{light}" for tone in ("light", "medium", "dark") for light in ("dim", "dark")
    )
    assert view.axes[0] == "tone_level"
    assert view.axes[-1] == "tone_level*illumination"


def test_an_undeclared_level_comes_last(view: RunView) -> None:
    extra = view.groups[view.groups["group"] == "light"].assign(group="another")
    groups = pd.concat([extra, view.groups])
    changed = RunView(**{**_fields(view), "groups": groups})
    assert changed.levels("tone_level") == ("light", "medium", "dark", "another")


def _fields(view: RunView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in RunView.__dataclass_fields__}


def test_an_unfinished_run_says_so(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(DataError, match="did not finish"):
        load_run(copy)


def test_a_folder_that_is_no_run_says_where_there_are_some(copy: Path) -> None:
    with pytest.raises(DataError, match="a folder of runs") as found:
        load_run(copy.parent)
    assert copy.name in str(found.value)
    with pytest.raises(DataError, match="no such folder") as found:
        load_run(copy.parent / "elsewhere")
    assert copy.name in str(found.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["metrics"][0].pop("direction"), r"metrics\.0\.direction: Field required"),
        (lambda m: m["metrics"][0].update(direction=2), r"metrics\.0\.direction"),
        (lambda m: m.update(n_samples="many"), "n_samples"),
        (lambda m: m.update(format=2), "format"),
        (lambda m: m["headline"].update(endpoint="nothing"), "headline metrics.*nothing"),
        (lambda m: m["headline"].update(axis="height"), "headline axis.*height"),
        (lambda m: m["systems"].pop(0), "systems in groups.parquet.*input/"),
    ],
)
def test_a_wrong_manifest_is_an_error_with_its_key(
    copy: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    _edit(copy, change)
    with pytest.raises(DataError, match=message) as caught:
        load_run(copy)
    assert "manifest.json" in str(caught.value)


def test_more_in_a_manifest_than_is_read_is_fine(copy: Path) -> None:
    _edit(copy, lambda m: m.update(specification={"anything": 1}))
    assert load_run(copy).manifest.run_id


@pytest.mark.parametrize("name", ["samples", "groups", "gaps", "effects"])
def test_a_missing_column_is_named(copy: Path, name: str) -> None:
    path = copy / f"{name}.parquet"
    frame = pd.read_parquet(path)
    frame.drop(columns=["system"]).to_parquet(path)
    with pytest.raises(DataError, match="columns are missing: system") as caught:
        load_run(copy)
    assert f"{name}.parquet" in str(caught.value)


@pytest.mark.parametrize("damage", [b"", b"PAR1 nonsense"])
def test_a_damaged_table_is_an_error_not_a_traceback(copy: Path, damage: bytes) -> None:
    (copy / "gaps.parquet").write_bytes(damage)
    with pytest.raises(DataError, match="cannot be read"):
        load_run(copy)


def test_a_run_without_tiers_or_gallery_is_complete(copy: Path) -> None:
    (copy / "tiers.parquet").unlink()
    shutil.rmtree(copy / "gallery")
    view = load_run(copy)
    assert view.tiers.empty
    assert view.gallery == ()


@pytest.mark.parametrize("path", ["../manifest.json", "/etc/hostname", "gallery/../../x.png"])
def test_a_picture_outside_the_run_is_refused(copy: Path, path: str) -> None:
    index = copy / "gallery" / "index.json"
    items = json.loads(index.read_text())
    items[0]["output"] = path
    index.write_text(json.dumps(items))
    with pytest.raises(DataError, match="leaves the run folder"):
        load_run(copy)
