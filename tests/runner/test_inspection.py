"""What ``data inspect`` says is what a run would meet, and what statistics could then show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from statsmodels.stats.power import TTestIndPower

from benchmark.data.opened import RealData, open_data
from benchmark.data.references import parse_reference
from benchmark.fairness.model import Policy
from benchmark.runner.inspection import Inspection, group_sizes, inspect_data
from benchmark.spec.mapping import MappingSpec


def data(folder: Path, lines: list[str], **changes: object) -> RealData:
    (folder / "metadata.csv").write_text(
        "\n".join(["file_name,group,who,part", *lines]) + "\n", encoding="utf-8"
    )
    base = {
        "format": 2,
        "name": "mine",
        "title": "Mine",
        "licence": "CC0-1.0",
        "source": "made here",
        "image": "file_name",
        "identity": "who",
        "size": 16,
        "axes": [{"column": "group", "role": "sensitive", "source": "self-reported"}],
    }
    mapping = MappingSpec.model_validate(base | changes)
    return open_data(parse_reference(str(folder)), mapping)


def scene(path: Path, seed: int, **options: int) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(path, **options)


def found(inspection: Inspection, between: str, kind: str) -> tuple[int, int]:
    (overlap,) = (o for o in inspection.overlaps if (o.between, o.kind) == (between, kind))
    return overlap.pairs, overlap.across_clusters


def test_sizes_and_what_they_can_show_agree_with_statsmodels() -> None:
    counts = {"a": 40, "b": 40, "c": 12, "d": 3, "unknown": 9}
    frame = pd.DataFrame(
        [(g, f"{g}{n}") for g, count in counts.items() for n in range(count) for _ in range(2)],
        columns=["group", "cluster"],
    )
    sizes = {size.group: size for size in group_sizes(frame, "group", [], Policy())}
    classes = {name: size.size_class for name, size in sizes.items()}
    assert classes == {
        **{"a": "full", "b": "full", "c": "small", "d": "insufficient"},
        "unknown": "unknown",
    }
    assert (sizes["a"].images, sizes["a"].clusters) == (80, 40)
    # 12 against the 80 of the other groups that are large enough
    oracle = TTestIndPower().solve_power(nobs1=12, ratio=80 / 12, alpha=0.05, power=Policy().power)
    assert sizes["c"].detectable == pytest.approx(oracle, rel=0.02)
    assert sizes["c"].detectable_rate == pytest.approx(sizes["c"].detectable / 2)
    assert np.isnan(sizes["d"].detectable)
    assert np.isnan(sizes["unknown"].detectable)


def test_one_group_alone_can_show_no_difference() -> None:
    frame = pd.DataFrame({"group": ["a"] * 9, "cluster": list(range(9))})
    (size,) = group_sizes(frame, "group", [], Policy())
    assert np.isnan(size.detectable)
    declared = group_sizes(frame, "group", ["b", "a"], Policy())
    assert [(s.group, s.size_class) for s in declared] == [("b", "empty"), ("a", "small")]


def test_leaks_between_splits_and_within(tmp_path: Path) -> None:
    for number in range(6):
        scene(tmp_path / f"{number}.png", number)
    scene(tmp_path / "5.jpg", 5, quality=70)  # a re-encoded copy of a test picture
    scene(tmp_path / "4.bmp", 4)  # the same pixels
    (tmp_path / "bad.png").write_bytes(b"x")
    lines = [
        *(f"{n}.png,g,p{n},test" for n in range(2, 6)),
        "bad.png,g,p9,test",
        "4.bmp,g,p4b,test",
        *("0.png,g,p0,train", "1.png,g,p2,train", "5.jpg,g,p5x,train"),
    ]
    split = {"column": "part", "test": ["test"]}
    result = inspect_data(data(tmp_path, lines, split=split), policy=Policy())
    assert result.failures == (("bad.png", "not a picture"),)
    assert result.left_out == {"in other splits": 3}
    assert (result.rows, result.images, result.clusters) == (9, 5, 5)
    assert found(result, "within the data", "same pixels") == (1, 1)  # under two names
    assert found(result, "within the data", "same picture") == (0, 0)
    assert found(result, "other splits", "identity") == (1, 0)  # p2
    assert found(result, "other splits", "same pixels") == (0, 0)
    assert found(result, "other splits", "same picture") == (1, 1)  # 5 and its JPEG


def test_leaks_against_other_data(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    for number in range(3):
        scene(one / f"{number}.png", number)
        scene(two / f"{number}.png", number + 2)
    lines = [f"{n}.png,g,p{n},test" for n in range(3)]
    here, there = data(one, lines), data(two, lines)
    result = inspect_data(here, policy=Policy(), against=there)
    assert found(result, str(there.reference), "identity") == (3, 0)
    assert found(result, str(there.reference), "same pixels") == (1, 1)
    nameless = data(two, lines, identity=None)
    alone = inspect_data(here, policy=Policy(), against=nameless)
    assert not [o for o in alone.overlaps if o.kind == "identity"]  # nobody says who


def test_labels_that_contradict_each_other_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        scene(tmp_path / name, 1)
    lines = ["a.png,x,p,test", "b.png,y,p,test", "c.png,y,p,test"]
    result = inspect_data(data(tmp_path, lines, label="group", axes=[]), policy=Policy())
    assert found(result, "within the data", "same pixels") == (3, 2)


def test_axes_that_are_measured_are_shown(tmp_path: Path) -> None:
    for number in range(9):
        Image.new("RGB", (8, 8), (number * 20,) * 3).save(tmp_path / f"{number}.png")
    axis = {"measure": "brightness", "role": "context", "source": "measured"}
    lines = [f"{n}.png,g,p{n},test" for n in range(9)]
    result = inspect_data(data(tmp_path, lines, axes=[axis]), policy=Policy())
    assert [(s.group, s.images) for s in result.groups] == [
        ("dark", 3),
        ("medium", 3),
        ("bright", 3),
    ]


def test_the_real_people_are_49_and_nobody_twice(shared_data: Path) -> None:
    from benchmark.spec.catalogue import mapping_for

    folder = shared_data / "faces" / "london"
    london = open_data(parse_reference(str(folder)), mapping_for(str(folder), "london"))
    result = inspect_data(london, policy=Policy())
    assert (result.images, result.gallery, result.clusters) == (147, 49, 49)
    sizes = {s.group: (s.clusters, s.size_class) for s in result.groups if s.axis == "ethnicity"}
    assert sizes["black"] == (13, "small")
    assert sizes["white"] == (16, "small")
    assert all(overlap.pairs == 0 for overlap in result.overlaps)
    assert not result.failures
