"""The fundus probe: equal bytes, twins, splits, truth that fits the pixels, and Murray's law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from benchmark.data.views import OK, PROBE, Views
from benchmark.errors import DataError
from benchmark.probes import PROBES, ProbeSettings
from benchmark.probes.fundus import (
    PHANTOMS,
    PIGMENTATIONS,
    fundus_crops,
    fundus_phantoms,
    fundus_views,
)
from benchmark.probes.fundus.eye import make_eye
from benchmark.probes.fundus.optics import blood_transmission, ground_light
from benchmark.probes.fundus.photograph import MASKS, SIZE
from benchmark.probes.fundus.raster import chords
from benchmark.probes.fundus.tree import AVASCULAR, Tree

LEVELS = list(PIGMENTATIONS)


def render(subjects: int = 2, views: int = 1, **others: object) -> Views:
    settings = ProbeSettings(subjects, views, **others)  # type: ignore[arg-type]
    return fundus_views(settings, advance=lambda _: None)


@pytest.fixture(scope="module")
def probe() -> Views:
    """Four eyes, two photographs each, in three pigmentations."""
    return render(4, 2)


def rows(views: Views, level: str) -> np.ndarray:
    return np.flatnonzero(views.frame["pigmentation"] == level)


def test_views_keep_the_contract_of_all_probes(probe: Views) -> None:
    frame = probe.frame
    assert len(frame) == len(probe.images) == 4 * 2 * 3
    assert probe.images.shape[1:] == (SIZE, SIZE, 3)
    assert probe.images.dtype == np.uint8
    assert frame["sample"].is_unique
    assert set(frame["role"]) == {PROBE}
    assert set(frame["status"]) == {OK}
    assert frame.groupby("cluster")["pigmentation"].nunique().eq(3).all()
    assert frame.groupby(["cluster", "view"]).size().eq(3).all()
    provided = PROBES.entry("fundus").meta["provides"]
    assert {f"mask:{name}" for name in probe.masks} <= set(provided)
    assert set(probe.masks) == set(MASKS)
    for mask in probe.masks.values():
        assert mask.shape == probe.images.shape[:3]
        assert mask.dtype == bool


def test_equal_settings_give_equal_bytes_and_other_seeds_other_ones() -> None:
    once, again, other = render(1), render(1), render(1, seed=1)
    np.testing.assert_array_equal(once.images, again.images)
    assert not np.array_equal(once.images, other.images)


def test_an_image_does_not_depend_on_its_company(probe: Views) -> None:
    few = render(2)
    taken = probe.frame.set_index("sample").index.get_indexer(few.frame["sample"])
    np.testing.assert_array_equal(few.images, probe.images[taken])
    np.testing.assert_array_equal(few.masks["vessels"], probe.masks["vessels"][taken])


def test_splits_share_no_eye() -> None:
    test, train = render(2), render(2, split="train")
    assert not set(test.frame["cluster"]) & set(train.frame["cluster"])
    for one in test.masks["vessels"][::3]:
        for other in train.masks["vessels"][::3]:
            assert 2 * (one & other).sum() / (one.sum() + other.sum()) < 0.5


def test_twins_differ_in_nothing_but_pigment(probe: Views) -> None:
    for name in MASKS:
        first = probe.masks[name][rows(probe, "light")]
        for level in LEVELS[1:]:
            np.testing.assert_array_equal(first, probe.masks[name][rows(probe, level)])
    for other in ("disease", "side"):
        assert probe.frame.groupby("cluster")[other].nunique().eq(1).all()
    # the disc has no pigment: twins show it alike
    disc = binary_erosion(probe.masks["disc"][0], iterations=5)
    light, dark = (probe.images[rows(probe, level)[0]][disc].astype(int) for level in LEVELS[::2])
    assert np.abs(light - dark).max() <= 6


def test_more_pigment_is_browner_and_not_only_darker(probe: Views) -> None:
    ground = probe.masks["valid"][0] & ~probe.masks["vessels"][0] & ~probe.masks["disc"][0]
    colours = np.array([probe.images[rows(probe, level)[0]][ground].mean(0) for level in LEVELS])
    assert (np.diff(colours, axis=0) < 0).all()
    redness = colours[:, 0] / colours[:, 1]
    assert (np.diff(redness) > 0.05).all()


def test_photographs_of_an_eye_differ_and_show_one_tree(probe: Views) -> None:
    first, second = probe.masks["vessels"][0], probe.masks["vessels"][3]
    assert list(probe.frame["view"].iloc[[0, 3]]) == [0, 1]
    assert probe.frame["cluster"].iloc[0] == probe.frame["cluster"].iloc[3]
    assert not np.array_equal(first, second)
    assert first.sum() == pytest.approx(second.sum(), rel=0.2)


def test_half_of_the_eyes_have_lesions_and_the_others_none() -> None:
    views = render(6)
    by_eye = views.frame.groupby("cluster")["disease"].first()
    assert (by_eye == "lesions").sum() == 3
    marked = (views.masks["microaneurysms"] | views.masks["exudates"]).any((1, 2))
    np.testing.assert_array_equal(marked, views.frame["disease"] == "lesions")


def test_masks_lie_in_the_field_and_lesions_off_the_vessels(probe: Views) -> None:
    outside = ~probe.masks["valid"]
    for name in MASKS[1:]:
        assert not (probe.masks[name] & outside).any()
    for name in ("microaneurysms", "exudates"):
        assert not (probe.masks[name] & probe.masks["vessels"]).any()
    corner = probe.images[:, :8, :8]
    assert corner.max() == 0


@pytest.mark.parametrize("level", LEVELS)
def test_the_pixels_bear_out_the_masks(probe: Views, level: str) -> None:
    for row in rows(probe, level):
        green = probe.images[row, ..., 1].astype(float)
        marked = {name: probe.masks[name][row] for name in MASKS[1:]}
        bare = probe.masks["valid"][row] & ~binary_dilation(np.any(list(marked.values()), 0))
        for name, brighter in (("vessels", 0), ("microaneurysms", 0), ("exudates", 1), ("disc", 1)):
            if marked[name].any():
                near = binary_dilation(marked[name], iterations=6) & bare
                assert (green[marked[name]].mean() > green[near].mean()) == bool(brighter), name


def test_without_effect_labels_are_shuffled_within_each_eye() -> None:
    truth, shuffled = render(6), render(6, effect="none")
    np.testing.assert_array_equal(truth.images, shuffled.images)
    mixed = shuffled.frame.groupby(["cluster", "view"])["pigmentation"]
    assert mixed.nunique().eq(3).all()
    assert (truth.frame["pigmentation"] != shuffled.frame["pigmentation"]).any()
    assert shuffled.frame["sample"].is_unique
    orders = {tuple(part) for part in shuffled.frame["pigmentation"].to_numpy().reshape(-1, 3)}
    assert len(orders) > 1


@pytest.mark.parametrize("counts", [(0, 1), (1, 0)])
def test_nothing_to_render_is_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="at least one eye"):
        render(*counts)


def test_progress_counts_eyes() -> None:
    done: list[int] = []
    fundus_views(ProbeSettings(3, 1), advance=done.append)
    assert done == [1, 1, 1]


def test_crops_come_in_twins_and_do_not_depend_on_their_number() -> None:
    done: list[int] = []
    many, few = (
        fundus_crops(count, size=64, split="train", seed=3, advance=done.append)
        for count in (27, 14)
    )
    assert sum(done) == 27 + 14
    assert many.images.shape == (27, 64, 64, 3)
    np.testing.assert_array_equal(many.images[:14], few.images)
    assert few.frame["sample"].tolist() == many.frame["sample"].tolist()[:14]
    assert {"sample", "cluster", "view", "role", "status", "pigmentation"} <= set(many.frame)
    assert many.frame["sample"].is_unique
    assert many.frame["pigmentation"].value_counts().eq(9).all()
    assert many.frame.groupby(["cluster", "view"]).size().eq(3).all()
    assert set(many.masks) == set(MASKS)
    assert many.masks["valid"].mean((1, 2)).min() > 0.4
    assert many.masks["valid"].mean() > 0.8
    np.testing.assert_array_equal(many.masks["vessels"][0], many.masks["vessels"][2])


@pytest.mark.parametrize(("count", "size"), [(0, 64), (3, 16), (3, SIZE + 1)])
def test_impossible_crops_are_refused(count: int, size: int) -> None:
    with pytest.raises(DataError, match="crops need"):
        fundus_crops(count, size=size, split="train", seed=0, advance=lambda _: None)


def test_the_fovea_is_free_of_great_vessels_and_the_arcades_go_round_it() -> None:
    for index in range(3):
        eye = make_eye("test", index, seed=0)
        for tree in (eye.arteries, eye.veins):
            far = np.hypot(*tree.position.T)
            assert tree.radius[far < 4].max(initial=0) < 0.6 * tree.radius.max()
            assert (far < 0.5 * AVASCULAR).sum() == 0
            temporal = tree.position[(tree.position[:, 0] < 0) & (tree.radius > 0.12)]
            assert (np.abs(temporal[:, 1]) > 2).mean() > 0.9


def test_calibres_obey_murray_and_every_parent_comes_first() -> None:
    tree = make_eye("test", 0, seed=0).veins
    inner = np.flatnonzero(tree.parent >= 0)
    assert (tree.parent[inner] < inner).all()
    cubes = np.bincount(tree.parent[inner], tree.radius[inner] ** 3, len(tree.parent))
    branching = np.bincount(tree.parent[inner], minlength=len(tree.parent))
    assert branching.max() == 2
    forks = (branching > 0) & (tree.parent >= 0)
    np.testing.assert_allclose(cubes[forks], tree.radius[forks] ** 3)


def test_chords_of_a_dot_and_of_a_cylinder() -> None:
    dot = chords(*np.array([[[20.0, 12.0]]] * 2), np.array([5.0]), size=40)
    y, x = np.indices((40, 40))
    expected = 2 * np.sqrt(np.maximum(25 - (x - 20) ** 2 - (y - 12) ** 2, 0))
    np.testing.assert_allclose(dot, expected, atol=1e-5)
    start, end = np.array([[5.0, 20.0]]), np.array([[35.0, 20.0]])
    tube = chords(start, end, np.array([3.0]), size=40)
    np.testing.assert_allclose(tube[20, 5:36], 6, atol=1e-5)
    np.testing.assert_allclose(tube[22, 5:36], 2 * np.sqrt(5), rtol=1e-5)
    assert tube[23:].max() == tube[:18].max() == 0
    # what lies partly or wholly outside is cut, not wrapped
    off = chords(np.array([[-1.0, 3.0], [500.0, 3.0]]), np.array([[-1.0, 3.0], [500.0, 3.0]]),
                 np.array([3.0, 3.0]), size=40)  # fmt: skip
    assert off[:, 2:].max() == 0
    assert off[3, 0] == pytest.approx(2 * np.sqrt(8))
    nothing = chords(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), size=8)
    assert nothing.shape == (8, 8)
    assert nothing.max() == 0


def test_blood_absorbs_green_and_veins_are_darker_in_red() -> None:
    chord = np.array([0.0, 0.05, 0.15], np.float32)
    artery, vein = (blood_transmission(chord, kind) for kind in ("artery", "vein"))
    np.testing.assert_allclose(artery[0], 1, rtol=1e-6)
    assert (np.diff(artery, axis=0) < 0).all()
    assert (artery[1:, 1] < artery[1:, 0]).all()
    assert (vein[1:, 0] < artery[1:, 0]).all()


def test_melanin_takes_more_of_blue_than_of_red() -> None:
    one, none = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    light, dark = (
        ground_light(level, density=one, choroid=none, xanthophyll=none)[0, 0]
        for level in ("light", "dark")
    )
    loss = np.log(light / dark)
    np.testing.assert_allclose(
        loss / loss[0], (np.array([610, 540, 460]) / 610) ** -3.48, rtol=1e-4
    )


def test_phantoms_have_their_kinds_in_turn_and_no_ridge() -> None:
    from skimage.filters import frangi, sato

    phantoms = fundus_phantoms(9, size=128, seed=0)
    assert phantoms.frame["phantom"].tolist() == list(PHANTOMS) * 3
    assert phantoms.frame["sample"].is_unique
    assert set(phantoms.masks) == {"valid"}
    few = fundus_phantoms(4, size=128, seed=0)
    np.testing.assert_array_equal(few.images, phantoms.images[:4])
    flat = phantoms.images[::3]
    assert (flat == flat[:, :1, :1]).all()
    vessels = render(1)
    scales = (1.0, 1.5, 2.0)

    def ridges(image: np.ndarray, valid: np.ndarray) -> float:
        """Strength of dark ridges, in grey levels: Sato's filter has no scale of its own."""
        inner = binary_erosion(valid, iterations=8)
        grey = image[..., 1].astype(float)
        assert np.isfinite(frangi(grey, sigmas=scales)).all()
        return float(np.quantile(sato(grey, sigmas=scales)[inner], 0.98))

    real = ridges(vessels.images[2], vessels.masks["valid"][2])
    for image, valid in zip(phantoms.images, phantoms.masks["valid"], strict=True):
        assert ridges(image, valid) < 0.25 * real


def test_phantoms_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="phantoms need"):
        fundus_phantoms(0, seed=0)


def test_a_tree_lists_its_pieces() -> None:
    tree = Tree(np.array([[0.0, 0], [1, 0], [2, 1]]), np.array([-1, 0, 1]), np.array([3.0, 2, 1]))
    start, end, radius = tree.pieces
    np.testing.assert_array_equal(start, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(end, [[1, 0], [2, 1]])
    np.testing.assert_array_equal(radius, [2, 1])
