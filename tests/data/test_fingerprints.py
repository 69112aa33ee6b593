"""The same picture is found in other clothes, and two pictures are not taken for one."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from benchmark.data import fingerprints as module
from benchmark.data.fingerprints import (
    Fingerprints,
    alike_pictures,
    fingerprints,
    same_pictures,
)


def scenes(count: int, *, seed: int = 0) -> list[Image.Image]:
    """Pictures with structure at many scales."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        layers = [
            np.asarray(
                Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize((96, 80))
            )
            for n in (3, 6, 12, 40)
        ]
        found.append(Image.fromarray(np.mean(layers, axis=0).astype(np.uint8)))
    return found


def look(images: list[Image.Image], form: str = "PNG", **options: int) -> Fingerprints:
    blobs = []
    for image in images:
        stream = io.BytesIO()
        image.save(stream, form, **options)
        blobs.append(stream.getvalue())
    with ThreadPoolExecutor(2) as pool:
        return fingerprints([(lambda blob=blob: blob) for blob in blobs], pool)


def test_the_same_pixels_in_another_file_are_the_same() -> None:
    images = scenes(4)
    one, two = look(images), look(images[2:], "BMP")
    assert same_pictures(one, two) == [(2, 0), (3, 1)]
    assert same_pictures(look([*images, images[1]])) == [(1, 4)]
    assert alike_pictures(one, two) == []  # what is the same is not reported twice


@pytest.mark.parametrize("change", ["jpeg", "half", "bright", "noise"])
def test_a_changed_copy_is_found_and_only_it(change: str) -> None:
    images = scenes(30)
    rng = np.random.default_rng(1)
    copies = {
        "jpeg": lambda i: i,
        "half": lambda i: i.resize((48, 40)),
        "bright": lambda i: ImageEnhance.Brightness(i).enhance(1.15),
        "noise": lambda i: Image.fromarray(
            (np.asarray(i) + rng.normal(0, 6, (80, 96, 3))).clip(0, 255).astype(np.uint8)
        ),
    }
    changed = [copies[change](image) for image in images]
    two = look(changed, "JPEG", quality=60) if change == "jpeg" else look(changed)
    assert alike_pictures(look(images), two) == [(n, n) for n in range(30)]
    assert same_pictures(look(images), two) == []


def test_strangers_before_one_backdrop_are_two_people() -> None:
    backdrop = np.full((96, 96, 3), 230, np.uint8)
    y, x = np.mgrid[:96, :96]
    people = []
    for tone, width in ((90, 26), (120, 31)):
        face = backdrop.copy()
        face[((x - 48) / width) ** 2 + ((y - 50) / 36) ** 2 < 1] = tone
        face[(abs(x - 36) < 4 + tone % 7) & (abs(y - 42) < 3)] = 20
        face[(abs(x - 60) < 4 + tone % 7) & (abs(y - 42) < 3)] = 20
        people.append(Image.fromarray(face))
    assert alike_pictures(look(people)) == []


def test_flat_and_unreadable_pictures_are_like_no_other() -> None:
    flat = [Image.new("RGB", (20, 20), shade) for shade in ("black", "grey", "white")]
    assert alike_pictures(look(flat)) == []
    with ThreadPoolExecutor(1) as pool:
        broken = fingerprints([lambda: b"x", lambda: b"y", lambda: Path("absent")], pool)
    assert not broken.readable.any()
    assert same_pictures(broken) == alike_pictures(broken) == []


def test_nothing_is_like_nothing() -> None:
    with ThreadPoolExecutor(1) as pool:
        empty = fingerprints([], pool)
    assert len(empty) == 0
    assert same_pictures(empty) == alike_pictures(empty, look(scenes(2))) == []


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = look([*scenes(9), *[i.resize((48, 40)) for i in scenes(9)]])
    expected = alike_pictures(prints)
    assert len(expected) == 9
    monkeypatch.setattr(module, "_BLOCK", 4)
    assert alike_pictures(prints) == expected


def test_lol_repeats_a_scene(shared_data: Path) -> None:
    files = sorted((shared_data / "lol" / "high").glob("*.png"))
    with ThreadPoolExecutor(2) as pool:
        prints = fingerprints([(lambda f=f: f) for f in files], pool)
    names = [file.stem for file in files]
    assert [(names[i], names[j]) for i, j in alike_pictures(prints)] == [("22", "23")]
