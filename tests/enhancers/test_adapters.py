"""Systems from elsewhere: what they give, and what is said when they cannot."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmark.enhancers.adapters.code import from_factory
from benchmark.enhancers.adapters.onnx import OnnxEnhancer
from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.adapters.spandrel import SpandrelEnhancer
from benchmark.enhancers.classical import Gamma
from benchmark.errors import DataError, EquiluxError, WeightsError


def images(count: int = 2, height: int = 6, width: int = 5) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


# --- folder of outputs ---------------------------------------------------------------------------


def picture(path: Path, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 7, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_outputs_are_found_by_stem_in_any_folder_below(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "1.png", 1), picture(tmp_path / "deep" / "two.bmp", 2)
    folder = OutputFolder(tmp_path)
    found = folder.read(["eval/1.jpg", "two.png", "3.png"])
    for tensor, pixels in zip(found[:2], (first, second), strict=True):
        assert tensor is not None
        np.testing.assert_array_equal((tensor * 255).round().permute(1, 2, 0).numpy(), pixels)
    assert found[2] is None
    assert folder.missing(["1.jpg", "two.png", "3.png"]) == ("3.png",)


def test_an_unreadable_output_is_a_failure_like_a_missing_one(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "3.png").write_bytes(b"no picture")
    found = OutputFolder(tmp_path).read(["1", "2", "3"])
    assert [tensor is None for tensor in found] == [False, True, True]


def test_grey_and_transparent_outputs_become_rgb(tmp_path: Path) -> None:
    Image.new("L", (3, 2), 51).save(tmp_path / "grey.png")
    Image.new("LA", (3, 2), (51, 255)).save(tmp_path / "alpha.png")
    for tensor in OutputFolder(tmp_path).read(["grey", "alpha"]):
        assert tensor is not None
        torch.testing.assert_close(tensor, torch.full((3, 2, 3), 0.2))


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a.png", 0), ("a.png", 1), ("b.png", 1)):
        folder = tmp_path / f"{len(digests)}"
        picture(folder / name, seed)
        digests += [OutputFolder(folder).digest()]
        assert OutputFolder(folder).digest() == digests[-1]
    assert len(set(digests)) == 3


def test_a_folder_must_be_there_hold_pictures_and_name_each_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        OutputFolder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no pictures"):
        OutputFolder(tmp_path)
    picture(tmp_path / "1.png")
    picture(tmp_path / "1.bmp")
    with pytest.raises(DataError, match=r"1\.bmp and 1\.png"):
        OutputFolder(tmp_path)


# --- module:factory ------------------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A module of somebody's, on the path and not imported yet."""
    file = tmp_path / "somebody.py"
    file.write_text(
        "import pathlib, torch\n"
        "from benchmark.enhancers.classical import Gamma\n"
        "pathlib.Path(__file__).with_name('imported').touch()\n"
        "enhancer = Gamma\n"
        "network = lambda: torch.nn.Dropout(0.5)\n"
        "function = lambda: torch.sqrt\n"
        "number = lambda: 3\n"
        "def broken():\n    raise OSError('no disk')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "somebody", raising=False)
    importlib.invalidate_caches()
    return file


def test_code_is_not_even_imported_without_trust(module: Path) -> None:
    with pytest.raises(EquiluxError, match="not part of this suite"):
        from_factory("somebody:function")
    assert not module.with_name("imported").exists()


def test_enhancers_networks_and_functions_are_taken(module: Path) -> None:
    assert isinstance(from_factory("somebody:enhancer", trusted=True), Gamma)
    batch = images()
    function = from_factory("somebody:function", trusted=True)
    assert torch.equal(function.enhance(batch), batch.sqrt())
    # dropout in training mode would change the image
    network = from_factory("somebody:network", trusted=True)
    assert torch.equal(network.enhance(batch), batch)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("somebody", "names no factory"),
        ("somebody:absent", "AttributeError"),
        ("nobody_at_all:make", "ModuleNotFoundError"),
        ("somebody:broken", "OSError: no disk"),
        ("somebody:number", "int, which cannot be called"),
    ],
)
def test_what_is_no_enhancer_is_told(module: Path, reference: str, message: str) -> None:
    with pytest.raises(EquiluxError, match=message):
        from_factory(reference, trusted=True)


# --- ONNX ----------------------------------------------------------------------------------------


def _field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer; all numbers here are below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    content = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(content)]) + content


def _tensor(name: str, kind: int, shape: tuple[int | str, ...]) -> bytes:
    sides = b"".join(_field(1, _field(1 if isinstance(s, int) else 2, s)) for s in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, sides)))


def onnx_file(path: Path, shape: tuple[int | str, ...], kind: int = 1) -> Path:
    """A model that takes the square root, written byte by byte after the ONNX specification."""
    node = _field(1, "x") + _field(2, "y") + _field(4, "Sqrt")
    graph = _field(1, node) + _field(2, "g")
    graph += _field(11, _tensor("x", kind, shape)) + _field(12, _tensor("y", kind, shape))
    model = _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))
    path.write_bytes(model)
    return path


@pytest.fixture
def _runtime() -> None:
    pytest.importorskip("onnxruntime")


