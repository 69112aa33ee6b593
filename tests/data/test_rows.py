"""Which rows are evaluated, and what is said of them; nothing is dropped without being counted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from benchmark.data.rows import are_adults
from benchmark.errors import DataError
from benchmark.spec.mapping import AdultsRule, MappingSpec

from .conftest import opened, spec, table

AXIS = {"column": "group", "role": "sensitive", "source": "self-reported"}


def rows(folder: Path, lines: list[str], header: str = "file_name,group,who,age") -> Path:
    table(folder, lines, header)
    return folder


def test_blank_groups_are_unknown_and_each_picture_is_its_own(folder: Path) -> None:
    frame = opened(folder).rows.frame
    assert list(frame["group"]) == ["x", "x", "unknown", "unknown"]
    assert list(frame["cluster"]) == ["a1.png", "a2.png", "b1.png", "b2.png"]
    assert set(frame["role"]) == {"probe"}


def test_a_gallery_rule(folder: Path) -> None:
    rule = {"column": "view", "value": "front"}
    frame = opened(folder, gallery=rule, identity="who").rows.frame
    assert list(frame["role"]) == ["gallery", "probe", "gallery", "probe"]
    with pytest.raises(DataError, match="no gallery view"):
        opened(folder, gallery={"column": "view", "value": "back"}, identity="who")


def test_a_blank_identity_is_nobody_else(tmp_path: Path) -> None:
    data = opened(rows(tmp_path, ["a.png,x,,1", "b.png,x,,1", "c.png,x,w,1"]), identity="who")
    assert data.rows.frame["cluster"].nunique() == 3


def test_one_level_and_a_level_of_one_person_are_no_errors(tmp_path: Path) -> None:
    lines = [f"{n}.png,x,p{n},30" for n in range(3)] + ["3.png,y,p3,30"]
    assert opened(rows(tmp_path, lines[:3])).rows.frame["group"].unique() == ["x"]
    data = opened(rows(tmp_path, lines), identity="who")
    assert data.rows.frame.groupby("group")["cluster"].nunique().to_dict() == {"x": 3, "y": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": [AXIS | {"column": "team"}]}, "no column team"),
        ({"image": "path"}, "no column path"),
        ({"recode": {"nothing": {"a": "b"}}}, "no column nothing"),
        ({"columns": {"made": "{absent}/x"}}, "no column absent"),
        ({"masks": {"lungs": "mask"}}, "no column mask"),
        ({"id": "who"}, "appear twice"),
        ({"keep": {"group": ["z"]}}, "no row is left"),
        ({"axes": [AXIS | {"levels": ["y"]}]}, "does not declare: x"),
    ],
)
def test_a_mapping_that_does_not_fit_is_an_error(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        opened(folder, **changes)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no rows"),
        (["a.png,x,p,1", "a.png,x,p,1"], "appear twice"),
        (["a.png,x,p,1", ",x,p,1"], "name no picture"),
    ],
)
def test_a_table_that_cannot_be_used_is_an_error(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        opened(rows(tmp_path, lines))


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the table"):
        opened(tmp_path, table={"file": "people.csv"})
    (tmp_path / "metadata.csv").write_bytes(b"file_name,group\n\xff\xfe,x\n")
    with pytest.raises(DataError, match="cannot read the table"):
        opened(tmp_path)


def test_adults_are_those_who_are_shown_to_be() -> None:
    ages = {
        "38": True,
        "18": True,
        "17": False,
        "17.9": False,
        "20-29": True,
        "10-19": False,
        "more than 70": True,
        "70+": True,
        ">60": True,
        "": False,
        "unknown": False,
        "<18": False,
        "under 30": False,
        "0-2": False,
        "-20": False,
        "3 months": False,
    }
    found = are_adults(pd.Series(list(ages)), AdultsRule(column="age"))
    assert dict(zip(ages, found, strict=True)) == ages


def test_minors_are_left_out_and_counted(tmp_path: Path) -> None:
    data = opened(
        rows(tmp_path, ["a.png,x,p,17", "b.png,x,p,44", "c.png,x,p,", "d.png,x,p,30-39"]),
        adults_only={"column": "age"},
    )
    assert list(data.rows.frame["sample"]) == ["b.png", "d.png"]
    assert data.rows.left_out == {"not shown to be 18 or older": 2}
    assert "2 rows left out: not shown to be 18 or older" in data.notes()


def test_other_splits_are_kept_apart_and_minors_in_them_too(tmp_path: Path) -> None:
    data = opened(
        rows(tmp_path, ["a.png,x,train,40", "b.png,x,test,40", "c.png,x,train,4"]),
        split={"column": "who", "test": ["test"]},
        adults_only={"column": "age"},
    )
    assert list(data.rows.frame["sample"]) == ["b.png"]
    assert list(data.rows.others["sample"]) == ["a.png"]


def test_columns_are_made_from_columns(tmp_path: Path) -> None:
    data = opened(
        rows(tmp_path, ["pictures/a.png,1,p,40"]),
        recode={"group": {"1": "first"}},
        columns={
            "m": "{file_name.parent}/{group}/{file_name.stem}_m{file_name.suffix}",
            "n": "{m}",
        },
    )
    assert data.rows.table.at[0, "m"] == "pictures/first/a_m.png"
    assert data.rows.table.at[0, "n"] == "pictures/first/a_m.png"


def test_a_column_with_a_dot_in_its_name(tmp_path: Path) -> None:
    data = opened(
        rows(tmp_path, ["a.png,x,left"], "file_name,group,Roi.X1"), columns={"m": "{Roi.X1}/b"}
    )
    assert data.rows.table.at[0, "m"] == "left/b"


def test_numbers_are_cut_into_ranges(tmp_path: Path) -> None:
    axis = AXIS | {"column": "age", "edges": [40, 60]}
    lines = [f"{n}.png,x,p,{age}" for n, age in enumerate(["39.9", "40", "60", "", "old"])]
    data = opened(rows(tmp_path, lines), axes=[axis])
    assert list(data.rows.frame["age"]) == [
        *("below 40", "40 to below 60", "60 and more", "unknown", "unknown"),
    ]
    assert data.mapping.axes[0].shown_levels() == ["below 40", "40 to below 60", "60 and more"]


def test_at_most_draws_whole_clusters_the_same_everywhere(tmp_path: Path) -> None:
    lines = [f"{n}.png,{'xy'[n % 2]},p{n // 4}{n % 2},40" for n in range(80)]
    few = {"identity": "who", "at_most": 3}
    data = opened(rows(tmp_path, lines), **few)
    assert data.rows.frame.groupby("group")["cluster"].nunique().to_dict() == {"x": 3, "y": 3}
    assert len(data.rows.frame) == 12
    again = opened(rows(tmp_path, lines[::-1]), **few)
    assert set(again.rows.frame["sample"]) == set(data.rows.frame["sample"])
    assert data.rows.left_out == {"beyond 3 clusters of a level": 68}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": [AXIS | {"source": "predicted"}]}, "reported as a property of the"),
        ({"axes": [AXIS | {"source": "predicted", "role": "context"}]}, "cannot be role: context"),
        ({"axes": [AXIS | {"name": "cluster"}]}, "another name"),
        ({"axes": [AXIS, AXIS]}, "same name"),
        ({"axes": [AXIS | {"measure": "brightness"}]}, "either a column or a measure"),
        ({"axes": [AXIS | {"edges": [2, 1]}]}, "rising"),
        (
            {"axes": [{"measure": "brightness", "role": "sensitive", "source": "measured"}]},
            "role context",
        ),
        ({"headline_axis": "nothing"}, "is not one of"),
        ({"image": None}, "name a column"),
        ({"image": None, "input": "file_name", "gallery": "first"}, "clean pictures"),
        ({"gallery": "first"}, "name its column"),
        ({"input": "dark", "axes": None}, "measure: brightness"),
        ({"columns": {"a": "{0[x]}"}}, "a place is"),
        ({"columns": {"a": "{}"}}, "a place is"),
        ({"columns": {"a": "{x"}}, "no template"),
        ({"faces": {"landmarks": ["x"]}}, "ten columns"),
        ({"masks": {"valid": "m"}, "window": ["a", "b", "c", "d"]}, "not by both"),
        ({"pattern": "{a}.png", "table": {"file": "x.csv"}}, "not from both"),
        ({"format": 1}, "2"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        spec(**changes)


def test_a_guess_may_be_a_control_and_is_named_as_one() -> None:
    guess = {"column": "age", "role": "control", "source": "predicted"}
    assert any("classifier's guess" in note for note in spec(axes=[AXIS, guess]).cautions())
    assert not any("classifier's guess" in note for note in spec().cautions())


@pytest.mark.parametrize(
    ("changes", "provided"),
    [
        ({}, {"reference", "input"}),
        ({"image": None, "input": "file_name"}, {"input"}),
        (
            {"faces": {}, "gallery": "first", "identity": "who"},
            {"reference", "input", "landmarks", "gallery"},
        ),
        ({"label": "what", "fit": "letterbox"}, {"reference", "input", "label", "mask:valid"}),
        ({"masks": {"lungs": "m"}}, {"reference", "input", "mask:lungs"}),
    ],
)
def test_metrics_are_told_what_there_is(changes: dict[str, object], provided: set[str]) -> None:
    found: MappingSpec = spec(**changes)
    assert found.provides() == provided
