"""Systems from outside in a run: every form through the same door, failures counted."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmark.data.evalset import EvalSet
from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.adapters.outside import Outside
from benchmark.errors import EquiluxError, SpecError, UnknownNameError, WeightsError
from benchmark.files import sha256_of_file
from benchmark.runner.outputs import MISSING, NONFINITE, WRONG_SIZE, enhance_all, read_all
from benchmark.runner.plan import make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.stages import _system
from benchmark.runner.systems import SystemRun, refuse_namesakes
from benchmark.runner.units import Unit
from benchmark.spec.catalogue import find_task

CPU = torch.device("cpu")
FAULTY = """
import torch
from benchmark.enhancers.base import Enhancer

def marked(images):
    return (images[:, 0, 0, 0] * 255).round() == 4

def crash():
    def f(x):
        if marked(x).any(): raise RuntimeError("no")
        return x
    return f

def nan():
    return lambda x: torch.where(marked(x)[:, None, None, None], torch.nan, x)

def size():
    return lambda x: x[..., 1:] if marked(x).any() else x

class Cheat(Enhancer):
    needs_reference = True
    def enhance(self, images, references=None):
        return references
"""


def evalset(count: int = 7, side: int = 6) -> EvalSet:
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(count)  # marks the sample
    frame = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(count)], "cluster": "c", "status": "ok"}
    )
    return EvalSet(frame=frame, inputs=images, references=images, digest="d")


def asked(*systems: str, submissions: tuple[str, ...] = (), trust: bool = False) -> Request:
    return resolve(
        find_task("low-light-recognition"),
        profile="smoke",
        device="cpu",
        systems=systems,
        submissions=submissions,
        metrics=("psnr",),
        trust=trust,
    )


def submission(folder: Path, enhancer: str, **more: object) -> Path:
    path = folder / "someone" / "brightnet.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = {
        "format": 2,
        "owner": "someone",
        "name": "brightnet",
        "title": "BrightNet",
        "enhancer": enhancer,
        "licence": "MIT",
        "training_data": "[]",
        "contact": "someone",
        "responsible_use": "Not for evidence.",
    } | more
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()), encoding="utf-8")
    return path


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "faulty_enhancers.py"
    file.write_text(FAULTY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty_enhancers", raising=False)
    importlib.invalidate_caches()
    return file


def enhance_unit(request: Request, name: str) -> Unit:
    plan = make_plan(request)
    return next(unit for run, unit in plan.enhancements.items() if run.system == name)


class _Work:
    """As much of ``Work`` as building a system needs."""

    def __init__(self, unit: Unit) -> None:
        self.unit, self.payload, self.inputs = unit, unit.payload, {}


def made(request: Request, name: str) -> object:
    return _system(_Work(Unit.from_json(enhance_unit(request, name).to_json())))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("factory", "status"), [("crash", MISSING), ("nan", NONFINITE), ("size", WRONG_SIZE)]
)
def test_failures_of_foreign_code_are_counted(faulty: Path, factory: str, status: str) -> None:
    name = f"faulty_enhancers:{factory}"
    enhancer = made(asked(name, trust=True), name)
    outputs = enhance_all(enhancer, evalset(), device=CPU)  # type: ignore[arg-type]
    assert list(outputs.status) == ["ok"] * 4 + [status] + ["ok"] * 2
    assert not outputs.images[4].any()


def test_foreign_code_needs_trust_and_never_sees_the_clean_pictures(faulty: Path) -> None:
    with pytest.raises(EquiluxError, match="--trust"):
        asked("faulty_enhancers:crash")
    with pytest.raises(EquiluxError, match="--trust"):
        asked(submissions=(str(submission(faulty.parent, "absent:make", weights=_pin("a" * 64))),))
    assert "faulty_enhancers" not in sys.modules
    with pytest.raises(EquiluxError, match="clean pictures"):
        made(asked("faulty_enhancers:Cheat", trust=True), "faulty_enhancers:Cheat")


def test_other_code_under_the_same_name_is_another_result(faulty: Path) -> None:
    name = "faulty_enhancers:crash"
    before = enhance_unit(asked(name, trust=True), name).key
    faulty.write_text(FAULTY + "\nrevised = 1\n", encoding="utf-8")
    assert enhance_unit(asked(name, trust=True), name).key != before


def _pin(digest: str) -> str:
    return f"{{sha256: {digest}}}"


def test_a_file_is_known_by_its_bytes_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one number is no network that spandrel knows, which a plan would say
    monkeypatch.setattr(Outside, "inspect", lambda self: None)
    paths = [tmp_path / "a" / "w.safetensors", tmp_path / "b" / "w.safetensors"]
    for path in paths:
        path.parent.mkdir()
        save_file({"gain": torch.tensor(2.0)}, path)
    keys = {enhance_unit(asked(f"spandrel:{p}"), "spandrel:w").key for p in paths}
    assert len(keys) == 1
    save_file({"gain": torch.tensor(3.0)}, paths[0])
    assert enhance_unit(asked(f"spandrel:{paths[0]}"), "spandrel:w").key not in keys


def test_a_submission_stands_beside_the_untrained_systems(tmp_path: Path) -> None:
    path = submission(tmp_path, "spandrel:w.safetensors", weights=_pin("a" * 64))
    save_file({"gain": torch.tensor(2.0)}, path.with_name("w.safetensors"))
    with pytest.raises(WeightsError, match="not the declared bytes"):
        asked(submissions=(str(path),))
    digest = sha256_of_file(path.with_name("w.safetensors"))
    submission(tmp_path, "spandrel:w.safetensors", weights=_pin(digest))
    systems = [run.system for run in asked(submissions=(str(path),)).systems]
    assert systems == [*find_task("low-light-recognition").spec.systems, "someone/brightnet"]
    assert [run.system for run in asked("input", str(path)).systems][1] == "someone/brightnet"
    path.with_name("w.safetensors").unlink()
    with pytest.raises(WeightsError, match="not on this machine"):
        asked(submissions=(str(path),))


def test_a_submitted_host_is_trained_in_both_arms_and_compared(tmp_path: Path) -> None:
    request = asked(submissions=(str(submission(tmp_path, "curve")),))
    arms = {run.arm for run in request.systems if run.system == "someone/brightnet"}
    assert arms == {"matched", "cals"}
    assert request.comparisons == (("someone/brightnet", "cals", "matched"),)
    # the training is the one of the host itself, so nothing is trained twice
    own = {unit.key for unit in make_plan(asked("curve")).trainings.values()}
    assert {unit.key for unit in make_plan(request).trainings.values()} == own


def test_what_is_no_submission_is_refused(tmp_path: Path) -> None:
    for enhancer, more, error in (
        ("oracle", {}, SpecError),
        ("gamma", {"arms": "[matched]"}, SpecError),
        ("gama", {}, UnknownNameError),
    ):
        with pytest.raises(error):
            asked(submissions=(str(submission(tmp_path, enhancer, **more)),))
    with pytest.raises(UnknownNameError, match="equilux/lime"):
        asked(submissions=("equilux/lim",))


def test_two_systems_of_one_name_are_refused(tmp_path: Path) -> None:
    run = SystemRun("onnx:m", "", -1, "onnx:a/m.onnx")
    with pytest.raises(EquiluxError, match="would be called 'onnx:m'"):
        refuse_namesakes([run, SystemRun("onnx:m", "", -1, "onnx:a/m.onnx")])


def test_absent_and_unreadable_outputs_are_failures(tmp_path: Path) -> None:
    data = evalset(4)
    for row in (0, 1):
        Image.fromarray(data.inputs[row]).save(tmp_path / f"s{row}.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "s2.png")
    outputs = read_all(OutputFolder(tmp_path), data)
    assert list(outputs.status) == ["ok", "ok", WRONG_SIZE, MISSING]
    np.testing.assert_array_equal(outputs.images[:2], data.inputs[:2])
    assert outputs.errors == ("1 samples have no readable picture: s3 ...",)
    assert np.isnan(outputs.milliseconds).all()


def test_outputs_made_elsewhere_take_no_null_test(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "s.png")
    request = resolve(
        find_task("medical-structure"),
        profile="smoke",
        device="cpu",
        systems=("input", f"outputs:{tmp_path}"),
        metrics=("psnr",),
    )
    plan = make_plan(request)
    assert plan.null_test is not None
    assert [run.system for run in plan.null_test.counts] == ["input"]
    assert "0!" in plan.analysis.needs
    assert "1!" not in plan.analysis.needs
