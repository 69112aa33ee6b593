"""Every form of data gives the same views, and none can reach outside its folder."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.data import hub
from benchmark.data.opened import RealData
from benchmark.data.reading import read_views
from benchmark.data.references import Reference, parse_reference
from benchmark.errors import DataError

from .conftest import opened, picture, spec, table


def as_dataset(folder: Path) -> datasets.Dataset:
    """The fixture folder with its pictures embedded and its groups as numbers with names."""
    rows = pd.read_csv(folder / "metadata.csv", keep_default_na=False)
    features = datasets.Features(
        picture=datasets.Image(),
        group=datasets.ClassLabel(names=["x", "y"]),
        who=datasets.Value("string"),
        year=datasets.Value("int64"),
    )
    return datasets.Dataset.from_dict(
        {
            "picture": [{"bytes": (folder / name).read_bytes()} for name in rows["file_name"]],
            "group": [0, 0, None, None],
            "who": list(rows["who"]),
            "year": [1990, 1990, None, 1970],
        },
        features=features,
    )


def same(data: RealData, folder: Path) -> None:
    """Are the views those of the folder?"""
    expected, found = read_views(opened(folder)).views, read_views(data).views
    assert (found.images == expected.images).all()
    assert list(found.frame["group"]) == ["x", "x", "unknown", "unknown"]
    assert found.frame["sample"].is_unique


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("EQUILUX_CACHE", str(place))
    return place


def test_parquet_saved_and_folder_are_the_same(folder: Path) -> None:
    data = as_dataset(folder)
    data.to_parquet(folder / "out" / "all.parquet")
    data.save_to_disk(folder / "saved")
    datasets.DatasetDict(train=data, test=data).save_to_disk(folder / "splits")
    for reference in ("out", "out/all.parquet", "saved", "splits#test"):
        same(opened(f"{folder}/{reference}", image="picture"), folder)


def test_plain_columns_become_text(folder: Path) -> None:
    as_dataset(folder).save_to_disk(folder / "saved")
    cells = opened(folder / "saved", image="picture").source.table
    assert list(cells["year"]) == ["1990", "1990", "", "1970"]
    assert list(cells["who"]) == ["a", "a", "b", "b"]


def test_parquet_written_by_pandas_with_bytes_or_paths(folder: Path) -> None:
    names = ["a1.png", "a2.png", "b1.png", "b2.png"]
    frame = pd.DataFrame({"group": ["x", "x", None, None], "file_name": names})
    frame.to_parquet(folder / "paths.parquet")
    same(opened(folder / "paths.parquet"), folder)
    frame["picture"] = [(folder / name).read_bytes() for name in names]
    frame.to_parquet(folder / "bytes.parquet")
    same(opened(folder / "bytes.parquet", image="picture"), folder)
    frame["picture"] = [{"bytes": cell, "path": None} for cell in frame["picture"]]
    frame.to_parquet(folder / "structs.parquet")
    same(opened(folder / "structs.parquet", image="picture", id="file_name"), folder)


def test_a_broken_picture_in_a_dataset_costs_its_row(folder: Path) -> None:
    whole = (folder / "a1.png").read_bytes()
    cells = [whole, whole[:60], b"no picture", whole]
    pd.DataFrame({"group": list("xxyy"), "picture": cells}).to_parquet(folder / "p.parquet")
    reading = read_views(opened(folder / "p.parquet", image="picture"))
    assert list(reading.views.frame["status"]) == ["ok", "decode_error", "decode_error", "ok"]
    assert dict(reading.failures)["row 000002"] == "not a picture"


def test_a_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="cannot read it"):
        opened(tmp_path)


def test_splits_must_be_named_and_exist(folder: Path) -> None:
    data = as_dataset(folder)
    datasets.DatasetDict(train=data, test=data).save_to_disk(folder / "splits")
    with pytest.raises(DataError, match="one of train, test"):
        opened(folder / "splits", image="picture")
    with pytest.raises(DataError, match="no split 'val'"):
        opened(f"{folder}/splits#val", image="picture")
    for split in ("train", "test"):
        data.to_parquet(folder / "shards" / f"{split}-00000-of-00001.parquet")
    with pytest.raises(DataError, match="one of test, train"):
        opened(folder / "shards", image="picture")
    assert len(opened(f"{folder}/shards#test", image="picture").rows.frame) == 4


def test_class_folders(tmp_path: Path) -> None:
    for number, name in enumerate(["cat/1.png", "cat/2.JPG", "dog/deep/1.png"]):
        picture(tmp_path / name, seed=number)
    (tmp_path / "cat" / "notes.txt").write_text("no picture", encoding="utf-8")
    data = opened(tmp_path, label="label", axes=None)
    assert list(data.rows.frame["label"]) == ["cat", "cat", "deep"]
    assert data.rows.left_out == {}


def test_a_pattern_takes_names_apart_and_counts_what_it_passes_over(tmp_path: Path) -> None:
    for name in ("p1/p1_0.png", "p1/p1_1.png", "p2/p2_0.png", "p2/p1_9.png", "stray.png"):
        picture(tmp_path / name)
    data = opened(
        tmp_path, pattern="{who}/{who}_{view}.png", identity="who", gallery="first", axes=None
    )
    assert list(data.rows.frame["role"]) == ["gallery", "probe"]
    assert data.rows.left_out == {
        "pictures in the folder that are not named like the pattern": 2,
        "the only picture of an identity": 1,
    }


def test_a_pattern_that_fits_nothing_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match="no file is named like"):
        opened(tmp_path, pattern="{a}/{b}.png", axes=None)


@pytest.mark.parametrize("separator", [";", "space"])
def test_tables_of_other_forms(tmp_path: Path, separator: str) -> None:
    mark = " " if separator == "space" else separator
    text = f"a | b\npicture.png{mark}1\n"
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    picture(tmp_path / "picture.png")
    data = opened(
        tmp_path,
        table={"file": "list.txt", "separator": separator, "header": ["file_name", "group"]},
        recode={"group": {"1": "first"}},
    )
    assert list(data.rows.frame["group"]) == ["first"]


@pytest.mark.parametrize("name", ["../outside.png", "/etc/hosts", "link.png", "inner/out.png"])
def test_no_path_leaves_the_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    picture(tmp_path / "outside.png")
    table(inside, [f"{name},x"], "file_name,group")
    (inside / "link.png").symlink_to(tmp_path / "outside.png")
    (inside / "inner").symlink_to(tmp_path)
    with pytest.raises(DataError, match="leaves the folder"):
        opened(inside).digest()
    with pytest.raises(DataError, match="leaves the folder"):
        read_views(opened(inside))


def test_no_path_in_a_dataset_leaves_its_folder(tmp_path: Path) -> None:
    outside = str(picture(tmp_path / "outside.png"))
    frame = pd.DataFrame({"group": ["x"], "file_name": [{"bytes": None, "path": outside}]})
    (tmp_path / "inside").mkdir()
    frame.to_parquet(tmp_path / "inside" / "p.parquet")
    with pytest.raises(DataError, match="leaves the folder"):
        read_views(opened(tmp_path / "inside"))


def test_a_table_outside_the_folder_is_refused(tmp_path: Path) -> None:
    table(tmp_path, ["a.png,x"], "file_name,group", "outside.csv")
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match="leaves the folder"):
        opened(tmp_path / "inside", table={"file": "../outside.csv"})


def test_the_digest_follows_pixels_cells_and_mapping(folder: Path) -> None:
    before = opened(folder).digest()
    assert opened(folder).digest() == before
    assert opened(folder, size=17).digest() != before
    picture(folder / "a2.png", seed=99)
    changed = opened(folder).digest()
    assert changed != before
    text = (folder / "metadata.csv").read_text(encoding="utf-8")
    (folder / "metadata.csv").write_text(text.replace("a1.png,x", "a1.png,y"), encoding="utf-8")
    assert opened(folder).digest() not in {before, changed}


def test_a_hub_dataset_that_is_not_here_fails_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(DataError, match="data fetch hub:owner/name@v1") as caught:
        opened("hub:owner/name@v1")
    assert "save_to_disk" in str(caught.value)
    assert time.monotonic() - start < 2


def test_a_fetched_hub_dataset_is_read_without_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "ab" * 20
    calls = []

    class Info:
        sha = commit

    def download(repo: str, *, revision: str, local_dir: Path, **_: object) -> None:
        calls.append((repo, revision))
        as_dataset(folder).to_parquet(Path(local_dir) / "data" / "test-00000.parquet")

    monkeypatch.setattr(hub, "_look_up", lambda _: Info())
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    reference = parse_reference("hub:owner/name@v1#test")
    path = hub.fetch_dataset(reference)
    assert hub.fetch_dataset(reference) == path
    assert calls == [("owner/name", commit)]  # by commit, and once
    assert hub.fetched_commit(reference) == commit
    same(opened("hub:owner/name@v1#test", image="picture"), folder)
    with pytest.raises(DataError, match="add # and one of test"):
        opened("hub:owner/name@v1#train", image="picture")


def test_an_interrupted_fetch_leaves_nothing(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def download(*_: object, **options: object) -> None:
        (Path(str(options["local_dir"])) / "half.parquet").write_bytes(b"x")
        raise ConnectionError("the line is dead")

    monkeypatch.setattr(hub, "_look_up", lambda _: type("Info", (), {"sha": "c" * 40}))
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(DataError, match="the line is dead"):
        hub.fetch_dataset(parse_reference("hub:owner/name@v1"))
    assert not list(cache.rglob("*.parquet"))


def test_a_dataset_takes_no_mapping_of_files(folder: Path) -> None:
    as_dataset(folder).save_to_disk(folder / "saved")
    with pytest.raises(DataError, match="wants a folder of files"):
        opened(folder / "saved", pattern="{a}.png", axes=None)


def test_a_reference_survives_its_text(folder: Path) -> None:
    reference = Reference("folder", folder.resolve())
    assert parse_reference(str(reference)) == reference
    assert json.loads(spec().model_dump_json())["format"] == 2
    pixels = np.asarray(Image.open(io.BytesIO((folder / "a1.png").read_bytes())))
    assert pixels.shape == (20, 24, 3)
