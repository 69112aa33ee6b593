from __future__ import annotations

import bz2
import hashlib
import http.server
import pickle
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file

from benchmark.errors import UnknownNameError, WeightsError
from benchmark.registry import Entry
from benchmark.weights import WEIGHTS, WeightFile, WeightStore, fetch, load_tensors
from benchmark.weights.base import DEEPFACE_FILES

CONTENT = b"weights " * 40_000
SHA = hashlib.sha256(CONTENT).hexdigest()
TOY = WeightFile("toy", "toy.bin", (SHA,), len(CONTENT), "CC0-1.0", "nothing")


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "store")


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> object:
    """Puts a weight file into the catalogue for one test."""
    WEIGHTS.names()

    def put(weight: WeightFile) -> WeightFile:
        entry = Entry(weight.name, weight, weight.used_for, "test")
        monkeypatch.setitem(WEIGHTS._entries, weight.name, entry)
        return weight

    return put


class _Handler(http.server.BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {
        "/toy.bin": CONTENT,
        "/toy.bin.bz2": bz2.compress(CONTENT),
        "/other.bin": b"something else",
    }

    def do_GET(self) -> None:
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/toy.bin")
            self.end_headers()
            return
        short = self.path.startswith("/short")
        content = self.files.get(self.path.removeprefix("/short"))
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write((content or b"")[: len(content or b"") // 2 if short else None])

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


# --- the catalogue -------------------------------------------------------------------------------


def test_the_catalogue_can_be_filled_in_completely() -> None:
    for entry in WEIGHTS:
        weight = WEIGHTS.get(entry.name)
        assert weight.name == entry.name
        assert weight.file
        assert weight.licence
        assert weight.used_for
        assert not weight.url or weight.url.startswith("https://")
        assert all(set(digest) <= set("0123456789abcdef") for digest in weight.sha256)
        assert all(8 <= len(digest) <= 64 for digest in weight.sha256)


def test_names_and_addresses_of_deepface_models_are_deepfaces_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import importlib

    (tmp_path / ".deepface" / "weights").mkdir(parents=True)
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "pytorch")
    from deepface.modules.modeling import AVAILABLE_MODELS

    known = AVAILABLE_MODELS["facial_recognition"]
    for model, file in DEEPFACE_FILES.items():
        module = importlib.import_module(known[model]["pytorch"].rpartition(".")[0])
        published = [value for name, value in vars(module).items() if "WEIGHTS" in name]
        addresses = [a for value in published for a in ([value] if type(value) is str else value)]
        assert WEIGHTS.get(f"deepface-{model.lower()}").url in addresses
        assert any(address.endswith(file) for address in addresses)


def test_dlib_weights_come_with_their_package_without_importing_it(store: WeightStore) -> None:
    found = store.require("dlib-resnet")
    assert found.path.parent.name == "models"
    assert found.sha256 in found.weight.sha256
    assert "face_recognition_models" not in sys.modules


def test_a_wrong_name_suggests_the_right_one(store: WeightStore) -> None:
    with pytest.raises(UnknownNameError, match="dlib-resnet"):
        store.locate("dlib-resnett")


# --- the store -----------------------------------------------------------------------------------


def test_absent_weights_name_the_mending_command(store: WeightStore, declare) -> None:
    declare(TOY)
    declare(replace(TOY, name="web", url="https://example.invalid/toy.bin"))
    assert store.status("toy").state == "absent"
    assert store.locate("toy") is None
    with pytest.raises(WeightsError, match="python -m benchmark weights add toy FILE"):
        store.require("toy")
    with pytest.raises(WeightsError, match="python -m benchmark weights fetch web"):
        store.require("web")


def test_adding_takes_the_declared_file_only(store: WeightStore, declare, tmp_path: Path) -> None:
    declare(TOY)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(CONTENT)
    bad.write_bytes(CONTENT + b"!")
    with pytest.raises(WeightsError, match=SHA):
        store.add("toy", bad)
    assert not store.folder.exists()
    assert store.add("toy", good).sha256 == SHA
    assert store.require("toy").path == store.folder / "toy.bin"
    assert [status.state for status in store.verify() if status.weight.name == "toy"] == ["ok"]
    with pytest.raises(WeightsError, match="cannot read"):
        store.add("toy", tmp_path / "nowhere")


def test_a_damaged_file_is_wrong_and_not_used(store: WeightStore, declare) -> None:
    declare(TOY)
    store.folder.mkdir()
    (store.folder / "toy.bin").write_bytes(b"damaged")
    assert store.status("toy").state == "wrong"
    assert store.locate("toy") is None
    with pytest.raises(WeightsError, match="delete it"):
        store.require("toy")


def test_a_good_copy_elsewhere_wins_over_a_wrong_one(store: WeightStore) -> None:
    weight = WEIGHTS.get("dlib-resnet")
    store.folder.mkdir()
    (store.folder / weight.file).write_bytes(b"damaged")
    assert store.status("dlib-resnet").state == "ok"
    assert store.require("dlib-resnet").path.parent != store.folder


def test_a_prefix_is_enough_where_the_publisher_gives_no_more(
    store: WeightStore, declare, tmp_path: Path
) -> None:
    declare(replace(TOY, sha256=(SHA[:8],)))
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    assert store.add("toy", source).sha256 == SHA


def test_without_a_published_digest_the_first_copy_is_remembered(
    store: WeightStore, declare, tmp_path: Path
) -> None:
    declare(replace(TOY, sha256=()))
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(CONTENT)
    second.write_bytes(b"another")
    store.folder.mkdir()
    (store.folder / "toy.bin").write_bytes(CONTENT)
    assert store.status("toy").state == "unverified"
    store.add("toy", first)
    assert store.status("toy").state == "ok"
    with pytest.raises(WeightsError, match="expected " + SHA):
        store.add("toy", second)
    (store.folder / "toy.bin").write_bytes(b"changed behind our back")
    assert store.status("toy").state == "wrong"


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EQUILUX_WEIGHTS", str(tmp_path))
    assert WeightStore().folder == tmp_path


# --- fetching ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "packed"), [("/toy.bin", ""), ("/toy.bin.bz2", "bz2")])
def test_fetching_checks_and_keeps(
    store: WeightStore, declare, server: str, path: str, packed: str
) -> None:
    declare(replace(TOY, url=server + path, packed=packed))
    seen: list[tuple[int, int]] = []
    found = fetch("toy", store, progress=lambda done, total: seen.append((done, total)))
    assert found.path.read_bytes() == CONTENT
    assert found.sha256 == SHA
    assert seen[-1][0] == seen[-1][1] == len(_Handler.files[path])
    assert fetch("toy", store, progress=pytest.fail) == found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/other.bin", "expected " + SHA),
        ("/short/toy.bin", "ended after 160000 of 320000 bytes"),
        ("/nothing", "404"),
        ("/away", "https only"),
    ],
)
def test_nothing_takes_the_files_name_when_fetching_fails(
    store: WeightStore, declare, server: str, path: str, message: str
) -> None:
    declare(replace(TOY, url=server + path))
    with pytest.raises(WeightsError, match=message):
        fetch("toy", store)
    assert not (store.folder / "toy.bin").exists()
    assert not list(store.folder.glob(".tmp-*"))


