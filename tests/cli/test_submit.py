"""``submit``: questions become a file or nothing, and a checklist says what was not looked at."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.enhancers.adapters.outside import digest_of_code, locate
from benchmark.errors import EquiluxError
from benchmark.progress import Reporter
from benchmark.runner.validation import Validation, _contamination, _coverage, _smoke, validate
from benchmark.spec.catalogue import find_task
from benchmark.spec.origin import parse_origin
from benchmark.spec.submission import read_submission

ANSWERS = {
    "--owner": "someone",
    "--name": "brightnet",
    "--title": "BrightNet",
    "--licence": "apache-2.0",
    "--contact": "someone@example.org",
    "--responsible-use": "Not for evidence.",
}


def new(folder: Path, enhancer: str, *more: str, **changes: str) -> str:
    options = ANSWERS | {f"--{key}": value for key, value in changes.items()}
    words = [word for pair in options.items() for word in pair]
    command = ["submit", "new", "--enhancer", enhancer, "--out", str(folder), *words, *more]
    result = CliRunner().invoke(app, command)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def naf(tmp_path: Path) -> Path:
    """Weights of a small NAFNet that nobody has trained."""
    from spandrel.architectures.NAFNet import NAFNet

    torch.manual_seed(0)
    network = NAFNet(width=4, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    state: dict[str, Tensor] = network.state_dict()
    save_file(state, tmp_path / "naf.safetensors")
    return tmp_path / "naf.safetensors"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "code" / "some_enhancers.py"
    file.parent.mkdir()
    file.write_text(
        "import pathlib, time, torch\n"
        "pathlib.Path(__file__).with_name('imported').touch()\n"
        "def root(): return torch.sqrt\n"
        "def slow(): time.sleep(60)\n"
        "def ends():\n    import os; os._exit(3)\n"
        "def falls():\n    import os, signal\n"
        "    return lambda x: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def secret():\n    import os; raise OSError(os.environ.get('MY_TOKEN', 'no token'))\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(file.parent))
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    monkeypatch.syspath_prepend(file.parent)
    monkeypatch.delitem(sys.modules, "some_enhancers", raising=False)
    importlib.invalidate_caches()
    return file


def checked(path: Path, cache: Path, **changes: object) -> Validation:
    options = {"tasks": (), "trust": False, "cache": cache, "reporter": Reporter.silent()}
    return validate(read_submission(path), path, **(options | changes))  # type: ignore[arg-type]


def states(found: Validation) -> dict[str, str]:
    return {check.name: check.state for check in found.checks}


def test_answers_become_a_file_with_its_weights_beside(tmp_path: Path, naf: Path) -> None:
    output = new(
        tmp_path / "s",
        f"spandrel:{naf}",
        *("--trained-on", "sice:unpaired:README: part 1"),
        *("--link", "paper=https://example.org/p"),
    )
    path = tmp_path / "s" / "someone" / "brightnet.yaml"
    assert str(path) in output
    spec = read_submission(path)
    assert spec.enhancer == "spandrel:brightnet.safetensors"
    assert spec.licence == "Apache-2.0"
    assert spec.training_data[0].evidence == "README: part 1"
    assert path.with_name("brightnet.safetensors").read_bytes() == naf.read_bytes()
    found = checked(path, tmp_path / "cache")
    assert found.passed
    assert set(states(found).values()) == {"ok"}
    assert found.parameters == sum(t.numel() for t in torch_tensors(naf))
    assert found.milliseconds is not None


def torch_tensors(path: Path) -> list[Tensor]:
    from safetensors.torch import load_file

    return list(load_file(path).values())


def test_questions_are_asked_one_by_one(tmp_path: Path) -> None:
    said = "\n".join(
        ["gamma", "someone", "mygamma", "A", "apache-2.0", "none", "me", "Not yet.", ""]
    )
    result = CliRunner().invoke(app, ["submit", "new", "--out", str(tmp_path)], input=said)
    assert result.exit_code == 0, result.output
    spec = read_submission(tmp_path / "someone" / "mygamma.yaml")
    assert (spec.enhancer, spec.training_data) == ("gamma", [])
    cut = CliRunner().invoke(app, ["submit", "new", "--out", str(tmp_path)], input="gamma\n")
    assert isinstance(cut.exception, EquiluxError)
    assert "--owner" in str(cut.exception)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"licence": "Free"}, "licence: .*SPDX id"),
        ({"name": "Bright Net"}, "name: write lower-case letters"),
        ({"name": "0racle"}, "suite's own 'oracle'"),
        ({"owner": "../elsewhere"}, "owner: write lower-case letters"),
        ({"title": "x" * 500}, "title: .*at most 120"),
        ({"name": "n" * 300}, "name: .*at most 40"),
        ({"enhancer": "nosuch"}, "no enhancer or host"),
        ({"enhancer": "oracle"}, "is a control and no submission"),
        ({"enhancer": "curve", "arm": "calls"}, "calls"),
        ({"enhancer": "lime", "arm": "cals"}, "only a host"),
        ({"arm": "cals"}, "only a host"),
    ],
)
def test_what_is_refused_leaves_the_tree_as_it_was(
    tmp_path: Path, naf: Path, changes: dict[str, str], said: str
) -> None:
    folder = tmp_path / "s"
    new(folder, "gamma", "--learned-nothing", name="first")
    before = tree(tmp_path)
    words = dict(changes)
    enhancer = words.pop("enhancer", f"spandrel:{naf}")
    with pytest.raises(EquiluxError, match=said) as caught:
        new(folder, enhancer, "--learned-nothing", **words)
    assert "equilux-" not in str(caught.value), "the place of a file that is gone"
    assert tree(tmp_path) == before


def test_a_name_is_taken_once_and_a_file_must_be_there(tmp_path: Path, naf: Path) -> None:
    folder = tmp_path / "s"
    new(folder, "gamma", "--learned-nothing")
    before = tree(folder)
    for enhancer, message in ((f"spandrel:{naf}", "there already"), ("onnx:no.onnx", "no such")):
        with pytest.raises(EquiluxError, match=message):
            new(folder, enhancer, "--learned-nothing")
    assert tree(folder) == before


def test_a_registered_enhancer_has_one_licence(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with pytest.raises(EquiluxError, match="but clahe is registered under BSD-3-Clause"):
        new(folder, "clahe", "--learned-nothing", licence="Apache-2.0")
    with pytest.raises(EquiluxError, match="MIT, but curve is registered"):
        new(folder, "curve", "--learned-nothing", "--arm", "matched", licence="MIT")
    assert not folder.exists()
    new(folder, "clahe", "--learned-nothing", licence="BSD-3-Clause")
    path = folder / "someone" / "brightnet.yaml"
    assert states(checked(path, tmp_path / "cache"))["licence"] == "ok"
    path.write_text(path.read_text().replace("BSD-3-Clause", "MIT"), encoding="utf-8")
    assert states(checked(path, tmp_path / "cache"))["licence"] == "failed"


def test_other_bytes_than_declared_fail_and_nothing_is_run(tmp_path: Path, naf: Path) -> None:
    new(tmp_path / "s", f"spandrel:{naf}", "--learned-nothing")
    path = tmp_path / "s" / "someone" / "brightnet.yaml"
    path.with_name("brightnet.safetensors").write_bytes(b"something else")
    before = tree(tmp_path / "s")
    result = CliRunner().invoke(app, ["submit", "validate", str(path), "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["passed"]
    (failed,) = (check for check in found["checks"] if check["state"] == "failed")
    assert failed["name"] == "digest"
    assert "not the declared bytes" in failed["detail"]
    assert tree(tmp_path / "s") == before


def test_code_runs_only_with_trust(tmp_path: Path, module: Path) -> None:
    new(tmp_path / "s", "some_enhancers:root", "--learned-nothing")
    path = tmp_path / "s" / "someone" / "brightnet.yaml"
    assert read_submission(path).weights.sha256 == digest_of_code(module)  # type: ignore[union-attr]
    found = checked(path, tmp_path / "cache")
    assert states(found)["import"] == states(found)["output contract"] == "unchecked"
    assert not module.with_name("imported").exists()
    trusted = checked(path, tmp_path / "cache", trust=True)
    assert trusted.passed
    assert states(trusted)["import"] == "ok"
    assert "some_enhancers" not in sys.modules  # it was another process
    module.write_text(module.read_text() + "\n", encoding="utf-8")
    assert states(checked(path, tmp_path / "cache", trust=True))["digest"] == "failed"


@pytest.mark.parametrize(
    ("factory", "check", "message"),
    [
        pytest.param("ends", "import", "code 3", marks=pytest.mark.slow),
        ("slow", "import", "not done after"),
        ("secret", "import", "OSError: no token"),
        ("falls", "output contract", "ended with SIGSEGV"),
    ],
)
def test_whatever_foreign_code_does_is_a_finding(
    tmp_path: Path, module: Path, factory: str, check: str, message: str
) -> None:
    new(tmp_path / "s", f"some_enhancers:{factory}", "--learned-nothing")
    path = tmp_path / "s" / "someone" / "brightnet.yaml"
    seconds = 6.0 if factory == "slow" else 100.0
    found = checked(path, tmp_path / "cache", trust=True, seconds=seconds)
    (failed,) = (check for check in found.checks if check.state == "failed")
    assert failed.name == check
    assert message in failed.detail
    unchecked = {each.name for each in found.checks if each.state == "unchecked"}
    assert unchecked == ({"output contract"} if check == "import" else set())


def test_outputs_are_counted_against_the_samples_of_a_task(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(pictures / "test-00000-monk01-p001.png")
    task = find_task("face-identity")
    found = _coverage(locate(parse_origin(f"outputs:{pictures}")), task)
    assert found.state == "note"
    assert "are not answered, for example test-00000-monk01-p002" in found.detail


def test_what_it_was_trained_on_is_held_against_the_data(tmp_path: Path) -> None:
    new(tmp_path / "s", "gamma", "--trained-on", "lol-v2:trained:paper", name="lols")
    spec = read_submission(tmp_path / "s" / "someone" / "lols.yaml")
    (line,) = (c for c in _contamination(spec, ()) if c.name == "contamination, real data")
    assert line.state == "note"
    assert "lol-v1: trained on data that share images" in line.detail
    assert "14 of its 15 test scenes" in line.detail
    assert "lol-v2: trained on its pairs" in line.detail
    with pytest.raises(EquiluxError, match="says too little"):
        new(tmp_path / "s", "gamma", "--trained-on", "lol-v2", name="more")


@pytest.mark.slow
def test_the_smoke_task_counts_failures(tmp_path: Path, module: Path) -> None:
    command = ["submit", "inputs", "--task", "low-light-recognition", "--profile", "smoke"]
    places = ["--out", str(tmp_path / "in"), "--cache", str(tmp_path / "cache")]
    result = CliRunner().invoke(app, command + places)
    assert result.exit_code == 0, result.output
    pictures = sorted((tmp_path / "in").iterdir())
    assert str(len(pictures)) in result.output
    # well behaved on the contract's pictures, and of another size on the task's
    with Image.open(pictures[0]) as first:
        width = first.width
    body = f"lambda x: x[..., 1:] if x.shape[-1] == {width} and x.max() > 0 else x"
    module.write_text(f"def root():\n    return {body}\n", encoding="utf-8")
    new(tmp_path / "s", "some_enhancers:root", "--learned-nothing")
    path = tmp_path / "s" / "someone" / "brightnet.yaml"
    task = find_task("low-light-recognition")
    line = _smoke(path, task, trust=True, cache=tmp_path / "cache", reporter=Reporter.silent())
    assert line.state == "failed"
    assert f"{len(pictures)} wrong_size" in line.detail
