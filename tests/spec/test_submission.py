"""Submissions are registry entries on disk that must say who they are, strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import EquiluxError, SpecError, UnknownNameError
from benchmark.runner.standing import licence_problem, name_problem
from benchmark.runner.systems import runs_of
from benchmark.spec import submission
from benchmark.spec.datasets import DATASETS, OVERLAPS
from benchmark.spec.naming import confusable, name_conflict, skeleton
from benchmark.spec.origin import parse_origin
from benchmark.spec.submission import find_submission, read_submission, submission_names

DIGEST = "ab" * 32
GOOD = {
    "format": "2",
    "owner": "someone",
    "name": "brightnet",
    "title": "BrightNet",
    "enhancer": "onnx:brightnet.onnx",
    "weights": f"{{sha256: {DIGEST}}}",
    "licence": "MIT",
    "training_data": "[]",
    "contact": "someone@example.org",
    "responsible_use": "Not for evidence.",
}


def written(folder: Path, **changes: str | None) -> Path:
    path = folder / "someone" / "brightnet.yaml"
    path.parent.mkdir(exist_ok=True)
    lines = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()), encoding="utf-8")
    return path


def test_every_committed_submission_is_sound_and_nobody_s_double() -> None:
    names = submission_names()
    assert names
    for name in names:
        found = find_submission(name)
        assert not name_problem(found, set(names) - {name})
        assert not licence_problem(found)
        if found.origin.form == "registered":
            assert runs_of(name, seeds=(0,), hosts=(), trust=False)


def test_a_wrong_name_gets_suggestions() -> None:
    with pytest.raises(UnknownNameError, match="equilux/lime"):
        find_submission("equilux/lim")
    for traversal in ("../equilux/lime", "/etc/passwd", "equilux/../equilux/lime"):
        with pytest.raises(UnknownNameError):
            find_submission(traversal)


def test_a_good_file_says_what_it_says(tmp_path: Path) -> None:
    found = read_submission(
        written(
            tmp_path,
            licence="mit or apache-2.0",
            training_data='[{dataset: lol-v1, how: trained, evidence: "paper, section 4"}]',
            links="{paper: 'https://example.org/p'}",
        )
    )
    assert found.licence == "MIT OR Apache-2.0"
    assert found.full_name == "someone/brightnet"
    assert found.origin.form == found.origin.reader == "onnx"


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        ({"psnr": "30"}, 11, "scores are measured here"),
        ({"Results": "{a: 1}"}, 11, "scores are measured here"),
        ({"licens": "MIT"}, 11, "did you mean 'licence'"),
        ({"format": "1"}, 1, "Input should be 2"),
        ({"owner": "Someone"}, 2, "lower-case letters"),
        ({"owner": "some/one"}, 2, "lower-case letters"),
        ({"owner": "someone\\n"}, 2, "lower-case letters"),
        ({"owner": "aux"}, 2, "Windows keeps this name"),
        ({"name": "con.2"}, 3, "Windows keeps this name"),
        ({"name": "brіghtnet"}, 3, "lower-case letters"),  # a Cyrillic letter
        ({"title": "x" * 200}, 4, "at most 120"),
        ({"title": '"turned \\u202e around"'}, 4, "U+202E cannot be seen"),
        ({"title": '"two\\nlines"'}, 4, "one line"),
        ({"responsible_use": '"\\u001b[2J"'}, 10, "U+001B"),
        ({"responsible_use": "x" * 2000}, 10, "at most 1200"),
        ({"licence": "Free"}, 7, "SPDX id"),
        ({"enhancer": "onnx:../other/model.onnx"}, 5, "leaves the folder"),
        ({"enhancer": "spandrel:/etc/passwd.pth"}, 5, "leaves the folder"),
        ({"enhancer": "outputs:a\\\\..\\\\b"}, 5, "leaves the folder"),
        ({"enhancer": "onnx:model.exe"}, 5, "is called *.onnx"),
        ({"enhancer": "hub:a/b@main/model.onnx"}, 5, "not pinned"),
        ({"enhancer": "https://example.org/model.onnx"}, 5, "no enhancer is written so"),
        ({"weights": None}, 1, "which bytes are meant"),
        ({"enhancer": "gamma"}, 6, "leave this out"),
        ({"weights": "{sha256: abc}"}, 6, "64 hexadecimal digits"),
        ({"training_data": "[{dataset: lolv1, how: trained, evidence: x}]"}, 8, "lol-v1"),
        ({"training_data": "[{dataset: sice, how: maybe, evidence: x}]"}, 8, "'trained'"),
        ({"training_data": None}, 1, "required"),
        ({"links": "{paper: 'javascript:alert(1)'}"}, 11, "https://"),
        ({"contact": "&a x"}, 9, "anchors and aliases"),
        ({"contact": "!!python/object:os.system x"}, 9, "cannot read the value"),
    ],
)
def test_bad_input_is_refused_with_file_and_line(
    tmp_path: Path, changes: dict[str, str | None], line: int, message: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(SpecError) as caught:
        read_submission(path)
    assert f"{path}:{line}" in str(caught.value)
    assert message in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path)
    layers = "".join(f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    path.write_text("l0: &l0 [lol]\n" + layers, encoding="utf-8")
    with pytest.raises(SpecError, match="anchors and aliases"):
        read_submission(path)


def test_a_file_that_says_another_name_or_is_a_link_is_refused(tmp_path: Path) -> None:
    original = submission.submission_folder() / "equilux" / "lime.yaml"
    target = tmp_path / "someone" / "lime.yaml"
    target.parent.mkdir()
    target.write_bytes(original.read_bytes())
    with pytest.raises(SpecError, match="equilux/lime but lies at someone/lime"):
        read_submission(target)
    link = tmp_path / "equilux" / "lime.yaml"
    link.parent.mkdir()
    link.symlink_to(original)
    with pytest.raises(SpecError, match="not a link"):
        read_submission(link)


@pytest.mark.parametrize(
    ("owner", "name", "message"),
    [
        ("alice", "brightnet", "there already"),
        ("alice", "bright-net", "read as alice/brightnet"),
        ("alice", "brightnet2", ""),
        ("a1ice", "other", "read as 'alice'"),
        ("alicee", "other", ""),  # too short for one letter to deceive
        ("bob", "brlghtnet", "somebody else's"),
        ("bob", "brightnets", "somebody else's"),
        ("bob", "darknet", ""),
        ("bob", "0racle", "suite's own 'oracle'"),
        ("bob", "zero_dce", "suite's own 'zero-dce'"),
        ("bob", "zero-dces", "suite's own 'zero-dce'"),
        ("bob", "ciahe", "suite's own 'clahe'"),
        ("bob", "dahe", "suite's own 'clahe'"),
    ],
)
def test_squatting_names_are_refused(owner: str, name: str, message: str) -> None:
    why = name_conflict(
        owner, name, taken={"alice/brightnet"}, reserved={"clahe", "oracle", "zero-dce"}
    )
    assert (message in why) if message else not why


def test_look_alikes() -> None:
    assert skeleton("rn0del-1") == skeleton("modell")
    assert confusable("enlighten", "enlihgten")  # neighbours swapped
    assert not confusable("model", "modem")


def test_an_origin_is_read_back_as_it_was_written() -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    for text in (
        *("clahe", "pkg.sub:make", "onnx:a/b.onnx", "spandrel:w.pth", "outputs:folder"),
        f"hub:owner/name@{commit}/sub/w.safetensors",
    ):
        assert str(parse_origin(text)) == text
    assert parse_origin(f"hub:o/n@{commit}/m.onnx").reader == "onnx"
    for text in ("", "A b", "pkg:", ":f", f"hub:o/n@{commit}/../x.onnx", "x" * 500, "a\u202eb"):
        with pytest.raises(EquiluxError):
            parse_origin(text)


def test_every_shipped_mapping_has_a_name_that_training_data_can_take() -> None:
    from benchmark.spec.catalogue import mapping_files

    assert set(mapping_files()) <= set(DATASETS)
    assert {name for pair in OVERLAPS for name in pair} <= set(DATASETS)