@pytest.mark.usefixtures("_runtime")
@pytest.mark.parametrize("shape", [("b", 3, "h", "w"), (1, 3, "h", "w"), (2, 3, 6, 5)])
def test_an_onnx_model_runs(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    enhancer = OnnxEnhancer(onnx_file(tmp_path / "m.onnx", shape))
    batch = images(4)
    torch.testing.assert_close(enhancer.enhance(batch), batch.sqrt())


@pytest.mark.usefixtures("_runtime")
def test_an_onnx_model_leaves_the_processor_as_it_was(tmp_path: Path) -> None:
    smallest = np.array([np.nextafter(0.0, 1.0)])
    enhancer = OnnxEnhancer(onnx_file(tmp_path / "m.onnx", ("b", 3, "h", "w")))
    assert (smallest * 1.0 > 0).all()
    enhancer.enhance(images(2))
    assert (smallest * 1.0 > 0).all()


@pytest.mark.usefixtures("_runtime")
def test_an_onnx_model_of_fixed_size_refuses_others(tmp_path: Path) -> None:
    enhancer = OnnxEnhancer(onnx_file(tmp_path / "m.onnx", (2, 3, 6, 5)))
    with pytest.raises(DataError, match="6 x 5 pixels, not 6 x 9"):
        enhancer.enhance(images(2, 6, 9))
    with pytest.raises(DataError, match="batches of 2, which do not divide 3"):
        enhancer.enhance(images(3))


@pytest.mark.usefixtures("_runtime")
def test_what_is_no_onnx_model_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        OnnxEnhancer(tmp_path / "absent.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"\x00\x01 not a model")
    with pytest.raises(WeightsError, match="cannot read it"):
        OnnxEnhancer(tmp_path / "bad.onnx")
    for shape, kind in ((("b", 1, "h", "w"), 1), (("b", 3), 1), (("b", 3, "h", "w"), 11)):
        with pytest.raises(WeightsError, match="not one batch of RGB images"):
            OnnxEnhancer(onnx_file(tmp_path / "m.onnx", shape, kind))


# --- spandrel ------------------------------------------------------------------------------------


class _Descriptor:
    """What spandrel documents of its descriptors, around a network that brightens."""

    purpose, scale, input_channels, output_channels = "Restoration", 1, 3, 3
    architecture = types.SimpleNamespace(name="Toy")

    def __init__(self, gain: Tensor) -> None:
        self.gain = gain

    def eval(self) -> _Descriptor:
        return self

    def to(self, device: torch.device) -> _Descriptor:
        return self

    def __call__(self, image: Tensor) -> Tensor:
        assert image.shape[0] == 1
        return (image * self.gain).clamp(0, 1)


@pytest.fixture
def spandrel(monkeypatch: pytest.MonkeyPatch) -> type[_Descriptor]:
    """A stand-in with spandrel's interface; the library itself is no dependency."""

    class Loader:
        def __init__(self, device: str) -> None:
            assert device == "cpu"

        def load_from_state_dict(self, state: dict[str, Tensor]) -> _Descriptor:
            if "gain" not in state:
                raise LookupError("Unsupported model")
            return Found(state["gain"])

    class Found(_Descriptor):
        pass

    fake = types.ModuleType("spandrel")
    fake.ModelLoader = Loader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spandrel", fake)
    return Found


def test_spandrel_networks_take_images_one_by_one(
    spandrel: type[_Descriptor], tmp_path: Path
) -> None:
    save_file({"gain": torch.tensor(2.0)}, tmp_path / "w.safetensors")
    torch.save({"params": {"gain": torch.tensor(2.0)}}, tmp_path / "w.pth")
    batch = images(3)
    for name in ("w.safetensors", "w.pth"):
        enhancer = SpandrelEnhancer(tmp_path / name)
        assert torch.equal(enhancer.enhance(batch), (batch * 2).clamp(0, 1))


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("scale", 4, "enlarges images by 4"),
        ("purpose", "Inpainting", "masked regions"),
        ("input_channels", 1, "1 channels to 3"),
    ],
)
def test_what_is_no_restorer_of_rgb_images_is_refused(
    spandrel: type[_Descriptor], tmp_path: Path, attribute: str, value: object, message: str
) -> None:
    setattr(spandrel, attribute, value)
    save_file({"gain": torch.tensor(2.0)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=message):
        SpandrelEnhancer(tmp_path / "w.safetensors")


def test_weights_that_spandrel_does_not_know_and_pickles_with_code_are_refused(
    spandrel: type[_Descriptor], tmp_path: Path
) -> None:
    save_file({"other": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="no architecture with these keys"):
        SpandrelEnhancer(tmp_path / "w.safetensors")
    torch.save(nn.Linear(1, 1), tmp_path / "whole.pth")
    with pytest.raises(WeightsError, match="could run its code"):
        SpandrelEnhancer(tmp_path / "whole.pth")
    with pytest.raises(WeightsError, match="no such file"):
        SpandrelEnhancer(tmp_path / "absent.pth")


# --- what is not installed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "adapter"), [("onnxruntime", OnnxEnhancer), ("spandrel", SpandrelEnhancer)]
)
def test_an_absent_library_is_named_with_its_command(
    library: str, adapter: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # what import takes for "not there"
    with pytest.raises(EquiluxError, match=f"pip install {library}"):
        adapter(tmp_path / "file")
