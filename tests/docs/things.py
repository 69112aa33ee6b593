"""The things that pages speak of: somebody's photographs, models, and published files."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from tests.contexts.tiny_models import save_clip, save_llava
from tests.enhancers.test_adapters import onnx_file

from .pages import HOME
from .standins import zeros

_TONES = ("light", "medium", "dark")
#: Enough of TensorFlow for the lines that read a checkpoint.
_TENSORFLOW = """
import numpy


class train:
    class load_checkpoint:
        def __init__(self, path):
            self.name = path.partition("/")[2]

        def get_variable_to_shape_map(self):
            return {f"{self.name}/conv/weights": [3, 3, 2, 4]}

        def get_tensor(self, name):
            return numpy.zeros((3, 3, 2, 4), "float32")
"""


class Photograph(NamedTuple):
    """Of a rendered person."""

    person: str
    view: str
    tone: str
    image: NDArray[np.uint8]


def make_things(folder: Path) -> None:
    """Write all of it, with nothing of the suite's that is under test here but the renderer."""
    people = rendered_people()
    for name, mapping in (("photographs", "mine.yaml"), ("my-folder", "my-mapping.yaml")):
        rows = [
            {"person": p.person, "skin_tone": p.tone, "view": p.view, "age": 33} for p in people
        ]
        _photographs(folder / name, people, rows)
        for path in (folder / mapping, folder / name / "mapping.yaml"):
            path.write_text(_example("data.md"), "utf-8")
    london = [
        {"identity": p.person, "ethnicity": p.tone, "gender": "female", "view": f"neutral_{p.view}"}
        for p in people
    ]
    _photographs(folder / "london", people, london)
    _models(folder)
    save_clip(folder / "clip")
    save_llava(folder / "vlm")
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "clip"}', "utf-8")
    save_file({"gain": torch.ones(1)}, model / "model.safetensors")
    _pairs(folder / "LOL")
    _task(folder / "tasks" / "my-task")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "tensorflow.py").write_text(_TENSORFLOW, "utf-8")


def rendered_people() -> list[Photograph]:
    """Nine of them, three a tone, from two sides."""
    from benchmark.probes import PROBES, ProbeSettings

    def nobody_waits(*_: Any) -> None: ...

    settings = ProbeSettings(subjects=9, views=1, split="docs")
    views = PROBES.get("faces")(settings, advance=nobody_waits)
    frame = views.frame
    tone = frame["cluster"].str[-1].astype(int).map(lambda number: _TONES[number % 3])
    chosen = frame[frame["tone_level"] == tone]
    return [
        Photograph(
            row.cluster, "side" if row.view else "front", row.tone_level, views.images[index]
        )
        for index, row in zip(chosen.index, chosen.itertuples(), strict=True)
    ]


def _photographs(folder: Path, people: list[Photograph], rows: list[dict[str, Any]]) -> None:
    folder.mkdir()
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["file_name", *rows[0]])
        table.writeheader()
        for each, row in zip(people, rows, strict=True):
            name = f"{each.person}-{each.view}.png"
            Image.fromarray(each.image).save(folder / name)
            table.writerow({"file_name": name, **row})


def _example(page: str) -> str:
    """The first block of YAML of a page."""
    return (HOME / "docs" / page).read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]


def _models(folder: Path) -> None:
    from spandrel.architectures.NAFNet import NAFNet

    onnx_file(folder / "model.onnx", ("b", 3, "h", "w"))
    torch.manual_seed(0)
    network = NAFNet(width=4, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "kind.safetensors").write_bytes(b"a stand-in")
    (folder / "model_lol.pth").write_bytes(zeros("mirnet-lol"))


def _pairs(folder: Path) -> None:
    """Dark pictures, their bright twins, and somebody's answers."""
    for number in range(4):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        high = Image.fromarray(coarse).resize((96, 64), Image.Resampling.BICUBIC)
        dark = high.point(lambda value: value // 6)
        answers = high.point(lambda value: value * 7 // 8)
        shown = {"high": high, "low": dark}
        shown |= {f"outputs/{system}": answers for system in ("llflow_skf", "drbn_skf")}
        for part, image in shown.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            image.save(folder / part / f"{number}.png")


def _task(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("task.yaml", "about.yaml"):
        text = (HOME / "tasks" / "face-identity" / name).read_text("utf-8")
        (folder / name).write_text(re.sub(r"^name: .*", "name: my-task", text, flags=re.M), "utf-8")
