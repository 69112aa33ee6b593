"""Files, folders and code from outside: found, held to their digest, and told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.enhancers.adapters.onnx import count_parameters
from benchmark.enhancers.adapters.outside import build, locate
from benchmark.enhancers.contamination import declared, remark, seen
from benchmark.errors import EquiluxError, WeightsError
from benchmark.files import sha256_of_file
from benchmark.spec.origin import parse_origin
from benchmark.spec.submission import Learned

COMMIT = "0123456789" * 4


def test_a_file_of_the_hub_is_read_from_its_cache_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    origin = parse_origin(f"hub:somebody/net@{COMMIT}/sub/w.safetensors")
    with pytest.raises(WeightsError, match=f"weights fetch {origin}"):
        locate(origin)
    file = tmp_path / "models--somebody--net" / "snapshots" / COMMIT / "sub" / "w.safetensors"
    file.parent.mkdir(parents=True)
    save_file({"gain": torch.ones(2, 3)}, file)
    found = locate(origin, sha256=sha256_of_file(file))
    assert found.payload()["form"] == "spandrel"
    assert found.parameters() == 6
    assert found.maps_pixels
    with pytest.raises(WeightsError, match="not the declared bytes"):
        locate(origin, sha256="a" * 64)


def test_a_link_may_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.onnx"
    secret.write_bytes(b"x")
    folder = tmp_path / "submissions" / "someone"
    folder.mkdir(parents=True)
    (folder / "m.onnx").symlink_to(secret)
    with pytest.raises(EquiluxError, match="leaves the folder through a link"):
        locate(parse_origin("onnx:m.onnx"), beside=folder)


def test_large_files_lie_in_the_weights_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path / "weights"))
    folder = tmp_path / "someone"
    folder.mkdir()
    origin = parse_origin("onnx:m.onnx")
    with pytest.raises(WeightsError, match="not on this machine"):
        locate(origin, beside=folder)
    file = tmp_path / "weights" / "submissions" / "someone" / "m.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    assert locate(origin, beside=folder).path == file.resolve()


def test_code_without_trust_is_not_built() -> None:
    with pytest.raises(EquiluxError, match="--trust"):
        build("code", Path(), factory="os:getcwd")
    with pytest.raises(EquiluxError, match="no module 'nobody_at_all'"):
        locate(parse_origin("nobody_at_all:make"))


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def test_parameters_of_an_onnx_file_are_counted(tmp_path: Path) -> None:
    packed = field(5, field(1, bytes([2, 3, 5])))
    one_by_one = field(5, bytes([1 << 3, 7]) + field(8, b"name"))
    scalar = field(5, b"")
    (tmp_path / "m.onnx").write_bytes(bytes([1 << 3, 8]) + field(7, packed + one_by_one + scalar))
    assert count_parameters(tmp_path / "m.onnx") == 2 * 3 * 5 + 7 + 1
    (tmp_path / "m.onnx").write_bytes(bytes([7 << 3 | 2, 100, 1]))
    with pytest.raises(WeightsError, match="cut short"):
        count_parameters(tmp_path / "m.onnx")


def test_what_a_submission_has_learned_from_is_held_against_the_data() -> None:
    lol_v2 = Learned(dataset="lol-v2", how="trained", evidence="paper")
    other = Learned(dataset="other", how="trained", evidence="our own pictures")
    assert declared([lol_v2], "lol-v2").how == "trained"
    assert declared([lol_v2], "lol-v1").how == "overlaps"
    assert declared([lol_v2], "rfw").how == "none"
    assert declared([other], "rfw").how == "unknown"
    assert declared([], "rfw").how == "none"
    assert "14 of its 15" in remark(declared([lol_v2], "lol-v1"))
    assert "14 of its 15" not in remark(declared([], "lol-v1"))
    assert seen("llflow-s-skf", "lol-v1").how == "trained"
