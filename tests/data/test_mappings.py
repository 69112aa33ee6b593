"""Every ready mapping reads a small folder of the form that its recipe describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.opened import open_data
from benchmark.data.reading import read_views
from benchmark.data.references import parse_reference
from benchmark.spec.catalogue import mapping_files, mapping_for
from benchmark.spec.mapping import MappingSpec

from .conftest import picture, table


def mask(path: Path, size: tuple[int, int] = (24, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(size[::-1], np.uint8)
    values[5:15, 5:15] = 255
    Image.fromarray(values).save(path)


def pictures(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        picture(folder / name, seed=number)


def fairface(f: Path) -> None:
    pictures(f, ["val/1.jpg", "val/2.jpg", "val/3.jpg"])
    rows = [
        "1.jpg,3-9,Male,White",
        "2.jpg,20-29,Female,East Asian",
        "3.jpg,more than 70,Male,Black",
    ]
    rows = [f"val/{row},True" for row in rows]
    table(f, rows, "file,age,gender,race,service_test", "fairface_label_val.csv")


def rfw(f: Path) -> None:
    people = [("African", "m.01"), ("Asian", "m.02"), ("Caucasian", "m.03"), ("Indian", "m.04")]
    pictures(f, [f"{race}/{p}/{p}_000{n}.jpg" for race, p in people for n in (1, 2, 3)])


def bfw(f: Path) -> None:
    names = ["asian_females/n1/0001_01.jpg", "asian_females/n1/0002_01.jpg"]
    pictures(f, [*names, "white_males/n2/0003_01.jpg", "white_males/n2/0004_02.jpg"])


def utkface(f: Path) -> None:
    names = ["26_0_2_20170104", "17_1_0_20170105", "80_1_4_20170106", "39_1_20170107"]
    pictures(f, [f"{name}.jpg.chip.jpg" for name in names])


def london(f: Path) -> None:
    views = ["neutral_front", "smiling_front"]
    pictures(f, [f"images/{p}_{v}.jpg" for p in ("001", "002") for v in views])
    rows = [f"images/{p}_{v}.jpg,{p},white,female,{v}" for p in ("001", "002") for v in views]
    table(f, rows, "file_name,identity,ethnicity,gender,view")


def codan(part: str) -> Callable[[Path], None]:
    def make(f: Path) -> None:
        pictures(f, [f"{p}/{c}/1.jpg" for p in ("test_day", "test_night") for c in ("Car", "Cat")])

    return make


def exdark(f: Path) -> None:
    pictures(f, ["ExDark/Bicycle/2015_00001.png", "ExDark/Table/2015_07000.jpg"])
    rows = ["2015_00001.png 1 2 1 3", "2015_07000.jpg 12 10 2 3", "2015_00002.png 1 2 1 1"]
    table(f, rows, "Name | Class | Light | In/Out | Train/Val/Test", "imageclasslist.txt")


def cifar10(f: Path) -> None:
    for number, name in enumerate(["airplane/0001.png", "airplane/0002.png", "ship/0001.png"]):
        picture(f / name, seed=number, size=(32, 32))


def gtsrb(f: Path) -> None:
    pictures(f, ["00000.ppm", "00001.ppm"])
    rows = ["00000.ppm;24;20;5;4;20;16;16", "00001.ppm;24;20;5;4;20;16;1"]
    table(f, rows, "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId", "GT-final_test.csv")


def lol(high: str, low: str) -> Callable[[Path], None]:
    def make(f: Path) -> None:
        pictures(f, [form.format(n) for form in (high, low) for n in ("1", "2", "3")])

    return make


def drive(f: Path) -> None:
    pictures(f, ["images/01_test.tif", "images/02_test.tif"])
    for number in ("01", "02"):
        mask(f / f"1st_manual/{number}_manual1.gif")
        mask(f / f"mask/{number}_test_mask.gif")


def stare(f: Path) -> None:
    pictures(f, ["stare-images/im0001.ppm"])
    mask(f / "labels-ah/im0001.ah.ppm")


def isic(f: Path) -> None:
    names = ["ISIC_1", "ISIC_2", "ISIC_3"]
    pictures(f, [f"train/{name}.jpg" for name in names])
    rows = [
        "ISIC_1,IP_1,male,45,torso,unknown,benign,0",
        "ISIC_2,IP_1,male,70,torso,unknown,benign,0",
        "ISIC_3,IP_2,,15,,naevus,benign,0",
    ]
    header = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis"
    table(f, rows, f"{header},benign_malignant,target", "ISIC_2020_Training_GroundTruth.csv")


def ham10000(f: Path) -> None:
    pictures(f, ["images/ISIC_1.jpg", "images/ISIC_2.jpg"])
    for name in ("ISIC_1", "ISIC_2"):
        mask(f / f"masks/{name}_segmentation.png", (48, 40))
    rows = ["HAM_1,ISIC_1,bkl,histo,80.0,male,scalp", "HAM_2,ISIC_2,nv,histo,35.0,unknown,back"]
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization"
    table(f, rows, header, "HAM10000_metadata.csv")


def pad_ufes(f: Path) -> None:
    pictures(f, ["images/PAT_8_15_820.png", "images/PAT_9_1_2.png"])
    rows = ["PAT_8,15,55,FEMALE,3.0,NEV,PAT_8_15_820.png", "PAT_9,1,61,,,BCC,PAT_9_1_2.png"]
    table(f, rows, "patient_id,lesion_id,age,gender,fitspatrick,diagnostic,img_id")


def cxr(f: Path) -> None:
    pictures(f, ["images/a.png", "images/b.png"])
    mask(f / "masks/a.png")
    mask(f / "masks/b.png")
    rows = [f"images/{n}.png,masks/{n}.png,p,male,ap,2,0,22,20" for n in "ab"]
    header = "file_name,mask_file_name,identity,sex,projection,valid_x0,valid_y0,valid_x1,valid_y1"
    table(f, rows, header)


@dataclass(frozen=True)
class Form:
    """A folder of the right form, and what must come of it."""

    make: Callable[[Path], None]
    n: int
    provides: str = "input reference"
    levels: dict[str, set[str]] = field(default_factory=dict)
    left_out: int = 0


BRIGHT = {"brightness": {"dark", "medium", "bright"}}
FACES = "input landmarks reference"
FORMS = {
    "fairface": Form(fairface, 2, FACES, {"race": {"East Asian", "Black"}}, 1),
    "rfw": Form(rfw, 12, f"gallery {FACES}", {"race": {"African", "Asian", "Caucasian", "Indian"}}),
    "bfw": Form(
        *(bfw, 4, f"gallery {FACES}"),
        {"ethnicity": {"asian", "white"}, "gender": {"male", "female"}},
    ),
    "utkface": Form(utkface, 2, FACES, {"race": {"asian", "other"}}, 2),
    "london": Form(london, 4, f"gallery {FACES}", {"ethnicity": {"white"}}),
    "codan-day": Form(codan("test_day"), 2, "input label reference", {}, 2),
    "codan-night": Form(codan("test_night"), 2, "input label", {}, 2),
    "exdark": Form(*(exdark, 2, "input label mask:valid"), {"light": {"Ambient", "Twilight"}}, 1),
    "cifar10": Form(cifar10, 3, "input label reference"),
    "gtsrb": Form(gtsrb, 2, "input label mask:valid reference"),
    "lol-v1": Form(lol("high/{}.png", "low/{}.png"), 3, levels=BRIGHT),
    "lol-v2": Form(lol("Normal/normal{}.png", "Low/low{}.png"), 3, levels=BRIGHT),
    "unpaired-lowlight": Form(
        *(lol("DICM/{}.jpg", "MEF/{}.png"), 6, "input mask:valid"),
        {**BRIGHT, "collection": {"DICM", "MEF"}},
    ),
    "drive": Form(drive, 2, "input mask:valid mask:vessels reference"),
    "stare": Form(stare, 1, "input mask:valid mask:vessels reference"),
    "isic": Form(
        *(isic, 2, "input label reference"),
        {"sex": {"male"}, "age": {"40 to below 60", "60 and more"}},
        1,
    ),
    "ham10000": Form(
        *(ham10000, 2, "input label mask:lesion reference"), {"sex": {"male", "unknown"}}
    ),
    "pad-ufes": Form(*(pad_ufes, 2, "input label reference"), {"skin_type": {"3", "unknown"}}),
    "cxr": Form(cxr, 2, "input mask:lungs mask:valid reference", {"sex": {"male"}}),
}


def shipped(name: str) -> MappingSpec:
    return mapping_for("", name)


def test_every_ready_mapping_is_tested() -> None:
    assert set(FORMS) == set(mapping_files())


@pytest.mark.parametrize("name", FORMS)
def test_a_folder_of_this_form_is_read(name: str, tmp_path: Path) -> None:
    form, mapping = FORMS[name], shipped(name)
    form.make(tmp_path)
    data = open_data(parse_reference(str(tmp_path)), mapping)
    assert sum(data.rows.left_out.values()) == form.left_out
    # landmarks are sought by a network of their own, which has its tests
    unseen = mapping.model_copy(update={"faces": None})
    reading = read_views(open_data(parse_reference(str(tmp_path)), unseen))
    assert reading.failures == ()
    views = reading.views
    assert len(views.frame) == form.n
    assert mapping.provides() == set(form.provides.split())
    for axis, levels in form.levels.items():
        assert set(views.frame[axis]) == levels
    assert {axis.name for axis in mapping.axes} <= set(views.frame)
    assert {f"mask:{name}" for name in views.masks} == {
        need for need in mapping.provides() if need.startswith("mask:")
    }
    assert all(mask.any() for mask in views.masks.values())


@pytest.mark.parametrize("name", FORMS)
def test_who_made_it_and_who_labelled_it_is_said(name: str) -> None:
    mapping = shipped(name)
    assert mapping.name == name
    assert mapping.recipe
    assert mapping.source
    assert mapping.licence
    people = [axis for axis in mapping.axes if axis.role == "sensitive"]
    for axis in people:
        assert axis.source == "self-reported" or axis.caution, axis.name


def test_labels_that_a_classifier_estimated_are_flagged() -> None:
    assert any("ESTIMATED by the classifier DEX" in note for note in shipped("utkface").cautions())
    assert any("face service" in note for note in shipped("rfw").cautions())


def test_minors_are_left_out_of_faces_with_ages() -> None:
    for name in ("fairface", "utkface", "isic", "ham10000", "pad-ufes"):
        assert shipped(name).adults_only is not None


def test_the_documentation_lists_every_mapping() -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for name in FORMS:
        assert f"| `{name}` |" in text
