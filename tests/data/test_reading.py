"""From files to arrays: pictures, twins, masks and points stay together, failures stay counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.build import degraded
from benchmark.data.opened import open_data
from benchmark.data.reading import read_views, try_rows
from benchmark.data.references import parse_reference
from benchmark.errors import DataError

from .conftest import opened, picture, spec, table

DARK = {
    "degradation": {"axis": "exposure", "strata": {"dark": {"exposure": 0.1}}, "planted": []},
    "seed": 0,
}


def masked(folder: Path, size: tuple[int, int] = (24, 20)) -> None:
    """A mask of the left half for every picture of the fixture folder."""
    for name in ("a1", "a2", "b1", "b2"):
        mask = np.zeros(size[::-1], np.uint8)
        mask[:, : size[0] // 2] = 255
        Image.fromarray(mask).save(folder / f"{name}_m.png")


LUNGS = {"columns": {"m": "{file_name.stem}_m.png"}, "masks": {"lungs": "m"}}


def test_a_broken_picture_costs_its_row_and_says_why(folder: Path) -> None:
    whole = (folder / "a2.png").read_bytes()
    (folder / "a2.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b2.png").unlink()
    reading = read_views(opened(folder))
    assert list(reading.views.frame["status"]) == ["ok", "decode_error", "ok", "decode_error"]
    assert [sample for sample, _ in reading.failures] == ["a2.png", "b2.png"]
    assert reading.failures[1][1] == "no such file"
    assert not reading.views.images[[1, 3]].any()
    assert reading.views.images[[0, 2]].any(axis=(1, 2, 3)).all()


def test_failed_rows_stay_in_the_evaluation_set(folder: Path) -> None:
    (folder / "b2.png").unlink()
    views = read_views(opened(folder)).views
    evalset = degraded(views, np.zeros(4, np.int64), DARK)
    assert list(evalset.frame["status"]) == ["ok", "ok", "ok", "decode_error"]
    assert evalset.inputs[0].mean() < evalset.references[0].mean()


def test_nothing_readable_is_an_error(folder: Path) -> None:
    for name in ("a1", "a2", "b1", "b2"):
        (folder / f"{name}.png").write_bytes(b"x")
    with pytest.raises(DataError, match="none of 4 pictures can be read"):
        read_views(opened(folder))


def test_an_unreadable_gallery_is_an_error(folder: Path) -> None:
    (folder / "a1.png").unlink()
    rule = {"column": "view", "value": "front"}
    with pytest.raises(DataError, match="'a', have no readable gallery view"):
        read_views(opened(folder, gallery=rule, identity="who"))


def test_masks_follow_their_pictures(folder: Path) -> None:
    masked(folder)
    masks = read_views(opened(folder, size=20, **LUNGS)).views.masks
    assert set(masks) == {"lungs"}
    expected = np.zeros((4, 20, 20), bool)
    expected[:, :, :10] = True  # the centre square of 24 x 20 begins at 2
    assert (masks["lungs"] == expected).all()


def test_a_scaled_mask_is_the_same_mask(folder: Path) -> None:
    masked(folder)
    before = read_views(opened(folder, size=20, **LUNGS)).views.masks["lungs"]
    masked(folder, (48, 40))
    after = read_views(opened(folder, size=20, **LUNGS)).views.masks["lungs"]
    assert (before == after).all()


def test_a_mask_of_another_form_is_an_error_that_names_it(folder: Path) -> None:
    masked(folder)
    Image.new("L", (20, 24)).save(folder / "b1_m.png")
    with pytest.raises(DataError, match=r"mask lungs of b1.png is 20x24, its picture 24x20"):
        read_views(opened(folder, **LUNGS))


def test_a_missing_mask_costs_its_row(folder: Path) -> None:
    masked(folder)
    (folder / "b1_m.png").unlink()
    reading = read_views(opened(folder, **LUNGS))
    assert list(reading.views.frame["status"]) == ["ok", "ok", "decode_error", "ok"]


def test_window_padding_and_mask_make_valid_together(tmp_path: Path) -> None:
    table(tmp_path, ["a.png,x,4,0,24,20"], "file_name,group,x0,y0,x1,y1")
    picture(tmp_path / "a.png")
    changes = {"fit": "letterbox", "size": 24}
    padded = read_views(opened(tmp_path, **changes)).views.masks["valid"][0]
    assert padded.sum() == 24 * 20
    window = ["x0", "y0", "x1", "y1"]
    both = read_views(opened(tmp_path, window=window, **changes)).views.masks["valid"][0]
    assert both.sum() == 20 * 20
    assert not (both & ~padded).any()


@pytest.mark.parametrize("cells", ["4,0,4,20", "4,0,,20", "a,0,10,20", "nan,0,10,20"])
def test_a_window_without_an_inside_is_an_error(tmp_path: Path, cells: str) -> None:
    table(tmp_path, [f"a.png,x,{cells}"], "file_name,group,x0,y0,x1,y1")
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"the window of a\.png"):
        read_views(opened(tmp_path, window=["x0", "y0", "x1", "y1"]))


def test_pairs_are_not_degraded_again(tmp_path: Path) -> None:
    for number in range(6):
        bright = picture(tmp_path / "high" / f"{number}.png", seed=number)
        (tmp_path / "low").mkdir(exist_ok=True)
        Image.open(bright).point(lambda value: value // 4).save(tmp_path / "low" / bright.name)
    data = opened(
        tmp_path,
        pattern="high/{scene}.png",
        columns={"dark": "low/{scene}.png"},
        input="dark",
        fit="none",
        axes=[{"measure": "brightness", "role": "context", "source": "measured"}],
    )
    assert data.rows.left_out == {}  # the twins are named by a column
    views = read_views(data).views
    evalset = degraded(views, np.zeros(6, np.int64), DARK)
    assert (evalset.inputs == evalset.references // 4).all()
    assert evalset.inputs.shape == (6, 20, 24, 3)
    assert "exposure" not in evalset.frame
    luma = [np.asarray(Image.fromarray(image).convert("L")).mean() for image in evalset.inputs]
    order = evalset.frame["brightness"].iloc[np.argsort(luma)]
    assert list(order) == ["dark", "dark", "medium", "medium", "bright", "bright"]


def test_a_twin_of_another_size_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", size=(24, 24))
    table(tmp_path, ["a.png,x,b.png"], "file_name,group,dark")
    with pytest.raises(DataError, match=r"the input of a\.png is 24x24"):
        read_views(opened(tmp_path, input="dark"))


def test_without_a_clean_picture_the_input_stands_in_and_nothing_is_compared(folder: Path) -> None:
    data = opened(folder, image=None, input="file_name")
    views = read_views(data).views
    assert views.inputs is not None
    assert (views.inputs == views.images).all()
    assert "reference" not in data.mapping.provides()


def test_no_fit_wants_one_size_and_names_two_that_differ(folder: Path) -> None:
    assert read_views(opened(folder, fit="none")).views.images.shape == (4, 20, 24, 3)
    picture(folder / "b1.png", size=(30, 20))
    with pytest.raises(DataError, match=r"a1\.png is 24x20, b1\.png is 30x20"):
        read_views(opened(folder, fit="none"))


def test_landmarks_of_a_table_follow_the_picture(tmp_path: Path) -> None:
    names = [f"{axis}{point}" for point in range(5) for axis in "xy"]
    points = [[8, 6], [16, 6], [12, 10], [9, 14], [15, 14]]
    cells = ",".join(str(value) for point in points for value in point)
    table(
        tmp_path, [f"a.png,x,{cells}", f"b.png,x,{',' * 9}"], ",".join(["file_name,group", *names])
    )
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    views = read_views(opened(tmp_path, faces={"landmarks": names}, size=20)).views
    assert views.landmarks is not None
    assert np.allclose(views.landmarks[0], np.array(points) - [2, 0], atol=1e-4)
    assert np.isnan(views.landmarks[1]).all()


def test_a_face_is_turned_and_cut_onto_the_template(tmp_path: Path) -> None:
    from benchmark.imaging.alignment import template

    goal = template(64, zoom=0.5).numpy()
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    points = goal @ turn.T * 3 + [200, 120]  # turned, three times as large
    y, x = np.mgrid[:480, :640]
    image = np.zeros((480, 640, 3), np.uint8)
    for px, py in points:
        image[np.hypot(x - px, y - py) < 6] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    names = [f"{axis}{point}" for point in range(5) for axis in "xy"]
    cells = ",".join(f"{value}" for value in points.ravel())
    table(tmp_path, [f"a.png,x,{cells}"], ",".join(["file_name,group", *names]))
    faces = {"landmarks": names, "zoom": 0.5}
    views = read_views(opened(tmp_path, faces=faces, size=64)).views
    assert views.landmarks is not None
    assert np.allclose(views.landmarks[0], goal, atol=1e-3)
    near = views.images[0].astype(float).mean(-1)
    y, x = np.mgrid[:64, :64]
    for gx, gy in goal:
        blob = near * (np.hypot(x - gx, y - gy) < 5)
        centre = [(blob * x).sum() / blob.sum(), (blob * y).sum() / blob.sum()]
        assert centre == pytest.approx([gx, gy], abs=0.25)


def test_a_trial_finds_what_a_run_would(folder: Path) -> None:
    (folder / "b2.png").unlink()
    axis = {"measure": "brightness", "role": "context", "source": "measured"}
    data = opened(folder, axes=[axis])
    trial, reading = try_rows(data), read_views(data)
    assert list(trial.failures.values()) == [why for _, why in reading.failures]
    assert list(trial.frame["brightness"]) == list(reading.views.frame["brightness"])


def test_pictures_of_all_kinds_side_by_side(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 30).astype(np.uint8), (30, 1))
    kinds = {
        "grey.png": Image.fromarray(ramp),
        "deep.png": Image.fromarray(ramp.astype(np.uint16) * 257),
        "alpha.png": Image.fromarray(ramp).convert("RGBA"),
        "cmyk.jpg": Image.fromarray(ramp).convert("RGB").convert("CMYK"),
        "pixel.png": Image.new("RGB", (1, 1), "red"),
    }
    for name, image in kinds.items():
        image.save(tmp_path / name)
    table(tmp_path, [f"{name},x" for name in kinds], "file_name,group")
    views = read_views(open_data(parse_reference(str(tmp_path)), spec())).views
    assert set(views.frame["status"]) == {"ok"}
    assert np.abs(views.images[:4].astype(int) - views.images[0]).max() < 12
