"""Whatever a picture file holds, it decodes to what a person would see, or is refused with why."""

from __future__ import annotations

import resource
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

from benchmark.data.pictures import (
    UndecodableError,
    decode,
    decode_mask,
    place,
    quiet_pillow,
    same_form,
    size_of,
)

GREY = np.tile(np.linspace(0, 255, 20).astype(np.uint8), (20, 1))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(decode(path).image).astype(int)


@pytest.mark.parametrize(
    ("name", "image", "tolerance"),
    [
        ("grey.png", Image.fromarray(GREY), 0),
        ("deep.png", Image.fromarray(GREY.astype(np.uint16) * 257), 0),
        ("deep.tif", Image.fromarray(GREY.astype(np.uint16) * 257), 0),
        ("unit.tif", Image.fromarray(GREY.astype(np.float32) / 255), 0),
        ("long.tif", Image.fromarray(GREY.astype(np.int32) * 257), 0),
        ("palette.png", Image.fromarray(GREY).convert("P"), 0),
        ("opaque.png", Image.fromarray(GREY).convert("RGBA"), 0),
        ("cmyk.tif", Image.fromarray(GREY).convert("RGB").convert("CMYK"), 1),
        ("cmyk.jpg", Image.fromarray(GREY).convert("RGB").convert("CMYK"), 8),
        ("grey.bmp", Image.fromarray(GREY), 0),
        ("grey.gif", Image.fromarray(GREY), 0),
    ],
)
def test_every_kind_of_picture_shows_the_same(
    tmp_path: Path, name: str, image: Image.Image, tolerance: int
) -> None:
    image.save(tmp_path / name)
    found = pixels(tmp_path / name)
    assert found.shape == (20, 20, 3)
    assert np.abs(found - GREY[..., None]).max() <= tolerance


def test_a_dark_16_bit_picture_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 200, np.uint16)).save(tmp_path / "dark.png")
    assert pixels(tmp_path / "dark.png").max() == 1


def test_transparency_is_white_paper(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (pixels(tmp_path / "clear.png") == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    operations = [
        lambda a: a,
        lambda a: a[:, ::-1],
        lambda a: a[::-1, ::-1],
        lambda a: a[::-1],
        lambda a: a.T,
        lambda a: np.rot90(a, -1),
        lambda a: a[::-1, ::-1].T,
        lambda a: np.rot90(a, 1),
    ]
    expected = operations[orientation - 1](np.asarray(image))
    assert (pixels(tmp_path / "turned.png")[..., 0] == expected).all()
    assert size_of(tmp_path / "turned.png") == expected.shape[::-1]


def test_bytes_and_files_are_the_same(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    from_bytes = np.asarray(decode((tmp_path / "a.png").read_bytes()).image)
    assert (from_bytes == pixels(tmp_path / "a.png")).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "no such file"), (b"not a picture", "not a picture"), (b"", "not a picture")],
)
def test_what_is_no_picture_says_so(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    for read in (decode, size_of, lambda p: decode_mask(p, threshold=0.5)):
        with pytest.raises(UndecodableError, match=reason):
            read(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "bmp"])
def test_truncated_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UndecodableError):
        decode(path)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UndecodableError):
        decode(tmp_path)


def test_a_gigantic_picture_is_refused_without_decoding(tmp_path: Path) -> None:
    with quiet_pillow():
        Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
        start = time.monotonic()
        with pytest.raises(UndecodableError, match="100 megapixels"):
            decode(tmp_path / "huge.png")
    assert time.monotonic() - start < 1


def test_a_48_megapixel_jpeg_is_decoded_small(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 800).astype(np.uint8)
    Image.fromarray(np.tile(ramp, (600, 1))).resize((8000, 6000)).save(tmp_path / "big.jpg")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    decoded = decode(tmp_path / "big.jpg", at_least=512)
    tracemalloc.stop()
    assert decoded.size == (8000, 6000)
    assert decoded.image.size == (1000, 750)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000  # kilobytes; in full it would be 144 MB
    placed = place(decoded.size, fit="crop", side=256)
    middle = placed.image(decoded.image)[128, :, 0].astype(int)
    assert np.abs(middle - np.interp(np.linspace(0.125, 0.875, 256), [0, 1], [0, 255])).max() < 4