def test_a_compressed_file_that_ends_early_is_refused(
    store: WeightStore, declare, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(replace(TOY, url=server + "/toy.bin.bz2", packed="bz2"))
    cut = dict(_Handler.files) | {"/toy.bin.bz2": bz2.compress(CONTENT)[:-10]}
    monkeypatch.setattr(_Handler, "files", cut)
    with pytest.raises(WeightsError, match="ended after"):
        fetch("toy", store)


def test_an_unreachable_server_is_given_up_soon(store: WeightStore, declare) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    declare(replace(TOY, url=f"http://127.0.0.1:{port}/toy.bin"))
    start = time.monotonic()
    with pytest.raises(WeightsError, match="python -m benchmark weights add toy FILE"):
        fetch("toy", store)
    assert time.monotonic() - start < 6


def test_plain_http_and_files_without_an_address_are_refused(store: WeightStore, declare) -> None:
    declare(replace(TOY, url="http://example.com/toy.bin"))
    with pytest.raises(WeightsError, match="https only"):
        fetch("toy", store)
    with pytest.raises(WeightsError, match="no address"):
        fetch("mobilefacenet", store)


# --- reading -------------------------------------------------------------------------------------


class _Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_tensors_are_read_from_every_plain_format(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(3.0), "b": torch.eye(2)}
    save_file(tensors, tmp_path / "x.safetensors")
    torch.save(tensors, tmp_path / "x.pth")
    nested = {"state_dict": {f"module.{k}": v for k, v in tensors.items()}}
    torch.save(nested, tmp_path / "y.pth")
    torch.save({"params": {"a": torch.zeros(3)}, "params_ema": tensors}, tmp_path / "z.pth")
    for name in ("x.safetensors", "x.pth", "y.pth", "z.pth"):
        found = load_tensors(tmp_path / name)
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[key], tensors[key]) for key in tensors)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    torch.save({"a": torch.zeros(1), "b": _Bomb(touched)}, tmp_path / "bomb.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(_Bomb(touched)))
    for name in ("bomb.pth", "raw.pth"):
        with pytest.raises(WeightsError, match="could run its code"):
            load_tensors(tmp_path / name)
    assert not touched.exists()


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
def test_damaged_and_foreign_files_are_clear_errors(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"", b"hello", b"\x80\x02garbage" * 9):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=name):
            load_tensors(path)


def test_a_file_without_named_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="mapping of names"):
        load_tensors(tmp_path / "list.pth")
