"""The null test: what is drawn into a picture without structure is counted, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import label

from benchmark.judges.base import make_judge
from benchmark.judges.frangi import FrangiSegmenter
from benchmark.metrics.structure.nulls import count_invented, count_seen, min_area
from benchmark.probes.fundus import fundus_phantoms

SIDE = 128
KEYS = {"vessels:fundus", "microaneurysms:fundus", "exudates:fundus", "vessels:frangi"}


@pytest.fixture(scope="module")
def phantoms() -> tuple[torch.Tensor, torch.Tensor]:
    """One flat, one noisy and one bare retina with their valid pixels."""
    pytest.importorskip("safetensors")
    views = fundus_phantoms(3, size=SIDE, seed=0)
    images = torch.from_numpy(views.images).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(views.masks["valid"])


def scratched(images: torch.Tensor) -> torch.Tensor:
    """Two dark lines through the middle."""
    drawn = images.clone()
    drawn[:, :, 45:48, 30:95] *= 0.6
    drawn[:, :, 75:78, 30:95] *= 0.6
    return drawn


def test_an_enhancer_that_changes_nothing_invents_nothing(
    phantoms: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, valid = phantoms
    for where in (valid, None):
        found = count_invented(images, images, device="cpu", valid=where)
        assert set(found) == KEYS
        for name, counts in found.items():
            assert counts.tolist() == [0, 0, 0], name


def test_drawn_lines_are_invented_vessels(phantoms: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, valid = phantoms
    found = count_invented(scratched(images), images, device="cpu", valid=valid)
    for judge in ("fundus", "frangi"):
        assert found[f"vessels:{judge}"][0] == 2
        assert (found[f"vessels:{judge}"] >= 1).all()


def test_what_the_phantom_already_shows_is_not_invented(
    phantoms: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, valid = phantoms
    shown = scratched(images)
    for name, counts in count_invented(shown, shown, device="cpu", valid=valid).items():
        assert counts.tolist() == [0, 0, 0], name
    more = shown.clone()
    more[:, :, 60:63, 30:95] *= 0.6
    found = count_invented(more, shown, device="cpu", valid=valid, judges=("frangi",))
    assert found["vessels:frangi"][0] == 1


def test_the_floor_counts_every_component_of_the_judge(
    phantoms: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, valid = phantoms
    seen = count_seen(scratched(images), device="cpu", valid=valid)
    assert set(seen) == KEYS
    judge = make_judge("frangi", "segmenter")
    assert isinstance(judge, FrangiSegmenter)
    masks = judge.segment(scratched(images), valid)["vessels"].numpy()
    for mask, count in zip(masks, seen["vessels:frangi"], strict=True):
        names, _ = label(mask, np.ones((3, 3)))
        sizes = np.bincount(names.ravel())[1:]
        assert count == (sizes >= min_area("vessels", SIDE, SIDE)).sum()
    assert seen["vessels:frangi"][0] == 2
    # on a flat picture no judge sees anything: there the floor is zero
    flat = count_seen(images[:1], device="cpu", valid=valid[:1])
    assert {name: counts.tolist() for name, counts in flat.items()} == {key: [0] for key in KEYS}


def test_nothing_outside_the_field_counts(phantoms: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, _ = phantoms
    field = torch.zeros(3, SIDE, SIDE, dtype=torch.bool)
    field[:, :, 100:] = True  # right of the lines
    found = count_invented(scratched(images), images, device="cpu", valid=field)
    for name, counts in found.items():
        assert counts.tolist() == [0, 0, 0], name


def test_a_lesion_may_be_smaller_than_a_vessel() -> None:
    assert [min_area("vessels", side, side) for side in (64, 128, 256, 512)] == [2, 5, 20, 80]
    assert [min_area("exudates", side, side) for side in (64, 256, 512)] == [2, 3, 12]


def test_each_picture_for_itself_and_none_at_all(
    phantoms: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, valid = phantoms
    drawn = scratched(images)
    whole = count_invented(drawn, images, device="cpu", valid=valid)
    alone = count_invented(drawn[2:], images[2:], device="cpu", valid=valid[2:])
    none = count_invented(drawn[:0], images[:0], device="cpu", valid=valid[:0])
    for name, counts in whole.items():
        assert alone[name].tolist() == counts[2:].tolist()
        assert none[name].shape == (0,)
