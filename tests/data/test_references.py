"""References: what is there is recognised, what is not pinned or not there is refused at once."""

from __future__ import annotations

import time
from pathlib import Path

import datasets
import pytest

from benchmark.data.hub import fetch_dataset
from benchmark.data.references import parse_reference
from benchmark.errors import DataError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_what_is_on_the_disk_decides_the_kind(tmp_path: Path) -> None:
    data = datasets.Dataset.from_dict({"a": ["x"]})
    data.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict(test=data).save_to_disk(tmp_path / "splits")
    data.to_parquet(tmp_path / "shards" / "0.parquet")
    (tmp_path / "plain").mkdir()
    kinds = {
        "saved": "saved",
        "splits#test": "saved",
        "shards": "parquet",
        "shards/0.parquet": "parquet",
        "plain": "folder",
    }
    for text, kind in kinds.items():
        reference = parse_reference(f"{tmp_path}/{text}")
        assert reference.kind == kind, text
        assert parse_reference(str(reference)) == reference
    assert parse_reference(f"{tmp_path}/splits#test").split == "test"


def test_a_folder_with_a_hash_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "set#2").mkdir()
    assert parse_reference(f"{tmp_path}/set#2").path.name == "set#2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no/such/folder", "no such folder"),
        ("pyproject.toml", "this is a file"),
        ("pictures.zip", "unpack it"),
        ("hub:owner/name", "not pinned"),
        ("hub:owner/name@main", "not pinned"),
        ("hub:owner/name@refs/pr/1", "not pinned"),
        ("hub:name@v1", "hub:owner/name@revision"),
        ("hub:owner/name@v1#a/b/c", "hub:owner/name@revision"),
    ],
)
def test_what_cannot_be_used_says_how_to_mend_it(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_reference(text)


def test_a_reference_to_the_hub() -> None:
    reference = parse_reference(f"hub:owner/some.set@{COMMIT}#1.25/validation")
    assert (reference.repo, reference.revision) == ("owner/some.set", COMMIT)
    assert (reference.config, reference.split) == ("1.25", "validation")
    assert parse_reference(str(reference)) == reference
    assert parse_reference("hub:a/b@v1.0#test").split == "test"


def test_fetching_offline_fails_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("EQUILUX_CACHE", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(DataError, match="offline"):
        fetch_dataset(parse_reference("hub:owner/name@v1"))
    assert time.monotonic() - start < 5
    assert not list(tmp_path.rglob("*.parquet"))
