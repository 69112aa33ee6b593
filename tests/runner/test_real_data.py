"""A request about somebody's images: axes, what they provide, and the set that comes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmark.data.evalset import EvalSet
from benchmark.errors import EquiluxError
from benchmark.progress import Reporter
from benchmark.runner.execute import run_unit
from benchmark.runner.plan import make_plan
from benchmark.runner.request import Request, resolve
from benchmark.runner.stages import STAGES
from benchmark.runner.store import Store
from benchmark.spec.catalogue import find_task

TASK = "low-light-recognition"
MAPPING = {
    "format": 2,
    "name": "mine",
    "title": "Mine",
    "licence": "CC0-1.0",
    "source": "made here",
    "image": "file_name",
    "size": 16,
}
BRIGHTNESS = {"measure": "brightness", "role": "context", "source": "measured"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures in two class folders."""
    place = tmp_path / "pictures"
    for number in range(12):
        path = place / ("cat" if number % 2 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).uniform(0, 255, (16, 16, 3))
        Image.fromarray(gaussian_filter(noise, (2, 2, 0)).astype(np.uint8)).save(path)
    return place


def asked(folder: Path, *, task: str = TASK, **changes: object) -> Request:
    """A request for the folder with a mapping of its own."""
    systems = changes.pop("systems", ("input",))
    mapping = folder / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(MAPPING | changes), encoding="utf-8")
    return resolve(
        find_task(task),
        profile="smoke",
        device="cpu",
        data=str(folder),
        systems=systems,  # type: ignore[arg-type]
        metrics=("psnr",),
    )


def evaluated(request: Request, cache: Path) -> EvalSet:
    """The evaluation set, made by its stage."""
    unit = make_plan(request).data
    return EvalSet.load(run_unit(unit, Store(cache), STAGES, Reporter()).folder)


def test_without_groups_the_tasks_own_degradation_is_the_axis(folder: Path, tmp_path: Path) -> None:
    request = asked(folder, label="label")
    applied = find_task(TASK).spec.degradation.axis
    assert [axis.name for axis in request.axes] == [applied]
    assert request.headline_axis == applied
    assert request.provides == {"reference", "input", "label"}
    evalset = evaluated(request, tmp_path / "cache")
    assert set(evalset.frame[applied]) == set(find_task(TASK).spec.degradation.strata)
    assert list(evalset.frame["label"]) == ["cat"] * 6 + ["dog"] * 6
    assert (evalset.inputs.mean((1, 2, 3)) < evalset.references.mean((1, 2, 3))).all()


def test_twins_are_taken_as_they_are(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, folder / "low")
    request = asked(
        folder,
        pattern="{kind}/{number}.png",
        columns={"dark": "low/{kind}/{number}.png"},
        input="dark",
        axes=[BRIGHTNESS],
    )
    assert [axis.name for axis in request.axes] == ["brightness"]
    assert request.axes[0].levels == ["dark", "medium", "bright"]
    evalset = evaluated(request, tmp_path / "cache")
    assert (evalset.inputs == evalset.references).all()
    assert evalset.frame["brightness"].value_counts().to_dict() == {
        **{"dark": 4, "medium": 4, "bright": 4}
    }


def test_without_clean_pictures_nothing_is_handed_one(folder: Path) -> None:
    blind = {"image": None, "input": "file_name", "axes": [BRIGHTNESS]}
    request = asked(folder, systems=(), **blind)
    systems = {run.system for run in request.systems}
    assert "gamma" in systems
    assert not systems & {"oracle", "brightness"}
    plan = make_plan(request)
    assert "psnr" in plan.scorers.unavailable
    with pytest.raises(EquiluxError, match="oracle would be handed clean pictures"):
        asked(folder, systems=("input", "oracle"), **blind)


def test_an_axis_of_the_same_name_as_the_tasks_is_refused(folder: Path) -> None:
    name = find_task(TASK).spec.degradation.axis
    axis = {"column": "label", "name": name, "role": "context", "source": "annotated"}
    with pytest.raises(EquiluxError, match="give the axis of the mapping another name"):
        asked(folder, axes=[axis])


def test_the_key_follows_the_pictures_and_not_their_place(folder: Path, tmp_path: Path) -> None:
    axis = {"column": "label", "name": "kind", "role": "control", "source": "annotated"}
    key = make_plan(asked(folder, axes=[axis])).data.key
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    assert make_plan(asked(moved, axes=[axis])).data.key == key
    Image.new("RGB", (16, 16)).save(moved / "cat" / "1.png")
    assert make_plan(asked(moved, axes=[axis])).data.key != key


def test_what_a_reader_must_be_told_is_in_the_notes(folder: Path) -> None:
    guess = {"column": "label", "name": "guess", "role": "control", "source": "predicted"}
    request = asked(
        *(folder,), axes=[guess], training_overlap=["everything"], keep={"label": ["cat"]}
    )
    assert request.real is not None
    notes = "\n".join(request.real.notes())
    assert "guess is a classifier's guess" in notes
    assert "may have been seen in training: everything" in notes
    assert "6 rows left out: label is not cat" in notes


def test_a_task_may_name_its_own_data(folder: Path, tmp_path: Path) -> None:
    asked(folder)  # writes the mapping
    text = (find_task(TASK).folder / "task.yaml").read_text(encoding="utf-8")
    home = tmp_path / TASK
    home.mkdir()
    path = home / "task.yaml"
    path.write_text(text + "\ndata: {reference: ../pictures}\n", encoding="utf-8")
    request = resolve(find_task(str(path)), profile="smoke", device="cpu", systems=("input",))
    assert request.real is not None
    assert request.real.reference.path == folder.resolve()


def test_the_chest_radiographs_keep_patients_masks_and_window(
    shared_data: Path, tmp_path: Path
) -> None:
    place = shared_data / "medical" / "cxr"
    mapping = tmp_path / "cxr.yaml"
    own = yaml.safe_load(
        (find_task("medical-structure").folder / "mappings" / "cxr.yaml").read_text(
            encoding="utf-8"
        )
    )
    del own["judges"]  # which judge looks at them is none of the evaluation set's business
    mapping.write_text(yaml.safe_dump(own), encoding="utf-8")
    request = resolve(
        find_task("face-identity"),
        profile="smoke",
        device="cpu",
        data=str(place),
        mapping=str(mapping),
        systems=("input",),
        metrics=("psnr",),
    )
    evalset = evaluated(request, tmp_path / "cache")
    assert len(evalset) == 77
    assert evalset.frame["cluster"].nunique() == 43
    assert evalset.frame["sex"].value_counts().to_dict() == {"male": 51, "female": 26}
    lungs, valid = evalset.masks["lungs"], evalset.masks["valid"]
    assert ((lungs.mean((1, 2)) > 0.1) & (lungs.mean((1, 2)) < 0.5)).all()
    assert (lungs & ~valid).sum() / lungs.sum() < 0.005
    assert (valid.mean((1, 2)) < 1).any()
    # lungs are full of air: darker than the rest of what was annotated
    grey = evalset.references.mean(-1)
    darker = [g[m].mean() < g[v & ~m].mean() for g, m, v in zip(grey, lungs, valid, strict=True)]
    assert np.mean(darker) > 0.9
