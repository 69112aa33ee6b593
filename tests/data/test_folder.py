"""Folders of photographs: whatever is in them, no row is lost and no path escapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.folder import decode, folder_digest, read_folder
from benchmark.errors import DataError
from benchmark.spec.mapping import GalleryRule, MappedAxis, MappingSpec

MAPPING = MappingSpec(
    format=1,
    name="mine",
    title="Mine",
    licence="CC0-1.0",
    source="made here",
    image="file",
    identity="who",
    gallery=GalleryRule(column="view", value="front"),
    axes=[MappedAxis(column="group", role="sensitive", source="self-reported")],
    headline_axis="group",
    size=16,
)
ROWS = [
    "a_front.png,a,front,x",
    "a_side.png,a,side,x",
    "b_front.png,b,front,",
    "b_side.png,b,side,",
]


def table(folder: Path, rows: list[str], header: str = "file,who,view,group") -> None:
    (folder / "metadata.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table(tmp_path, ROWS)
    for number, row in enumerate(ROWS):
        name = row.split(",")[0]
        Image.new("RGB", (20, 30), (number * 40, 0, 0)).save(tmp_path / name)
    return tmp_path


def test_reads_roles_axes_and_pixels(folder: Path) -> None:
    views = read_folder(folder, MAPPING)
    assert views.images.shape == (4, 16, 16, 3)
    assert list(views.frame["role"]) == ["gallery", "probe", "gallery", "probe"]
    assert list(views.frame["group"]) == ["x", "x", "unknown", "unknown"]
    assert list(views.frame["cluster"]) == ["a", "a", "b", "b"]
    assert (views.images[2] == [80, 0, 0]).all()


def test_a_broken_image_costs_its_row_only(folder: Path) -> None:
    whole = (folder / "a_side.png").read_bytes()
    (folder / "a_side.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b_side.png").unlink()
    views = read_folder(folder, MAPPING)
    assert list(views.frame["status"]) == ["ok", "decode_error", "ok", "decode_error"]
    assert len(views.frame) == 4


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([*ROWS, ROWS[0]], "file,who,view,group", "appear twice"),
        ([*ROWS[:3], "../outside.png,b,side,"], "file,who,view,group", "leaves the folder"),
        ([*ROWS[:3], "/etc/passwd,b,side,"], "file,who,view,group", "leaves the folder"),
        (ROWS, "file,who,view,team", "no column group"),
        ([], "file,who,view,group", "no rows"),
        (ROWS[1:], "file,who,view,group", "no readable gallery view"),
        ([ROWS[0]], "file,who,view,group", "no other view"),
    ],
)
def test_a_wrong_table_is_an_error(
    folder: Path, rows: list[str], header: str, message: str
) -> None:
    table(folder, rows, header)
    with pytest.raises(DataError, match=message):
        read_folder(folder, MAPPING)


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the table"):
        read_folder(tmp_path, MAPPING)


def test_the_digest_follows_the_pixels(folder: Path) -> None:
    before = folder_digest(folder, MAPPING)
    assert folder_digest(folder, MAPPING) == before
    Image.new("RGB", (20, 30), "white").save(folder / "a_side.png")
    assert folder_digest(folder, MAPPING) != before


def test_every_kind_of_picture_decodes(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(0, 255, 20).astype(np.uint8), (20, 1))
    cases = {
        "grey.png": Image.fromarray(grey),
        "deep.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "alpha.png": Image.new("RGBA", (20, 20), (0, 0, 0, 0)),
        "palette.png": Image.fromarray(grey).convert("P"),
        "cmyk.jpg": Image.fromarray(grey).convert("CMYK"),
        "pixel.png": Image.new("RGB", (1, 1), "red"),
    }
    for name, image in cases.items():
        image.save(tmp_path / name)
        pixels = decode(tmp_path / name, 16)
        assert pixels is not None, name
        assert pixels.shape == (16, 16, 3)
    assert (decode(tmp_path / "alpha.png", 8) == 255).all()  # transparency is white paper
    deep, shallow = decode(tmp_path / "deep.png", 20), decode(tmp_path / "grey.png", 20)
    assert deep is not None
    assert shallow is not None
    assert np.abs(deep.astype(int) - shallow).max() <= 1


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 20), "black")
    image.paste("white", (0, 0, 20, 10))
    exif = image.getexif()
    exif[0x0112] = 3  # turned by 180 degrees
    image.save(tmp_path / "turned.jpg", exif=exif)
    pixels = decode(tmp_path / "turned.jpg", 20)
    assert pixels is not None
    assert pixels[2].mean() < 20
    assert pixels[-3].mean() > 235


def test_no_picture_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture", encoding="utf-8")
    assert decode(tmp_path / "text.png", 8) is None
    assert decode(tmp_path / "absent.png", 8) is None


def test_a_gigantic_picture_is_refused_without_decoding(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    assert decode(tmp_path / "huge.png", 8) is None
