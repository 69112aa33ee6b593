"""Assets: what is written is what is read, and nothing else is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.assets import (
    AssetRecord,
    asset_folder,
    asset_names,
    load_asset,
    load_record,
    save_asset,
)
from benchmark.errors import WeightsError


def saved(folder: Path, *, half: bool = True) -> AssetRecord:
    state = {"weight": torch.tensor([0.5, -2.0]), "count": torch.tensor(3)}
    return save_asset(
        state,
        folder=folder,
        half=half,
        name="toy",
        summary="a toy",
        licence="Apache-2.0",
        device="cpu",
        parameters=2,
        settings={"seed": 1},
        data={},
        card={"auc": 0.5},
        caveats=("none",),
    )


def test_round_trip(tmp_path: Path) -> None:
    written = saved(tmp_path)
    tensors, record = load_asset("toy", tmp_path)
    assert record == written
    assert torch.equal(tensors["weight"], torch.tensor([0.5, -2.0]))
    assert tensors["weight"].dtype == torch.float32
    assert tensors["count"].dtype == torch.int64
    assert asset_names(tmp_path) == ("toy",)


def test_the_same_weights_make_the_same_bytes(tmp_path: Path) -> None:
    saved(tmp_path / "a")
    saved(tmp_path / "b")
    for name in ("toy.safetensors", "toy.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_records_are_strict(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "toy.json"
    path.write_text(path.read_text().replace('"card"', '"cart"'))
    with pytest.raises(WeightsError, match=r"(?s)training record.*instruments train toy"):
        load_record("toy", tmp_path)
    path.write_text("{")
    with pytest.raises(WeightsError, match="training record"):
        load_record("toy", tmp_path)


def test_every_committed_asset_is_sound() -> None:
    for name in asset_names():
        _, record = load_asset(name)
        assert record.name == name
        assert record.licence == "Apache-2.0"
        assert record.data["training_probe"]["split"].startswith("train")
        assert record.data["validation_probe"]["split"] == "validation"
        assert (asset_folder() / f"{name}.safetensors").stat().st_size < 4_000_000
