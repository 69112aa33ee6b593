"""Maps of contexts: where a face is, soft edges, and probabilities everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.contexts import CONTEXTS
from benchmark.contexts.regions import NOWHERE, context_maps, face_regions, mask_regions
from benchmark.probes.faces import FaceProbe

FACE, MEDICAL = CONTEXTS.index("face"), CONTEXTS.index("medical")


def test_the_face_is_where_its_skin_is() -> None:
    samples = FaceProbe("train", 2, 1, size=64, supersample=1).render()
    regions = face_regions(samples.landmarks, 64) == FACE
    skin = samples.skin.reshape(-1, 16, 4, 16, 4).mean((2, 4)) > 0.5
    overlap = (regions & skin).sum((1, 2)) / skin.sum((1, 2))
    assert overlap.min() > 0.6
    # and the corners of the picture are not
    assert not regions[:, [0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_without_landmarks_there_is_no_face() -> None:
    landmarks = np.full((2, 5, 2), np.nan, np.float32)
    assert (face_regions(landmarks, 32) == NOWHERE).all()
    assert face_regions(landmarks[:0], 32).shape == (0, 8, 8)


def test_a_cell_belongs_to_a_mask_that_covers_most_of_it() -> None:
    mask = np.zeros((1, 8, 8), bool)
    mask[0, :4, :4] = True
    mask[0, 4:, 4:6] = True  # half of a cell is not most of it
    assert mask_regions(mask, "medical")[0].tolist() == [[MEDICAL, NOWHERE], [NOWHERE, NOWHERE]]


def test_maps_are_probabilities_with_soft_edges() -> None:
    vectors = np.array([[0.7, 0.1, 0.1, 0.1]])
    regions = np.full((1, 16, 16), NOWHERE, np.int8)
    regions[0, :, 8:] = FACE
    maps = context_maps(vectors, regions)
    np.testing.assert_allclose(maps.sum(-1), 1)
    np.testing.assert_allclose(maps[0, 0, 0], vectors[0], atol=1e-6)
    assert maps[0, 0, -1, FACE] == pytest.approx(1, abs=1e-6)
    assert (np.diff(maps[0, 0, :, FACE]) > -1e-12).all()
    assert 0.3 < maps[0, 0, 7:9, FACE].mean() < 0.8


def test_a_picture_without_regions_keeps_its_vector_everywhere() -> None:
    vectors = np.random.default_rng(0).dirichlet(np.ones(4), 3)
    maps = context_maps(vectors, np.full((3, 4, 6), NOWHERE, np.int8))
    np.testing.assert_allclose(maps, np.broadcast_to(vectors[:, None, None], (3, 4, 6, 4)))