def test_one_pixel_fills_the_canvas(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(tmp_path / "pixel.png")
    decoded = decode(tmp_path / "pixel.png")
    for fit in ("crop", "letterbox"):
        placed = place(decoded.size, fit=fit, side=16)
        assert (placed.image(decoded.image) == [255, 0, 0]).all()
        assert placed.inside().all()


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (20, 20), (33, 17), (1, 50)])
def test_letterbox_keeps_everything_and_says_where(size: tuple[int, int]) -> None:
    placed = place(size, fit="letterbox", side=16)
    image = placed.image(Image.new("RGB", size, "white"))
    assert image.shape == (16, 16, 3)
    assert ((image == 255).all(-1) == placed.inside()).all()
    assert placed.content == (
        max(1, round(16 * size[0] / max(size))),
        max(1, round(16 * size[1] / max(size))),
    )


def test_resampling_agrees_with_skimage() -> None:
    rng = np.random.default_rng(1)
    smooth = resize(rng.random((8, 8)), (90, 90), order=3)
    source = (smooth.clip(0, 1) * 255).astype(np.uint8)
    placed = place((90, 90), fit="crop", side=30)
    found = placed.image(Image.fromarray(source).convert("RGB"))[..., 0]
    oracle = resize(source / 255, (30, 30), anti_aliasing=True) * 255
    assert np.abs(found - oracle)[2:-2, 2:-2].mean() < 2
    assert np.abs(found[1:] - oracle[:-1])[2:-2, 2:-2].mean() > 6  # a shift would show


def test_no_fit_is_no_change() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (7, 9, 3), dtype=np.uint8)
    placed = place((9, 7), fit="none", side=99)
    assert (placed.image(Image.fromarray(noise)) == noise).all()
    assert placed.inside().all()
    assert (placed.points(np.array([[3.0, 4.0]])) == [3.0, 4.0]).all()


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_points_follow_the_picture(fit: str) -> None:
    source = np.zeros((60, 90, 3), np.uint8)
    source[30:33, 48:51] = 255  # centre at (49, 31)
    placed = place((90, 60), fit=fit, side=45)
    image = placed.image(Image.fromarray(source)).astype(float).sum(-1)
    y, x = np.indices(image.shape)
    centre = [(image * x).sum() / image.sum(), (image * y).sum() / image.sum()]
    assert placed.points(np.array([[49.0, 31.0]]))[0] == pytest.approx(centre, abs=0.1)


def test_a_window_is_where_it_was_annotated() -> None:
    placed = place((90, 60), fit="letterbox", side=45)
    window = placed.inside((30, 20, 60, 40))
    rows, columns = np.nonzero(window)
    assert (columns.min(), columns.max()) == (15, 29)
    assert (rows.min(), rows.max()) == (7 + 10, 7 + 19)
    beyond = placed.inside((-100, -100, 1000, 1000))
    assert (beyond == placed.inside()).all()


def test_masks_of_any_scale_mean_the_same(tmp_path: Path) -> None:
    shape = np.zeros((30, 40), bool)
    shape[5:20, 10:30] = True
    forms = {
        "255.png": shape.astype(np.uint8) * 255,
        "ones.png": shape.astype(np.uint8),
        "16.png": shape.astype(np.uint16) * 65535,
    }
    for name, values in forms.items():
        Image.fromarray(values).save(tmp_path / name)
    Image.fromarray(shape).save(tmp_path / "1.png")
    Image.fromarray(shape.astype(np.uint8) * 255).convert("RGB").save(tmp_path / "rgb.png")
    double = np.kron(shape, np.ones((2, 2), bool))
    Image.fromarray(double.astype(np.uint8) * 255).save(tmp_path / "double.png")
    placed = place((40, 30), fit="none", side=1)
    for name in (*forms, "1.png", "rgb.png"):
        mask = decode_mask(tmp_path / name, threshold=0.5)
        assert (placed.mask(mask) == shape).all(), name
    box = place((40, 30), fit="crop", side=30)
    one = box.mask(decode_mask(tmp_path / "1.png", threshold=0.5))
    two = box.mask(decode_mask(tmp_path / "double.png", threshold=0.5))
    assert (one == two).all()


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ((40, 30), (40, 30), True),
        ((40, 30), (80, 60), True),
        ((80, 60), (40, 30), True),
        ((601, 401), (300, 200), True),
        ((601, 401), (301, 201), True),
        ((40, 30), (41, 30), False),
        ((40, 30), (40, 29), False),
        ((40, 30), (30, 40), False),
        ((40, 30), (80, 64), False),
    ],
)
def test_same_form(one: tuple[int, int], two: tuple[int, int], same: bool) -> None:
    assert same_form(one, two) is same
    assert same_form(two, one) is same
